"""A run whose observations a test writes by hand, with accuracy, speed and structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from netversus.decide.subject import Subject
from netversus.plan import make_plan
from netversus.records import Cell, ContenderCard, DataCard, Done, Failed, Observations, Preprocessing, Rates
from netversus.request import make_request
from netversus.store import RunStore

IMAGES, BLOCKS, CALLS = 400, 24, 3


def card(name: str) -> ContenderCard:
    return ContenderCard(
        name=name,
        spec=f"spec of {name}",
        source="torchvision",
        architecture=name,
        weights="scratch" if name.endswith("@scratch") else "x",
        recipe="x",
        head="data",
        digest=f"digest of {name}",
        preprocessing=Preprocessing(crop=32, resize=None),
    )


class Made:
    """A run of hand-written observations."""

    def __init__(self, path: Path, names: Sequence[str], **settings: object) -> None:
        data = DataCard("digits", "digits", "d", tuple("0123456789"), {"train": 900, "test": IMAGES}, 32)
        cards = tuple(map(card, names))
        asked = {"contenders": names, "studies": ("accuracy", "speed", "structure"), **settings}
        rates = {name: Rates(0.01, 0.03, 1000, measured=False) for name in names}
        self.store = RunStore.create(path)
        self.plan = make_plan(make_request(asked), cards, data, rates, "cpu")
        self.store.add_plan(self.plan)
        self.store.add_units(
            "test", [f"test/{i:04d}" for i in range(IMAGES)], {"label": [i % 10 for i in range(IMAGES)]}
        )

    def cell(self, study: str, contender: str, seed: int = 0) -> Cell:
        of_study = (cell for cell in self.plan.cells if cell.study == study and cell.seed == seed)
        return next(cell for cell in of_study if contender in cell.contenders)

    def observe(
        self,
        study: str,
        contender: str,
        metric: str,
        values: Sequence[float],
        units: Sequence[str] = (),
        seed: int = 0,
    ):
        units = tuple(units) or tuple(f"test/{i:04d}" for i in range(len(values)))
        observed = Observations(contender, metric, units, tuple(map(float, values)))
        self.store.cell(self.cell(study, contender, seed)).append([observed])

    def end(self, study: str = "", error: str = "") -> Made:
        for cell in self.plan.cells:
            if study in ("", cell.study):
                self.store.cell(cell).end(Failed(cell.key, error) if error else Done(cell.key, 1.0, 1))
        return self

    def subject(self, candidate: str = "new", baseline: str = "old", level: float = 0.95) -> Subject:
        return Subject(self.store, self.plan, candidate, baseline, level)


def fill(made: Made, name: str, *, right: float, seconds: float, parameters: float, seed: int) -> None:
    """A contender right on a share of images that overlap between contenders, with steady timings."""
    difficulty = np.random.default_rng(7).permutation(IMAGES)
    answers = (difficulty < right * IMAGES).astype(float)
    noise = np.random.default_rng(seed)
    answers = np.where(noise.random(IMAGES) < 0.02, 1 - answers, answers)
    made.observe("accuracy", name, "top1", answers)
    made.observe("accuracy", name, "confidence", np.clip(0.9 * answers + 0.05 + 0.04 * noise.random(IMAGES), 0, 1))
    made.observe("accuracy", name, "nll", 1 - answers + noise.exponential(0.3, IMAGES))
    blocks = [f"{i:03d}" for i in range(BLOCKS)]
    times = seconds * np.exp(noise.normal(0, 0.03, BLOCKS))
    made.observe("speed", name, "latency", times, blocks)
    calls = np.repeat(times, CALLS) * np.exp(noise.normal(0, 0.05, BLOCKS * CALLS))
    made.observe("speed", name, "latency_raw", calls, [f"{b}/{c}" for b in blocks for c in range(CALLS)])
    made.observe("structure", name, "parameters", [parameters], ["contender"])


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Made]:
    return lambda *names, **settings: Made(tmp_path / "run", names or ("old", "new"), **settings)


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """ "new" is right 8 points more often than "old" and takes twice its time."""
    made = Made(tmp_path_factory.mktemp("two") / "run", ("old", "new"))
    fill(made, "old", right=0.80, seconds=0.010, parameters=20e6, seed=1)
    fill(made, "new", right=0.88, seconds=0.020, parameters=40e6, seed=2)
    return made.end()


@pytest.fixture(scope="session")
def four(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Better ones are slower, two are nearly alike, and one is worse and slower than another."""
    made = Made(tmp_path_factory.mktemp("four") / "run", ("small", "middle", "twin", "waste"))
    fill(made, "small", right=0.70, seconds=0.005, parameters=5e6, seed=1)
    fill(made, "middle", right=0.85, seconds=0.012, parameters=20e6, seed=2)
    fill(made, "twin", right=0.86, seconds=0.013, parameters=21e6, seed=3)
    fill(made, "waste", right=0.72, seconds=0.050, parameters=90e6, seed=4)
    return made.end()
