"""Processes that run contenders at the same time: what they do, and what becomes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import torch

from netversus.errors import CellError
from netversus.records import ContenderCard, Observations
from netversus.studies.scaling.crew import Crew
from netversus.studies.scaling.observed import observe
from netversus.studies.scaling.rig import Rig
from netversus.studies.scaling.worker import HIRED, Hired, work

if TYPE_CHECKING:
    from conftest import Clock, Net

ECHO = "import sys; print('ready', flush=True)\nfor line in sys.stdin: print('done', flush=True)"
FAILS = "import sys; print('ready', flush=True); sys.stdin.readline(); print('no room', file=sys.stderr); sys.exit(3)"


@pytest.fixture
def hired(make_card: Callable[..., ContenderCard]) -> Hired:
    return Hired((make_card("A"), make_card("B")), ("eager", "folded"), classes=10, seed=0, weights={}, at_once=2)


@pytest.fixture
def crew(hired: Hired, tmp_path: Path) -> Iterator[Callable[[str], Crew]]:
    made: list[Crew] = []

    def make(program: str) -> Crew:
        made.append(Crew(lambda: hired, tmp_path, [sys.executable, "-c", program]))
        return made[-1]

    yield make
    for each in made:
        each.close()


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


def test_workers_are_hired_when_they_are_needed_and_dismissed_in_the_end(crew: Callable[[str], Crew]) -> None:
    before, some = children(), crew(ECHO)
    assert children() == before
    some.run("A", 1)
    assert len(children() - before) == 1
    some.run("B", 3)
    assert len(children() - before) == 3
    some.close()
    assert children() == before


def test_a_worker_that_fails_is_one_line_and_the_others_go(crew: Callable[[str], Crew]) -> None:
    before = children()
    with pytest.raises(CellError, match=r"a worker of the scaling study failed: no room$"):
        crew(FAILS).run("A", 2)
    assert children() == before


def test_a_worker_is_told_all_that_it_needs(crew: Callable[[str], Crew], hired: Hired, tmp_path: Path) -> None:
    crew(ECHO).run("A", 1)
    assert HIRED.validate_json((tmp_path / "hired.json").read_bytes()) == hired


def test_a_worker_shows_the_contender_it_is_asked_for_its_images(hired: Hired, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[str, tuple[int, ...], int]] = []

    class Seen(torch.nn.Module):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name, self.head = name, torch.nn.Linear(3, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            shown.append((self.name, tuple(images.shape), torch.get_num_threads()))
            return self.head(images.mean((2, 3)))

    monkeypatch.setattr("netversus.lab.contenders.load.load", lambda card, **_: Seen(card.name))
    said: list[str] = []
    threads = torch.get_num_threads()
    try:
        work(Hired(hired.contenders, ("eager", "eager"), 10, 0, {}, 2), ["1\n", "0\n", "1\n"], said.append)
    finally:
        torch.set_num_threads(threads)
    side = hired.contenders[0].preprocessing.crop
    assert shown == [(name, (2, 3, side, side), 1) for name in "BAB"]
    assert said == ["ready", "done", "done", "done"]


def test_processes_that_do_not_wait_for_each_other_have_the_power_minus_one(
    rig: Callable[..., Rig], net: Callable[..., Net], clock: Clock
) -> None:
    """A call of k processes takes as long as one of one, and shows k times the images."""
    made = rig(net(0.01), processes=(1, 2, 4), batch=(1,), resolution=(1,), at_once=2)
    asked: list[tuple[str, int]] = []

    def run(name: str, count: int) -> None:
        asked.append((name, count))
        clock.spend(0.02)

    made.run_in_processes = run
    made.try_out()
    (subject,) = made.subjects
    seen = list(observe("A", subject.points, made.block(0)["A"], made.left_out, 0))
    values = next(each for each in seen if each.metric == "seconds_processes")
    assert isinstance(values, Observations)
    assert values.units == tuple(f"processes-{count:04d}/block-000" for count in (1, 2, 4))
    assert values.values == pytest.approx((0.01, 0.005, 0.0025))
    assert {count for _, count in asked} == {1, 2, 4}
