"""What a run is doing, told from its folder while another process writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from netversus.browse.live import LiveRun, Phase, State
from netversus.errors import RunFolderError
from netversus.records import Done
from netversus.store import RunStore

from .conftest import Writer

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def states(live: LiveRun) -> list[str]:
    return [each.state.value for each in live.look().cells]


def test_a_run_is_followed_from_its_first_cell_to_its_last(make_run: Callable[..., Writer]):
    run = make_run()
    live = LiveRun(RunStore.open(run.store.place))
    with run.at_work():
        assert states(live) == ["waiting", "waiting"]
        run.begin("ant")
        assert states(live) == ["running", "waiting"]
        run.see("ant", 50, 0.5)
        assert live.look().observations == 50
        run.end("ant")
        run.begin("bee")
        snapshot = live.look()
        assert (snapshot.phase, snapshot.count(State.DONE)) == (Phase.RUNNING, 1)
        run.end("bee", error="out of memory")
        assert live.look().phase is Phase.JUDGING
    last = live.look()
    assert (last.phase, last.over, last.complete) == (Phase.ENDED, True, False)
    assert [each.words for each in last.cells] == ["10 s", "out of memory"]


def test_a_run_that_nobody_works_on_is_said_to_be_stopped(make_run: Callable[..., Writer]):
    run = make_run()
    run.begin("ant")
    snapshot = LiveRun(run.store).look()
    assert snapshot.phase is Phase.STOPPED
    assert [each.state for each in snapshot.cells] == [State.STOPPED, State.WAITING]


def test_a_run_without_a_plan_is_being_planned_or_was_left(tmp_path: Path):
    store = RunStore.create(tmp_path / "run")
    assert LiveRun(store).look().words == "it was never planned"
    with store.locked():
        assert LiveRun(store).look().phase is Phase.PLANNING


def test_where_locks_cannot_be_seen_a_run_counts_as_running(
    make_run: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("netversus.files.local.LOCKS", tmp_path / "nowhere")
    run = make_run()
    run.begin("ant")
    snapshot = LiveRun(run.store).look()
    assert (snapshot.busy, snapshot.phase) == (None, Phase.RUNNING)


def test_looking_writes_nothing_and_turns_no_writer_away(
    make_run: Callable[..., Writer], contents: Callable[[Path], Mapping[str, bytes]]
):
    run = make_run()
    run.begin("ant")
    run.see("ant", 50, 0.5)
    before = contents(run.store.path)
    live = LiveRun(run.store)
    live.look()
    assert contents(run.store.path) == before
    with run.at_work():
        assert live.look().busy


def test_a_part_is_read_once(make_run: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch):
    run = make_run()
    run.begin("ant")
    run.see("ant", 50, 0.5)
    read: list[str] = []
    original = type(run.store.files).read
    monkeypatch.setattr(type(run.store.files), "read", lambda self, name: (read.append(name), original(self, name))[1])
    live = LiveRun(run.store)
    for stop in (100, 150):
        live.look()
        run.see("ant", stop, 0.5, start=stop - 50)
    assert live.look().observations == 150
    parts = [name for name in read if name.startswith("observations")]
    assert len(set(parts)) == 3  # the writer reads them too, once: what it has seen already is not written again
    live.look()
    assert [name for name in read if name.startswith("observations")] == parts


def test_a_damaged_part_is_named(make_run: Callable[..., Writer]):
    run = make_run()
    run.begin("ant")
    run.store.cell(run.cell("ant")).files.write("observations-0001.parquet", b"PAR1 and then nothing")
    with pytest.raises(RunFolderError, match="cannot read the observations"):
        LiveRun(run.store).look()


def test_the_time_left_follows_what_the_finished_cells_took(make_run: Callable[..., Writer]):
    run = make_run(studies=("accuracy", "structure"))
    by_study = {s: [c for c in run.plan.cells if c.study == s] for s in ("structure", "accuracy")}
    planned = {s: sum(cell.seconds or 0.0 for cell in cells) for s, cells in by_study.items()}
    live = LiveRun(run.store)
    with run.at_work():
        first = live.look(STARTED)
        assert first.left is not None
        assert first.left.seconds == pytest.approx(sum(planned.values()))
        assert first.left.words.endswith("(by the plan)")
        for cell in by_study["structure"]:
            run.store.cell(cell).end(Done(cell.key, 3 * planned["structure"], 1))
        second = live.look(STARTED)
        assert second.left is not None
        assert second.left.factor == pytest.approx(3.0)
        assert second.left.seconds == pytest.approx(3 * planned["accuracy"])
        run.store.cell(by_study["accuracy"][0]).begin(by_study["accuracy"][0])
        spent = timedelta(seconds=3 * planned["structure"] + planned["accuracy"])
        third = live.look(STARTED + spent)
        assert third.left is not None
        assert third.left.seconds == pytest.approx(2 * planned["accuracy"])
        late = live.look(STARTED + timedelta(days=1))
        assert late.left is not None
        assert "longer than estimated" in late.left.words
