"""What is said of limiting the depth: no more than the seeds say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from netversus.exhibits import Table, Text
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample
from netversus.studies.training.depth import depth

WHOLE, CUT = "resnet101", "resnet101?stages=3"


@dataclass
class Made:
    """Evidence by (contender, metric, seed)."""

    contenders: Sequence[ContenderCard]
    values: dict[tuple[str, str, int], float] = field(default_factory=dict)

    @property
    def seeds(self) -> Sequence[int]:
        return sorted({seed for _, _, seed in self.values})

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        value = self.values.get((contender, metric, seed or 0))
        unit = "round-001" if metric == "train_time" else "samples-000000320"
        return None if value is None else Sample((unit,), np.array([value]))


@pytest.fixture
def evidence(make_card: Callable[..., ContenderCard]) -> Callable[..., Made]:
    def make(differences: Sequence[float], *, time: float = 0.7, names: tuple[str, str] = (WHOLE, CUT)) -> Made:
        made = Made([make_card(name) for name in names])
        for seed, difference in enumerate(differences):
            for name, top1, seconds in ((names[0], 0.8, 1.0), (names[1], 0.8 + difference, time)):
                made.values[name, "curve_test_top1", seed] = top1
                made.values[name, "curve_train_top1", seed] = 0.95
                made.values[name, "train_time", seed] = seconds
        return made

    return make


def advice(made: Made) -> str:
    (said,) = [x.text for x in depth(made) if isinstance(x, Text)]
    return said


@pytest.mark.parametrize(
    ("differences", "time", "begins"),
    [
        ((0.03, 0.05, 0.04), 0.7, "Limit the depth here"),
        ((-0.001, 0.001, 0.0), 0.7, "Limit the depth here"),  # as good within a point, and faster
        ((-0.001, 0.001, 0.0), 1.1, "Whether to limit the depth is undecided"),  # as good, and slower
        ((-0.05, -0.06, -0.055), 0.7, "Depth pays here"),
        ((-0.05, 0.06, 0.0), 0.7, "Whether to limit the depth is undecided"),
        ((0.05, 0.05), 0.7, f"{CUT} against {WHOLE}: +5.0 points"),
    ],
)
def test_the_advice_is_what_the_seeds_say(evidence, differences: Sequence[float], time: float, begins: str):
    assert advice(evidence(differences, time=time)).startswith(begins)


def test_the_table_has_differences_of_accuracy_and_gap_and_the_ratio_of_times(evidence):
    (table,) = [x for x in depth(evidence((0.03, 0.05, 0.04))) if isinstance(x, Table)]
    (row,) = table.rows
    assert row[:3] == (CUT, WHOLE, 3)
    assert row[3] == pytest.approx(4.0)
    assert row[4] < 4.0 < row[5]
    assert row[6] == pytest.approx(-4.0)  # the train accuracy is the same: what the test gains, the gap loses
    assert row[7] == pytest.approx(0.7)


@pytest.mark.parametrize(
    "names",
    [("resnet50", "resnet101"), ("resnet50", "resnet101?stages=3"), ("resnet50", "resnet50?stages=3&stem=small")],
)
def test_what_is_no_cut_form_of_another_is_not_compared(evidence, names: tuple[str, str]):
    assert list(depth(evidence((0.1, 0.1, 0.1), names=names))) == []
