"""`report`, `list`, `doctor` and `export-data`."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from netversus.cli import doctor
from netversus.studies import find_studies


def test_a_report_is_written_in_four_formats(netversus, quick_run: Path, tmp_path: Path):
    targets = [tmp_path / f"report.{suffix}" for suffix in ("html", "md", "json", "csv")]
    flags = [word for target in targets for word in ("--out", str(target))]
    ended = netversus("report", str(quick_run), *flags)
    assert ended.code == 0
    assert ended.out.split() == [str(target) for target in targets]
    json.loads(targets[2].read_text())
    rows = list(csv.DictReader(targets[3].open(newline="")))
    assert {row["metric"] for row in rows} >= {"top1", "nll"}


def test_a_report_of_a_stored_run_loads_no_torch(quick_run: Path):
    script = (
        "import sys\nfrom netversus.cli.__main__ import main\n"
        f"code = main(['report', {str(quick_run)!r}])\nsys.exit(code or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == 0


def test_a_report_of_what_is_no_run_names_the_newest_run_nearby(netversus, quick_run: Path, tmp_path: Path):
    ended = netversus("report", str(tmp_path))
    assert ended.code == 2
    assert f"the newest run there is {quick_run}" in ended.err


def test_a_report_of_an_unknown_format_names_the_known_ones(netversus, quick_run: Path):
    ended = netversus("report", str(quick_run), "--out", "report.docx")
    assert ended.code == 2
    assert ".html" in ended.err
    assert ended.err.count("\n") == 1


def test_the_studies_are_listed_with_their_options(netversus):
    ended = netversus("list", "studies")
    assert ended.code == 0
    for study in find_studies().values():
        assert study.question in ended.out
        for name in study.options.model_fields:
            assert f"--{study.name}.{name.replace('_', '-')}" in ended.out


def test_contenders_are_listed_with_their_published_weights(netversus):
    ended = netversus("list", "contenders", "resnet50")
    assert ended.code == 0
    assert "IMAGENET1K_V2" in ended.out
    assert "timm:resnet50" in ended.out
    assert "a1_in1k" in ended.out


def test_data_are_listed(netversus):
    ended = netversus("list", "data")
    assert ended.code == 0
    assert all(kind in ended.out for kind in ("digits", "scenes", "folder", "hf"))


def test_engines_are_listed_with_what_is_missing(netversus):
    ended = netversus("list", "engines")
    assert ended.code == 0
    assert all(engine in ended.out for engine in ("eager", "fused-bf16", "openvino-int8", "cuda-graph"))


def test_what_cannot_be_listed_gets_the_nearest(netversus):
    ended = netversus("list", "study")
    assert ended.code == 2
    assert "studies" in ended.err


def test_the_doctor_names_the_machine_and_the_switches(netversus):
    ended = netversus("doctor")
    assert ended.code == 0
    for word in ("processor", "cores", "memory", "torch", "THP_MEM_ALLOC_ENABLE", "GLIBC_TUNABLES", "extra onnx"):
        assert word in ended.out


def test_the_doctor_checks_every_package_of_every_extra(netversus, repository: Path, monkeypatch):
    declared = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = [
        "numpy>=1.26",
        *(f"{each}; extra == '{extra}'" for extra, packages in declared.items() for each in packages),
    ]
    monkeypatch.setattr(doctor, "requires", lambda _: asked)  # as an installed package tells it
    assert doctor.extras() == {
        extra: [package.partition(">")[0] for package in packages] for extra, packages in declared.items()
    }
    absent = {"onnxscript", "uvicorn", "dask-jobqueue", "cryptography"}
    monkeypatch.setattr(doctor, "installed", lambda packages: dict.fromkeys(set(packages) - absent, "1"))
    ended = netversus("doctor")
    assert ended.code == 0
    for extra, missing in (("onnx", "onnxscript"), ("serve", "uvicorn"), ("cluster", "cryptography, dask-jobqueue")):
        assert re.search(rf"extra {extra} .*missing {missing}: .*netversus\[{extra}\]", ended.out)
    assert ended.out.count("missing") == 4  # openvino needs onnxscript too


@pytest.mark.parametrize("layout", ["folder", "coco", "mot"])
def test_scenes_are_exported_for_other_tools(netversus, tmp_path: Path, layout: str):
    spec = "scenes?size=32&train=6&test=6"
    ended = netversus("export-data", spec, "out", "--format", layout)
    assert ended.code == 0, ended.err
    assert "out" in ended.out
    assert len(list((tmp_path / "out").rglob("*.png"))) > 0


def test_an_export_does_not_overwrite(netversus, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    assert netversus("export-data", "digits", "out").code == 2
