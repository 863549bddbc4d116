"""`watch`: what it says of a run that another thread writes, and how it ends."""

from __future__ import annotations

import io
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from browse.conftest import Writer, make_run  # noqa: F401 -- a fixture
from netversus.cli import watch
from netversus.files import open_files

GOLDEN = Path(__file__).parents[1] / "golden" / "run"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What happens to the run between two looks."""

    def take(*actions: Callable[[], object]) -> None:
        waiting = iter(actions)
        monkeypatch.setattr("netversus.cli.watch.time.sleep", lambda _: next(waiting, lambda: None)())

    return take


def test_a_run_that_has_ended_is_told_at_once(netversus, tmp_path: Path):
    shutil.copytree(GOLDEN, tmp_path / "run")
    ended = netversus("watch", "run")
    assert ended.code == 0, ended.err
    assert "4 of 4 cells done; 4,048 observations" in ended.out
    assert "is more accurate than" in ended.out
    assert "netversus report run" in ended.out


def test_a_live_run_is_followed_until_it_ends(netversus, make_run: Callable[..., Writer], steps):  # noqa: F811
    run = make_run()
    held = run.at_work()
    held.__enter__()
    steps(
        lambda: run.begin("ant"),
        lambda: (run.see("ant", 100, 0.4), run.begin("bee"), run.see("bee", 100, 0.8)),
        lambda: (run.see("ant", 400, 0.4, 100), run.end("ant")),
        lambda: (run.see("bee", 400, 0.8, 100), run.end("bee")),
        lambda: held.__exit__(None, None, None),
    )
    ended = netversus("watch", run.store.place)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert any(line.startswith("running  accuracy of ant") for line in lines)
    assert any(line.startswith("done     accuracy of ant: 400 observations") for line in lines)
    assert any("so far, not a verdict yet: accuracy.top1, bee against ant: +" in line for line in lines)
    assert any("--stop-when-decided makes one that holds at every look" in line for line in lines)
    assert any("1 of 2 cells done, 1 running; 500 observations" in line for line in lines)


def test_a_failed_cell_is_shown_and_ends_as_incomplete(netversus, make_run: Callable[..., Writer]):  # noqa: F811
    run = make_run()
    for name in ("ant", "bee"):
        run.begin(name)
    run.end("ant")
    run.end("bee", error="out of [memory]")
    ended = netversus("watch", run.store.place)
    assert ended.code == 5
    assert "FAILED   accuracy of bee: out of [memory]" in ended.out
    assert f"netversus compare --resume {run.store.place}" in ended.out


def test_a_run_that_nobody_works_on_ends_the_watch(netversus, make_run: Callable[..., Writer], steps):  # noqa: F811
    run = make_run()
    run.begin("ant")
    steps()
    ended = netversus("watch", run.store.place)
    assert ended.code == 5
    assert f"nobody is at work on {run.store.place}" in ended.out
    assert "--resume" in ended.out


def test_an_absent_and_a_damaged_run_are_one_line(netversus, make_run: Callable[..., Writer], tmp_path: Path):  # noqa: F811
    ended = netversus("watch", str(tmp_path / "nowhere"))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "is not a run folder" in ended.err
    run = make_run()
    run.begin("ant")
    run.store.cell(run.cell("ant")).files.write("outcome.json", b"{")
    ended = netversus("watch", run.store.place)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "is damaged" in ended.err


def test_an_interrupt_ends_the_watch_and_not_the_run(netversus, make_run: Callable[..., Writer], steps):  # noqa: F811
    run = make_run()

    def interrupt() -> None:
        raise KeyboardInterrupt

    steps(interrupt)
    with run.at_work():
        ended = netversus("watch", run.store.place)
    assert ended.code == 130
    assert "the run goes on" in ended.out


def test_a_terminal_shows_the_cells_as_a_table(make_run: Callable[..., Writer]):  # noqa: F811
    run = make_run()
    run.begin("ant")
    run.see("ant", 50, 0.5)
    screen = Console(file=io.StringIO(), force_terminal=True, width=150, highlight=False)
    with run.at_work(), watch._display(screen, "[b]place[/b]") as show:
        show(watch.LiveRun(run.store).look())
    said = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "running" in said
    assert "waiting" in said
    assert "0 of 2 cells done" in said


def test_a_run_in_an_object_store_is_followed(netversus, steps):
    pytest.importorskip("fsspec")
    place = f"memory://{uuid.uuid4().hex}/run"
    files = open_files(place)
    for path in GOLDEN.rglob("*"):
        if path.is_file():
            files.write(str(path.relative_to(GOLDEN)), path.read_bytes())
    steps()
    ended = netversus("watch", place)
    assert ended.code == 0, ended.err
    assert "4 of 4 cells done; 4,048 observations" in ended.out
