"""What is said of the time left."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from netversus.cli import progress as module
from netversus.cli.progress import Pace, PlainListener, RichListener
from netversus.execute.passes import Pass
from netversus.records import Cell
from netversus.records import Progress as Step

WORK = Pass((Cell("detection", 1, ("a", "b"), 0, {}, "detection-0"),))


def step(done: float, what: str = "steps of a", total: float = 100) -> Step:
    return Step(done, total, what)


def test_the_time_left_is_at_the_pace_so_far():
    assert Pace(10.0).left(step(20), now=30.0) == pytest.approx(80.0)


def test_a_count_that_follows_another_has_a_pace_of_its_own():
    pace = Pace(0.0)
    pace.left(step(50), now=500.0)
    pace.left(step(100), now=1000.0)
    assert pace.left(step(1, "steps of b"), now=1010.0) == pytest.approx(990.0)
    assert pace.left(step(10, "steps of b"), now=1100.0) == pytest.approx(900.0)


def test_counts_in_turns_share_the_time():
    pace = Pace(0.0)
    for round_ in range(1, 11):
        pace.left(step(round_), now=20.0 * round_ - 10)
        left = pace.left(step(round_, "steps of b"), now=20.0 * round_)
    assert left == pytest.approx(90 * 20, rel=0.06)


def test_nothing_done_has_no_pace():
    assert Pace(0.0).left(step(0), now=5.0) == 0


@pytest.mark.parametrize("kind", [PlainListener, RichListener])
def test_a_listener_tells_the_pace_of_the_count_at_hand(
    kind: Callable[[Console], PlainListener], monkeypatch: pytest.MonkeyPatch
):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    said = io.StringIO()
    listener = kind(Console(file=said, width=100))
    listener.started(WORK, 1, 1)
    for at, each in ((600.0, step(100)), (620.0, step(2, "steps of b")), (640.0, step(4, "steps of b"))):
        now[0] = at
        listener.progressed(WORK, each)
    if kind is PlainListener:
        assert said.getvalue().splitlines()[-1].strip() == "4 of 100 steps of b (4 %), 16 min left"
    else:
        assert listener._progress.tasks[0].completed == 4
