"""A run that is being measured: a store that the test writes as another process would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from netversus.plan import Plan, make_plan
from netversus.records import Cell, ContenderCard, DataCard, Done, Failed, Observations, Rates, Session
from netversus.request import make_request
from netversus.statistics.order import recorded_shuffle
from netversus.store import RunStore

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
IDS = [f"digits/{i:04d}" for i in range(400)]


@dataclass
class Writer:
    """The process that works on the run."""

    store: RunStore
    plan: Plan

    def cell(self, contender: str) -> Cell:
        return next(cell for cell in self.plan.cells if contender in cell.contenders)

    def begin(self, contender: str) -> None:
        self.store.cell(self.cell(contender)).begin(self.cell(contender))

    def see(self, contender: str, stop: int, right: float, start: int = 0, metric: str = "top1") -> None:
        """Images `start` to `stop` of the recorded shuffle, that share of them right."""
        order = recorded_shuffle(len(IDS), seed=0)[start:stop]
        hits = np.random.default_rng(len(contender)).random(len(IDS)) < right
        units = tuple(IDS[i] for i in order)
        values = tuple(float(hits[i]) for i in order)
        self.store.cell(self.cell(contender)).append([Observations(contender, metric, units, values)])

    def end(self, contender: str, seconds: float = 10.0, error: str = "") -> None:
        cell = self.cell(contender)
        outcome = Failed(cell.key, error) if error else Done(cell.key, seconds, 400)
        self.store.cell(cell).end(outcome)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with self.store.locked():
            yield


@pytest.fixture
def make_run(
    tmp_path: Path, make_card: Callable[..., ContenderCard], data_card: DataCard, rates: Callable[..., dict[str, Rates]]
) -> Callable[..., Writer]:
    def make(name: str = "run", contenders: tuple[str, ...] = ("ant", "bee"), **request: object) -> Writer:
        settings = {"contenders": contenders, "studies": ("accuracy",), **request}
        cards = [make_card(name, weights="mine", source="file") for name in contenders]
        plan = make_plan(make_request(settings), cards, data_card, rates(*contenders), "cpu")
        store = RunStore.create(tmp_path / "runs" / name)
        store.add_plan(plan)
        store.add_session(Session("2026-01-02T03:04:05+00:00", "netversus compare", {"torch": "9"}, {"cores": "2"}))
        store.add_units("test", IDS, {"label": [i % 10 for i in range(len(IDS))]})
        return Writer(store, plan)

    return make


@pytest.fixture
def contents() -> Callable[[Path], Mapping[str, bytes]]:
    return lambda folder: {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
