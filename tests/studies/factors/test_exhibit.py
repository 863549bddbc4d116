from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from netversus.exhibits import Chart, Table, Text
from netversus.records import ContenderCard, DataCard
from netversus.statistics.pairing import Sample
from netversus.studies.factors import FactorsOptions
from netversus.studies.factors.design import design
from netversus.studies.factors.exhibit import analysed, exhibit, gather


@dataclass
class Stored:
    """Evidence that lies in memory: `top1[contender, seed]` is one value a trial."""

    contenders: list[ContenderCard]
    data: DataCard
    units: tuple[str, ...]
    top1: dict[tuple[str, int], np.ndarray]
    seeds: tuple[int, ...] = (0,)
    left_out: set[str] = field(default_factory=set)

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        values = self.top1.get((contender, self.seeds[0] if seed is None else seed))
        if values is None:
            return None
        keep = [i for i, unit in enumerate(self.units) if unit not in self.left_out]
        shown = values if metric == "trial_top1" else np.zeros(len(values))
        return Sample(tuple(self.units[i] for i in keep), shown[keep])

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        return None


@pytest.fixture
def evidence(make_card, data_card):
    def make(trials: int = 16, architecture: float = 0.0, rate: float = 0.0, data: float = 0.0, noise: float = 0.01):
        settings = design(FactorsOptions(trials=trials))
        rng = np.random.default_rng(0)
        top1 = {
            (name, 0): np.array(
                [0.5 + k * architecture + (s.learning_rate > 1e-3) * rate + (s.data == 1) * data for s in settings]
            )
            + noise * rng.normal(size=trials)
            for k, name in enumerate(("shallow", "deep"))
        }
        cards = [make_card("shallow"), make_card("deep")]
        return Stored(cards, data_card, tuple(s.unit for s in settings), top1)

    return make


def words(evidence: Stored) -> str:
    return next(each.text for each in exhibit(evidence) if isinstance(each, Text))


def test_the_factor_that_was_put_in_is_found(evidence) -> None:
    table = analysed(gather(evidence(rate=0.2, architecture=0.05)))
    noise = 0.01**2
    shares = {"learning rate": 0.1**2, "architecture": 0.025**2}
    for name, variance in shares.items():
        assert table.term(name).omega == pytest.approx(variance / (sum(shares.values()) + noise), abs=0.02)
    assert table.term("batch").omega < 0.01


@pytest.mark.parametrize(
    ("effects", "name"),
    [
        ({"rate": 0.2}, "the hyper-parameters"),
        ({"data": 0.2, "rate": 0.03}, "the data set"),
        ({"architecture": 0.2, "data": 0.03}, "the architecture"),
    ],
)
def test_the_answer_names_what_mattered_most(evidence, effects: dict[str, float], name: str) -> None:
    assert f"{name} mattered most" in words(evidence(**effects))
    assert "overlap" not in words(evidence(**effects))


def test_an_order_that_chance_could_turn_is_not_claimed(evidence) -> None:
    assert "their order is not settled" in words(evidence(data=0.1, rate=0.1))
    assert "could be chance" in words(evidence(noise=0.05))


@pytest.mark.parametrize(("trials", "pairs"), [(8, False), (16, True), (32, True)])
def test_pairs_of_factors_are_asked_for_where_the_trials_allow(evidence, trials: int, pairs: bool) -> None:
    table = analysed(gather(evidence(trials, rate=0.1)))
    assert any(" × " in term.name for term in table.terms) == pairs
    assert table.freedom >= 5


def test_an_interrupted_design_is_analysed_as_far_as_it_goes(evidence) -> None:
    stored = evidence(rate=0.2)
    stored.left_out = set(stored.units[:2])
    assert "the hyper-parameters mattered most" in words(stored)
    stored.left_out = set(stored.units[2:])
    assert "cannot be told from these trials" in words(stored)


def test_eight_trials_of_one_contender_are_too_few(evidence) -> None:
    stored = evidence(8, rate=0.2)
    stored.contenders = stored.contenders[:1]
    assert "8 trials are too few" in words(stored)


def test_one_contender_leaves_the_architecture_out(evidence) -> None:
    stored = evidence(rate=0.2)
    stored.contenders = stored.contenders[:1]
    assert "architecture" not in words(stored)
    assert "the hyper-parameters mattered most" in words(stored)


def test_several_seeds_repeat_the_design(evidence) -> None:
    stored = evidence(rate=0.2)
    stored.seeds = (0, 1)
    stored.top1 |= {(name, 1): values + 0.001 for (name, _), values in list(stored.top1.items())}
    assert len(gather(stored).top1) == 64


def test_trials_that_are_all_alike_say_so(evidence) -> None:
    assert "no variation to explain" in words(evidence(noise=0.0))


def test_chart_and_tables_are_whole(evidence) -> None:
    shown = list(exhibit(evidence(rate=0.2)))
    chart = next(each for each in shown if isinstance(each, Chart))
    bars = chart.series[0]
    assert len(bars.x) == len(bars.y) == len(bars.low) == len(bars.high) == 7
    assert all(low <= high for low, high in zip(bars.low, bars.high, strict=True))
    for table in (each for each in shown if isinstance(each, Table)):
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert len(table.formats) == len(table.columns)
