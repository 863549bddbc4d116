"""A sequential study stops when every pair is decided, not before, and again at the same unit after a kill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from netversus.analyse import analyse
from netversus.execute import inprocess
from netversus.execute.inprocess import execute
from netversus.execute.stopping import stopping_for
from netversus.lab.data import open_data
from netversus.plan import make_plan
from netversus.records import ContenderCard, Done, Observations, Rates, Verdict
from netversus.request import make_request
from netversus.statistics.order import recorded_shuffle
from netversus.store import RunStore

DECLARATION = """
from typing import Annotated

from pydantic import Field

from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Options, Sequential, Study


class ReadingOptions(Options):
    batch: Annotated[int, Field(description="A look.")] = 16
    order_seed: Annotated[int, Field(description="Of the shuffle.")] = 0
    images: Annotated[int | None, Field(description="At most.")] = None


STUDY = Study(
    name="reading",
    question="Who is right more often?",
    questions=(
        Question("right", "Who?", Scale.PROPORTION, Direction.HIGHER, "%", "image", 0.01, Role.PRIMARY),
    ),
    options=ReadingOptions,
    cost=lambda options, work: Cost(seconds=1.0),
    sequential=Sequential(),
    default=False,
)
"""

MEASURE = """
import numpy as np

from netversus.records import Observations, Progress
from netversus.statistics.order import recorded_shuffle

CHANCES = {chances!r}


def measure(bench):
    images = bench.data.split("test")
    order = {order}
    for start in range(0, len(order), bench.options.batch):
        index = order[start : start + bench.options.batch]
        ids = tuple(images.ids[i] for i in index)
        for card in bench.contenders:
            if not set(ids) <= set(bench.stored(card.name, "right")):
                values = [float(np.random.default_rng([i, 7]).random() < CHANCES[card.name]) for i in index]
                yield Observations(card.name, "right", ids, tuple(values))
        yield Progress(start + len(index), len(order), "images")
        if bench.enough():
            return
