"""A run folder from a stranger: shown, or refused in one line. Nothing hangs, and nothing is written outside it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netversus.errors import NetversusError, RunFolderError
from netversus.evidence import StudyEvidence
from netversus.records import Artifact, Observations
from netversus.store import RunStore

RUN = Path(__file__).parents[1] / "golden" / "run"
FILES = sorted(
    str(path.relative_to(RUN)) for path in RUN.rglob("*") if path.is_file() and "artifacts" not in path.parts
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(RUN, tmp_path / "run")
    return tmp_path / "run"


def read_all(folder: Path) -> None:
    """Everything that a report starts from."""
    store = RunStore.open(folder)
    plan = store.plan()
    store.plans()
    store.sessions()
    _ = store.created
    for split in ("train", "test"):
        store.units(split)
    for study in plan.questions:
        evidence = StudyEvidence(store, plan, study)
        _ = evidence.contenders
    for cell in plan.cells:
        store.outcome(cell)
        store.cell(cell).observations()


def refused_or_read(folder: Path) -> None:
    try:
        read_all(folder)
    except NetversusError as error:
        assert len(str(error).splitlines()) == 1


def in_time(work: Callable[[], None], seconds: float = 30.0) -> None:
    """A hang is a failure here, and not of the whole suite."""
    ended: list[BaseException | None] = []

    def watched() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            ended.append(error)
        else:
            ended.append(None)

    thread = threading.Thread(target=watched, daemon=True)
    thread.start()
    thread.join(seconds)
    assert ended, "it hangs"
    if ended[0] is not None:
        raise ended[0]


def test_the_run_is_read_as_it_is(run: Path) -> None:
    read_all(run)


@settings(max_examples=max(40, settings.get_profile("hostile").max_examples // 2))
@given(st.sampled_from(FILES), st.integers(0, 2**32 - 1))
def test_damage_to_a_file_is_told_in_one_line(tmp_path_factory, name: str, seed: int) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(RUN, folder)
    rng = np.random.default_rng(seed)
    content = bytearray((folder / name).read_bytes())
    if rng.random() < 0.3:
        content = content[: rng.integers(0, len(content) + 1)]
    for place in rng.integers(0, max(1, len(content)), rng.integers(0, 9)).tolist():
        content[place : place + 1] = bytes([rng.integers(0, 256)])
    (folder / name).write_bytes(bytes(content))
    refused_or_read(folder)
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("name", FILES)
def test_another_kind_of_record_is_told_in_one_line(run: Path, name: str) -> None:
    for content in (b"", b"null", b"[]", b'{"a": 1}', b"[" * 100_000, b"PAR1", b"\x00" * 64):
        (run / name).write_bytes(content)
        refused_or_read(run)


@pytest.mark.parametrize("name", ["run.json", "plans/0001.json", "units-test.parquet"])
def test_pipes_devices_and_loops_in_the_place_of_files_neither_hang_nor_crash(run: Path, name: str) -> None:
    for made in (
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path.name),
        lambda path: path.mkdir(),
    ):
        path = run / name
        path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
        made(path)
        in_time(lambda: refused_or_read(run))


@pytest.mark.parametrize("key", ["../../outside", "/tmp/outside", "a/b", "..", "", "a\x00b", ".hidden", "x" * 300])
def test_a_cells_key_leads_nowhere_else(run: Path, key: str) -> None:
    """Keys come from the plan, and the plan comes with the folder: whoever resumes a stranger's run writes where they
    lead."""
    path = run / "plans" / "0001.json"
    plan = json.loads(path.read_text())
    plan["cells"][0]["key"] = key
    path.write_text(json.dumps(plan))
    before = sorted(run.parent.rglob("*"))
    store = RunStore.open(run)
    with pytest.raises(RunFolderError, match="key"):
        store.cell(store.plan().cells[0]).append([Observations("a", "b", ("u",), (1.0,))])
    assert sorted(run.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", ".x", "a\nb", "", "x\u202e.png"])
def test_an_artifacts_name_leads_nowhere_else(run: Path, name: str) -> None:
    store = RunStore.open(run)
    cell = store.cell(store.plan().cells[0])
    with pytest.raises(RunFolderError, match="plain file name"):
        cell.add_artifact(Artifact(name, b"x"))
    with pytest.raises(RunFolderError, match="plain file name"):
        cell.artifact(name)


@given(st.text(max_size=80))
def test_a_contenders_name_makes_a_folder_below_the_cells(tmp_path_factory, name: str) -> None:
    folder = tmp_path_factory.mktemp("names") / "run"
    cell = RunStore.create(folder).cell("key")
    cell.add_artifact(Artifact("x.bin", b"x", name))
    written = list(folder.parent.rglob("x.bin"))
    assert len(written) == 1
    assert (folder / "cells" / "key" / "artifacts") in written[0].parents
    shutil.rmtree(folder.parent)
