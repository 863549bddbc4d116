"""CSV and Parquet: every raw observation, and every finding, read back as it was stored."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from netversus.analyse import analyse
from netversus.exports import export
from netversus.records import Observations
from netversus.store import RunStore


def stored(run: RunStore) -> list[tuple[str, int, str, str, str, float]]:
    """What the run folder holds, by a reader of its own: the Parquet parts one after another."""
    rows = []
    for cell in run.plan().cells:
        for part in sorted((run.path / "cells" / cell.key).glob("observations-*.parquet")):
            of_part = pq.read_table(part).to_pylist()
            rows += [
                (cell.study, cell.seed, *(r[k] for k in ("contender", "metric", "unit", "value"))) for r in of_part
            ]
    return sorted(rows)


def test_every_observation_is_in_the_parquet_file_with_its_unit(run: RunStore, tmp_path: Path):
    export(run, "parquet", tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "observations.parquet")
    keys = ("study", "seed", "contender", "metric", "observed_on", "value")
    assert sorted(tuple(row[key] for key in keys) for row in table.to_pylist()) == stored(run)
    rows = {row["metric"]: row for row in table.to_pylist()}
    assert (rows["top1"]["unit"], rows["top1"]["scale"], rows["top1"]["direction"]) == ("%", "proportion", "higher")
    assert rows["train_time"]["unit"] == "s"
    assert rows["curve_test_top1"]["unit"] is None
    assert set(table["outcome"].to_pylist()) == {"done"}
    assert str(table.schema.field("value").type) == "double"
    assert table.schema.metadata[b"rerun"].startswith(b"netversus compare")


def test_the_csv_file_reads_back_to_the_same_numbers(run: RunStore, tmp_path: Path):
    export(run, "csv", tmp_path / "out")
    with (tmp_path / "out" / "observations.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [
        (r["study"], int(r["seed"]), r["contender"], r["metric"], r["observed_on"], float(r["value"])) for r in rows
    ]
    assert sorted(found) == stored(run)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_finding_is_there_with_its_interval(run: RunStore, tmp_path: Path, form: str):
    export(run, form, tmp_path / "out")
    path = tmp_path / "out" / f"findings.{form}"
    rows = (
        list(csv.DictReader(path.open(newline="", encoding="utf-8")))
        if form == "csv"
        else pq.read_table(path).to_pylist()
    )
    findings = analyse(run)
    assert len(rows) == len(findings)
    for row, finding in zip(rows, findings, strict=True):
        assert (row["study"], row["metric"], row["slice"]) == (finding.study, finding.metric, finding.slice)
        absent = "" if form == "csv" else None
        for name in ("estimate", "low", "high", "level"):
            wanted = getattr(finding.effect, name) if finding.effect else None
            assert (row[name] == absent) if wanted is None else float(row[name]) == wanted
        assert (row["p_value"] == absent) if finding.p_value is None else float(row["p_value"]) == finding.p_value


def test_what_is_no_number_and_what_is_absent_stay_apart(run: RunStore, tmp_path: Path):
    import shutil

    shutil.copytree(run.path, tmp_path / "run")
    copy = RunStore.open(tmp_path / "run")
    cell = copy.plan().cells[-1]
    strange = Observations(cell.contenders[0], "=strange", ("=1+1", "b", "c"), (math.nan, math.inf, 1 / 3))
    copy.cell(cell).append([strange])
    for form in ("csv", "parquet"):
        export(copy, form, tmp_path / form)
    table = pq.read_table(tmp_path / "parquet" / "observations.parquet").to_pylist()
    values = [row["value"] for row in table if row["metric"] == "=strange"]
    assert np.isnan(values[0])
    assert values[1:] == [math.inf, 1 / 3]
    rows = list(csv.DictReader((tmp_path / "csv" / "observations.csv").open(newline="", encoding="utf-8")))
    last = [row for row in rows if row["metric"] == "'=strange"]  # no spreadsheet takes it for a formula
    assert [row["observed_on"] for row in last] == ["'=1+1", "b", "c"]
    assert [float(row["value"]) for row in last][1:] == [math.inf, 1 / 3]
    assert last[0]["unit"] == ""
