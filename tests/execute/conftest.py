"""A counting study whose behaviour a test chooses, and what runs a plan of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from netversus.execute.inprocess import execute
from netversus.execute.passes import Pass
from netversus.lab.data import open_data
from netversus.plan import Plan, make_plan
from netversus.records import ContenderCard, Outcome, Rates
from netversus.request import make_request
from netversus.store import RunStore

DECLARATION = """
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Need, Study

STUDY = Study(
    name="{name}",
    question="How far can each contender count?",
    questions=(Question("count", "Who counts higher?", Scale.MEAN, Direction.HIGHER, "", "number"),),
    cost=lambda options, work: Cost(seconds=1.0),
    default=False,
    {more}
)
"""

COUNTING = """
import errno
from pathlib import Path

import torch

from netversus.records import Artifact, Observations, Progress

LOG = Path({log!r})


def measure(bench):
    for number in range(6):
        for card in bench.contenders:
            if f"n{{number}}" in bench.stored(card.name, "count"):
                continue
            with LOG.open("a") as log:
                log.write(f"{{card.name}} {{number}}\\n")
            if number == 3 and card.name in {wrong!r}:
                {trouble}
            yield Observations(card.name, "count", (f"n{{number}}",), (float(number),))
        yield Progress(number + 1, 6, "numbers")
"""


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[Outcome]] = {}
        self.notes: list[str] = []
        self.steps: list[tuple[float, float]] = []

    def opened(self, place: str) -> None: ...

    def planned(self, plan: Plan) -> None: ...

    def started(self, work: Pass, number: int, of: int) -> None: ...

    def progressed(self, work: Pass, progress) -> None:
        self.steps.append((progress.done, progress.total))

    def ended(self, work: Pass, outcome: Outcome, seconds: float) -> None:
        self.outcomes.setdefault(work.study, []).append(outcome)

    def noted(self, line: str) -> None:
        self.notes.append(line)


class Table:
    """One run of counting studies, which can be executed again and again."""

    def __init__(self, path: Path, cards: list[ContenderCard], names: tuple[str, ...]) -> None:
        self.data = open_data("digits")
        self.store = RunStore.create(path)
        request = make_request({"contenders": [c.name for c in cards], "studies": names})
        rates = {c.name: Rates(0.01, 0.03, 1000, measured=False) for c in cards}
        self.plan = make_plan(request, cards, self.data.card, rates, "cpu")

    def execute(self) -> Heard:
        heard = Heard()
        execute(self.plan, self.store, self.data, torch.device("cpu"), heard)
        return heard

    def outcomes(self) -> dict[tuple[str, str], Outcome | None]:
        return {(c.study, ",".join(c.contenders)): self.store.outcome(c) for c in self.plan.cells}

    def counted(self, contender: str, study: str = "counting") -> list[float]:
        cells = [c for c in self.plan.cells if contender in c.contenders and c.study == study]
        samples = [self.store.cell(c).observations().get((contender, "count")) for c in cells]
        return [value for sample in samples if sample is not None for value in sample.values.tolist()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """What was measured, a line each time."""
    path = tmp_path / "log.txt"
    path.touch()
    return path


@pytest.fixture
def counting(add_study: Callable[..., None], log: Path) -> Callable[..., None]:
    def add(trouble: str = "pass", wrong: tuple[str, ...] = ("b",), name: str = "counting", more: str = "") -> None:
        source = COUNTING.format(log=str(log), wrong=wrong, trouble=trouble)
        add_study(name, __init__=DECLARATION.format(name=name, more=more), measure=source)

    return add


@pytest.fixture
def table(tmp_path: Path, make_card: Callable[..., ContenderCard]) -> Callable[..., Table]:
    def make(*contenders: str, studies: tuple[str, ...] = ("counting",), **changes: dict[str, object]) -> Table:
        cards = [make_card(name, **changes.get(name, {})) for name in contenders or ("a", "b", "c")]
        return Table(tmp_path / "run", cards, studies)

    return make
