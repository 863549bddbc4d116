"""The run folder: whole or not at all, resumable, and never confused about what it holds."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netversus.errors import RunFolderError
from netversus.files import write_atomic
from netversus.records import Artifact, Cell, Done, Failed, Observations, Session
from netversus.store import CellStore, RunStore, new_run_path

CELL = Cell(study="fake", version=1, contenders=("a",), seed=0, options={"n": 3}, key="fake-0123")


def observed(*values: float, metric: str = "m", start: int = 0) -> Observations:
    return Observations("a", metric, tuple(f"u{start + i}" for i in range(len(values))), tuple(values))


def test_observations_come_back_in_stored_order_over_several_flushes(tmp_path: Path):
    cell = CellStore(tmp_path)
    cell.append([observed(0.25, 0.5)])
    cell.append([observed(1.0, start=2), observed(7.0, metric="other")])
    found = CellStore(tmp_path).observations()
    assert found["a", "m"].units == ("u0", "u1", "u2")
    assert found["a", "m"].values.tolist() == [0.25, 0.5, 1.0]
    assert found["a", "other"].values.tolist() == [7.0]


def test_a_cell_is_read_anew_when_there_is_more_of_it_and_only_then(tmp_path: Path):
    run, other = RunStore.create(tmp_path / "run"), RunStore.open(tmp_path / "run")
    run.cell(CELL).append([observed(1.0)])
    first = run.cell(CELL).observations()
    assert run.cell(CELL).observations() is first
    other.cell(CELL).append([observed(2.0, start=1)])
    assert run.cell(CELL).observations()["a", "m"].values.tolist() == [1.0, 2.0]
    assert first["a", "m"].values.tolist() == [1.0]


def test_only_the_cells_that_were_read_last_are_held(tmp_path: Path):
    run = RunStore.create(tmp_path / "run")
    for number in range(9):
        run.cell(f"c{number}").append([observed(float(number))])
    found = [run.cell(f"c{number}").observations() for number in range(9)]
    assert run.cell("c8").observations() is found[8]
    assert run.cell("c0").observations() is not found[0]
    assert run.cell("c0").observations()["a", "m"].values.tolist() == [0.0]


def test_a_unit_is_stored_once_however_often_it_is_observed(tmp_path: Path):
    cell = CellStore(tmp_path)
    assert cell.append([observed(1.0, 2.0)]) == 2
    assert CellStore(tmp_path).append([observed(9.0, 9.0, 3.0)]) == 1
    assert CellStore(tmp_path).observations()["a", "m"].values.tolist() == [1.0, 2.0, 3.0]


def test_special_floats_survive_bit_for_bit(tmp_path: Path):
    values = (0.1 + 0.2, 1e-308, -0.0, float("inf"))
    cell = CellStore(tmp_path)
    cell.append([observed(*values)])
    assert [v.hex() for v in cell.observations()["a", "m"].values.tolist()] == [v.hex() for v in values]


def test_a_damaged_part_is_named_not_skipped(tmp_path: Path):
    cell = CellStore(tmp_path)
    cell.append([observed(1.0)])
    next(tmp_path.glob("observations-0001-*.parquet")).write_bytes(b"PAR1 not really")
    with pytest.raises(RunFolderError, match="cannot read the observations"):
        CellStore(tmp_path).observations()


def test_what_is_settled_first_stays_for_all(tmp_path: Path):
    store = RunStore.create(tmp_path / "run")
    assert store.settled("engine-a") is None
    assert store.settle("engine-a", b"first") == b"first"
    assert RunStore.open(tmp_path / "run").settle("engine-a", b"second") == b"first"
    assert store.settled("engine-a") == b"first"
    assert store.settle("engine-py:x?engine=auto", b"other") == b"other"


@pytest.mark.parametrize("links", [True, False])
def test_of_many_who_settle_at_once_one_is_first_and_nothing_is_left_behind(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if not links:  # as on some file systems: there all agree too, unless they come at the same moment

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    store = RunStore.create(tmp_path / "run")
    with ThreadPoolExecutor(1 if not links else 8) as pool:
        found = set(pool.map(lambda mark: store.settle("engine", b"%d" % mark), range(24)))
    assert len(found) == 1
    assert {store.settled("engine")} == found
    assert [path.name for path in (tmp_path / "run/settled").iterdir()] == ["engine.json"]


def test_an_interrupted_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = tmp_path / "file"
    write_atomic(target, b"old")

    def no_space(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_outcomes_keep_their_kind_and_done_clears_the_state(tmp_path: Path):
    cell = CellStore(tmp_path)
    (cell.state() / "checkpoint.pt").write_bytes(b"x")
    cell.end(Failed("fake-0123", "it broke", "Traceback ..."))
    assert CellStore(tmp_path).outcome() == Failed("fake-0123", "it broke", "Traceback ...")
    assert (tmp_path / "state" / "checkpoint.pt").exists()
    cell.end(Done("fake-0123", 1.5, 12))
    assert CellStore(tmp_path).outcome() == Done("fake-0123", 1.5, 12)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "x" * 200, "a\nb"])
def test_an_artifact_cannot_leave_its_folder(tmp_path: Path, name: str):
    with pytest.raises(RunFolderError, match="plain file name"):
        CellStore(tmp_path).add_artifact(Artifact(name, b""))


@pytest.mark.parametrize("contender", ["../../x", "timm:a/b", "file:/etc/passwd?arch=x", "é\n<script>"])
def test_a_contender_name_makes_a_harmless_folder_of_its_own(tmp_path: Path, contender: str):
    cell = CellStore(tmp_path / "cell")
    cell.add_artifact(Artifact("w.bin", b"1", contender))
    cell.add_artifact(Artifact("w.bin", b"2", contender + "?"))
    assert cell.artifact("w.bin", contender) == b"1"
    assert cell.artifact("w.bin", contender + "?") == b"2"
    assert all(tmp_path in p.resolve().parents for p in tmp_path.rglob("*"))


def test_creating_opens_what_is_there_and_refuses_a_strangers_folder(tmp_path: Path):
    made = RunStore.create(tmp_path / "run")
    assert RunStore.create(tmp_path / "run").created == made.created
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not touch")
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunStore.create(tmp_path / "mine")


def test_opening_what_is_no_run_names_the_newest_one_nearby(tmp_path: Path):
    RunStore.create(tmp_path / "runs" / "first")
    with pytest.raises(RunFolderError, match=r"the newest run there is .*first"):
        RunStore.open(tmp_path / "runs")


def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path):
    RunStore.create(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(json.dumps({"schema": 99, "id": "x", "created": "now"}))
    with pytest.raises(RunFolderError, match=r"schema version 99, this netversus reads 1"):
        RunStore.open(tmp_path / "run")


def test_two_processes_cannot_hold_one_run(tmp_path: Path):
    store = RunStore.create(tmp_path / "run")
    other = RunStore.open(store.path)
    with store.locked(), pytest.raises(RunFolderError, match="another process"), other.locked():
        pass
    with store.locked():
        pass


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot write the run folder"):
        RunStore.create(tmp_path / "file" / "run")


def test_sessions_and_units_come_back(tmp_path: Path):
    store = RunStore.create(tmp_path / "run")
    session = Session("2026-01-01T00:00:00+00:00", "netversus compare", {"python": "3.11"}, {"cores": "2"})
    store.add_session(session)
    store.add_session(session)
    assert store.sessions() == (session, session)
    store.add_units("test", ["i1", "i2"], {"label": [0, 1], "light": ["dim", "bright"]})
    assert store.units("test") == {"unit": ("i1", "i2"), "label": (0, 1), "light": ("dim", "bright")}
    assert store.units("train") == {}


def test_run_names_do_not_collide(tmp_path: Path):
    first = new_run_path(tmp_path, "timm:resnet50/../x")
    assert first.parent == tmp_path
    first.mkdir()
    assert new_run_path(tmp_path, "timm:resnet50/../x") != first


def test_two_writers_of_one_cell_lose_nothing_and_count_nothing_twice(tmp_path: Path):
    """A cluster may deliver a task twice: the two run side by side and see the same units."""
    first, second = CellStore(tmp_path), CellStore(tmp_path)
    first.append([observed(1.0, 2.0)])
    second.units("a", "m")  # it begins here, and knows what is stored by now
    first.append([observed(3.0, 4.0, start=2)])
    second.append([observed(3.0, 4.0, 5.0, start=2)])
    first.append([observed(5.0, 6.0, start=4)])
    second.append([observed(6.0, start=5)])
    found = CellStore(tmp_path).observations()["a", "m"]
    assert found.units == tuple(f"u{i}" for i in range(6))
    assert found.values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_parts_of_an_older_writer_are_read(tmp_path: Path):
    cell = CellStore(tmp_path)
    cell.append([observed(1.0)])
    part = next(tmp_path.glob("observations-*.parquet"))
    part.rename(tmp_path / "observations-0001.parquet")
    CellStore(tmp_path).append([observed(2.0, start=1)])
    assert CellStore(tmp_path).observations()["a", "m"].values.tolist() == [1.0, 2.0]
    assert sorted(p.name[:17] for p in tmp_path.glob("observations-*")) == ["observations-0001", "observations-0002"]