"""
SHUFFLED = "recorded_shuffle(len(images), bench.options.order_seed)[: bench.options.images]"


class Reading:
    """A run of the reading study, whose contenders are right with chances that a test chooses."""

    def __init__(self, path: Path, cards: list[ContenderCard], **settings: object) -> None:
        self.data = open_data("digits")
        self.store = RunStore.create(path)
        images = self.data.split("test")
        self.store.add_units("test", images.ids, {"label": images.labels.tolist()})
        names = [card.name for card in cards]
        request = make_request({"contenders": names, "studies": ("reading",), "stop_when_decided": True, **settings})
        rates = {name: Rates(0.01, 0.03, 1000, measured=False) for name in names}
        self.plan = make_plan(request, cards, self.data.card, rates, "cpu")
        self.store.add_plan(self.plan)
        self.notes: list[str] = []

    def execute(self) -> None:
        from .conftest import Heard

        heard = Heard()
        execute(self.plan, self.store, self.data, torch.device("cpu"), heard)
        self.notes += heard.notes

    def read(self) -> dict[str, tuple[str, ...]]:
        cells = {c.contenders[0]: self.store.cell(c).observations() for c in self.plan.cells}
        return {who: tuple(seen[who, "right"].units) if seen else () for who, seen in cells.items()}


@pytest.fixture
def reading(add_study: Callable[..., None], tmp_path: Path, make_card: Callable[..., ContenderCard]):
    def make(order: str = SHUFFLED, folder: str = "run", **more: object) -> Reading:
        chances = {"a": 0.3, "b": 0.9, **more.pop("chances", {})}  # type: ignore[arg-type,dict-item]
        if order is not None and not (tmp_path / "third_party" / "third_party_reading").exists():
            add_study("reading", __init__=DECLARATION, measure=MEASURE.format(chances=chances, order=order))
        return Reading(tmp_path / folder, [make_card(name) for name in chances], **more)

    return make


def test_it_stops_once_the_verdict_is_certain_and_says_what_was_saved(reading):
    run = reading()
    run.execute()
    read = run.read()
    assert read["a"] == read["b"]
    assert len(read["a"]) < 400
    assert len(read["a"]) % 16 == 0
    assert all(isinstance(run.store.outcome(cell), Done) for cell in run.plan.cells)
    assert run.notes == [f"reading: decided after {len(read['a'])} of 797 images"]
    (finding,) = analyse(run.store)
    assert (finding.verdict, finding.n, finding.available) == (Verdict.B_BETTER, len(read["a"]), 797)
    assert finding.p_value is None
    assert finding.e_value is not None
    assert finding.e_value >= 20
    assert f"Decided after {finding.n} of 797 images" in finding.sentence
    assert "confidence sequence" in finding.expert


def test_the_units_are_the_first_of_the_recorded_shuffle(reading):
    run = reading()
    run.execute()
    ids = run.data.split("test").ids
    read = run.read()["a"]
    assert read == tuple(ids[i] for i in recorded_shuffle(len(ids), 0)[: len(read)])


def test_without_being_asked_everything_is_read(reading):
    run = reading(stop_when_decided=False)
    run.execute()
    assert len(run.read()["a"]) == 797
    finding = next(f for f in analyse(run.store) if not f.slice)
    assert (finding.available, finding.e_value) == (None, None)
    assert finding.p_value is not None


def test_what_is_not_decided_is_read_to_the_end(reading):
    run = reading(chances={"b": 0.32})
    run.execute()
    assert len(run.read()["a"]) == 797
    assert run.notes == []
    assert analyse(run.store)[0].verdict is Verdict.UNDECIDED


def test_it_goes_on_until_the_last_pair_is_decided_and_the_first_verdict_stands(reading):
    run = reading(chances={"a": 0.1, "b": 0.95, "c": 0.6})
    run.execute()
    findings = {(f.a, f.b): f for f in analyse(run.store)}
    assert len(findings) == 3
    assert all(f.verdict is not Verdict.UNDECIDED for f in findings.values())
    assert {len(units) for units in run.read().values()} == {max(f.n for f in findings.values())}
    assert findings["a", "b"].n < max(f.n for f in findings.values())
    assert {round(1 - f.effect.level, 9) for f in findings.values() if f.effect} == {round(0.05 / 3, 9)}


def test_against_a_baseline_only_its_pairs_are_waited_for(reading):
    run = reading(chances={"a": 0.1, "b": 0.95, "c": 0.96}, baseline="a")
    run.execute()
    assert {(f.a, f.b) for f in analyse(run.store)} == {("a", "b"), ("a", "c")}
    assert len(run.read()["c"]) < 797


@pytest.mark.parametrize("emissions", [(1,), (2,), (3, 5), (4, 7, 8)])
def test_killed_and_resumed_it_stops_at_the_same_unit(reading, monkeypatch: pytest.MonkeyPatch, emissions):
    whole = reading(folder="whole")
    whole.execute()
    broken = reading(folder="broken")
    take, taken = inprocess._take, 0

    def interrupted(*arguments: object) -> None:
        nonlocal taken
        take(*arguments)  # type: ignore[arg-type]
        taken += 1
        if taken in emissions:
            raise KeyboardInterrupt

    monkeypatch.setattr(inprocess, "_take", interrupted)
    for _ in emissions:
        with pytest.raises(KeyboardInterrupt):
            broken.execute()
    broken.execute()
    assert broken.read() == whole.read()
    assert analyse(broken.store) == analyse(whole.store)


def test_what_is_seen_twice_counts_once(reading):
    run = reading()
    stopping = stopping_for(run.plan, run.store, run.plan.cells[0])
    ids = tuple(f"u{i}" for i in range(64))
    for _ in range(20):
        stopping.observed(Observations("a", "right", ids, (0.0,) * 64))
        stopping.observed(Observations("b", "right", ids, tuple((np.arange(64) % 8 == 0) * 1.0)))
    assert not stopping.enough()


def test_images_in_folder_order_are_refused(reading):
    run = reading(order="np.arange(len(images))")
    run.execute()
    (finding,) = analyse(run.store)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.value_a is None
    assert "not read in the recorded shuffle" in finding.sentence
