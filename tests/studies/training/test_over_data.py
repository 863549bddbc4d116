"""The power with which error and time change with the data: no more than amounts and seeds say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy.stats import linregress
from statsmodels.stats.weightstats import DescrStatsW

from netversus.exhibits import Chart, Scalar, Table
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample
from netversus.studies.training.over_data import over_data

TITLE = "With which power error and time change with the data"
SHARES = (0.1, 0.25, 0.5, 1.0)


@dataclass
class Made:
    """Evidence by (contender, metric, seed), each a value by unit."""

    contenders: Sequence[ContenderCard]
    values: dict[tuple[str, str, int], Mapping[str, float]] = field(default_factory=dict)

    @property
    def seeds(self) -> Sequence[int]:
        return sorted({seed for _, _, seed in self.values})

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        found = self.values.get((contender, metric, seed or 0))
        return None if found is None else Sample(tuple(found), np.array(list(found.values())))

    def add(self, name: str, seed: int, errors: Mapping[float, float], seconds: float = 0.01) -> None:
        """One seed's trainings: the test error by share, 1 being all images, and the seconds of an image, which grow by a
        hundredth from share to share."""
        for metric, less in (("test_top1", 0.0), ("train_top1", 0.5)):
            top1 = {share: 1 - (1 - less) * error for share, error in errors.items()}
            parts = {f"fraction-{share:g}": value for share, value in top1.items() if share < 1}
            if parts:
                self.values[name, f"fraction_{metric}", seed] = parts
            self.values[name, f"curve_{metric}", seed] = {"samples-000000160": 0.0, "samples-000000320": top1[1.0]}
        paces = {share: seconds * 1.01**place for place, share in enumerate(sorted(errors))}
        rounds = {
            f"fraction-{share:g}/round-00{n}": pace * factor
            for share, pace in paces.items()
            if share < 1
            for n, factor in ((1, 5.0), (2, 1.0), (3, 0.9))  # a slow first round moves no median
        }
        if rounds:
            self.values[name, "fraction_train_time", seed] = rounds
        self.values[name, "train_time", seed] = {f"round-00{n}": paces[1.0] for n in (1, 2, 3)}


@pytest.fixture
def made(make_card: Callable[..., ContenderCard]) -> Made:
    return Made([make_card("A")])


def rows(made: Made) -> dict[tuple[str, str], dict[str, Scalar]]:
    """The table's rows by contender and what was fitted."""
    (table,) = [each for each in over_data(made) if isinstance(each, Table)]
    assert table.title == TITLE
    return {(str(row[0]), str(row[1])): dict(zip(table.columns, row, strict=True)) for row in table.rows}


def noisy(seed: int, shares: Sequence[float] = SHARES) -> dict[float, float]:
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.2)
    return {share: 0.1 * share**-0.3 * float(np.exp(luck + rng.normal(0, 0.03))) for share in shares}


def test_the_exponent_of_the_error_is_scipy_s_with_statsmodels_t_over_the_seeds(made: Made) -> None:
    runs = [noisy(seed) for seed in range(4)]
    for seed, errors in enumerate(runs):
        made.add("A", seed, errors)
    row = rows(made)["A", "test error"]
    slopes = [linregress(np.log(list(errors)), np.log(list(errors.values()))).slope for errors in runs]
    assert row["exponent"] == pytest.approx(np.mean(slopes))
    low, high = (float(end) for end in str(row["95 % interval"]).strip("[]").split(","))
    assert (low, high) == pytest.approx(DescrStatsW(slopes).tconfint_mean(alpha=0.05), abs=6e-4)
    assert low < -0.3 < high
    assert (row["from (% of the images)"], row["to (%)"], row["seeds"]) == (10, 100, 4)


def test_an_exact_power_law_has_no_misfit_and_a_curve_has(made: Made) -> None:
    for seed in range(3):
        made.add("A", seed, {share: 0.1 * share**-0.5 for share in SHARES})
    row = rows(made)["A", "test error"]
    assert row["exponent"] == pytest.approx(-0.5)
    assert row["farthest point off the curve (%)"] == pytest.approx(0, abs=1e-9)
    for seed in range(3):
        made.add("A", seed, {share: 0.2 + 0.01 / share for share in SHARES})  # an error that stays
    assert float(rows(made)["A", "test error"]["farthest point off the curve (%)"] or 0) > 1


def test_the_cost_is_what_was_timed_at_each_share(made: Made) -> None:
    for seed in range(3):
        made.add("A", seed, noisy(seed), seconds=0.01 * (1 + seed))
    row = rows(made)["A", "seconds of training"]
    theirs = linregress(np.log(SHARES), np.log([1.01**place for place in range(4)])).slope
    assert row["exponent"] == pytest.approx(theirs)
    assert str(row["95 % interval"]).startswith("[")


@pytest.mark.parametrize(
    ("shares", "seeds", "why"),
    [
        (SHARES, 2, "fewer than three seeds"),
        (SHARES, 1, "fewer than three seeds"),
        ((0.5, 1.0), 3, "two amounts only, and any two lie on a curve"),
    ],
)
def test_too_few_amounts_or_seeds_have_an_exponent_and_say_why_no_interval(
    made: Made, shares: Sequence[float], seeds: int, why: str
) -> None:
    for seed in range(seeds):
        made.add("A", seed, noisy(seed, shares))
    row = rows(made)["A", "test error"]
    assert row["exponent"] is not None
    assert row["95 % interval"] == why
    assert (row["farthest point off the curve (%)"] is None) == (len(shares) == 2)


def test_where_no_error_is_left_there_is_no_exponent_and_it_is_said_why(made: Made) -> None:
    for seed in range(3):
        made.add("A", seed, noisy(seed) | {1.0: 0.0})
    row = rows(made)["A", "test error"]
    assert row["exponent"] is None
    assert row["95 % interval"] == "no error is left at some amount, and zero has no logarithm"
    assert rows(made)["A", "seconds of training"]["exponent"] is not None


def test_a_contender_without_shares_is_named_beside_those_that_have_them(
    made: Made, make_card: Callable[..., ContenderCard]
) -> None:
    made.contenders = [*made.contenders, make_card("B")]
    for seed in range(3):
        made.add("A", seed, noisy(seed))
        made.add("B", seed, {1.0: 0.1})
    row = rows(made)["B", "test error"]
    assert (row["exponent"], row["95 % interval"]) == (None, "trained from one amount only")
    charts = [each for each in over_data(made) if isinstance(each, Chart)]
    assert [[series.name for series in chart.series] for chart in charts] == [["A"], ["A"]]


def test_without_shares_nothing_is_shown(made: Made) -> None:
    made.add("A", 0, {1.0: 0.1})
    assert list(over_data(made)) == []
