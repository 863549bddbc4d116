from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.power import TTestIndPower, TTestPower

from netversus.errors import StatisticsError
from netversus.statistics.means import paired_t
from netversus.statistics.permutation import sign_flip
from netversus.statistics.power import (
    blocks_for_ratio,
    blocks_for_signed_rank,
    further_seeds,
    further_units,
    images_for_proportions,
    seeds_for_recipes,
    sequences_for_means,
    units_for_means,
)
from netversus.statistics.proportions import mcnemar_mid_p
from netversus.statistics.ratios import signed_rank_p


@pytest.mark.parametrize(
    ("gap", "power", "n"), [(0.0124, 0.8, 6124), (0.0124, 0.9, 8197), (0.0103, 0.8, 8876), (0.0103, 0.9, 11881)]
)
def test_images_for_a_gap_at_12_percent_disagreement(gap: float, power: float, n: int) -> None:
    assert images_for_proportions(gap, 0.12, power=power) == pytest.approx(n, abs=1)
    assert images_for_proportions(-gap, 0.12, power=power) == images_for_proportions(gap, 0.12, power=power)


def test_so_many_images_give_mcnemar_the_power_asked_for() -> None:
    n = images_for_proportions(0.03, 0.12)
    rng = np.random.default_rng(0)
    cells = rng.multinomial(n, [0.075, 0.045, 0.88], size=2000)
    power = np.mean([mcnemar_mid_p(b, c) <= 0.05 for b, c, _ in cells.tolist()])
    assert power == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("effect", [0.15, 0.4, 1.0, 3.0])
def test_units_for_means_agree_with_statsmodels(effect: float) -> None:
    n = units_for_means(effect * 2, 2.0, power=0.9)
    peer = TTestPower()
    assert peer.power(effect, n, 0.05) >= 0.9
    assert n == 2 or peer.power(effect, n - 1, 0.05) < 0.9


def test_so_many_sequences_give_the_sign_flip_test_nearly_the_power_asked_for() -> None:
    n = sequences_for_means(0.03, 0.03)
    assert n < 20  # so few that the test is a sign-flip
    rng = np.random.default_rng(0)
    power = np.mean([sign_flip(rng.normal(0.03, 0.03, n), seed=0).p_value <= 0.05 for _ in range(600)])
    assert power == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(("level", "least"), [(0.95, 6), (0.99, 8)])
def test_never_fewer_sequences_than_can_reject(level: float, least: int) -> None:
    assert sequences_for_means(1.0, 0.01, level=level) == least


@pytest.mark.parametrize("effect", [0.5, 1.0, 2.0])
def test_seeds_agree_with_statsmodels(effect: float) -> None:
    n = seeds_for_recipes(effect, 1.0)
    peer = TTestIndPower()
    assert peer.power(effect, n, 0.05) >= 0.8
    assert n == 3 or peer.power(effect, n - 1, 0.05) < 0.8


def test_never_fewer_than_three_seeds() -> None:
    assert seeds_for_recipes(100.0, 1.0) == 3


def test_noethers_formula() -> None:
    # (1.96 + 0.84)^2 / (3 * 0.3^2) = 29.07, printed as 29 in tables that round.
    assert sum(norm.isf([0.025, 0.2])) ** 2 / (3 * 0.09) == pytest.approx(29.07, abs=0.01)
    assert blocks_for_signed_rank(0.8) == blocks_for_signed_rank(0.2) == 30
    assert blocks_for_signed_rank(1.0) == 11
    assert blocks_for_signed_rank(1.0, power=0.1) == 6  # fewer could never reject


def test_so_many_blocks_give_the_signed_rank_test_the_power_asked_for() -> None:
    n = blocks_for_ratio(1.05, 0.1)
    rng = np.random.default_rng(0)
    power = np.mean([signed_rank_p(rng.normal(np.log(1.05), 0.1, n)) <= 0.05 for _ in range(1000)])
    assert power == pytest.approx(0.8, abs=0.05)


def test_so_many_further_units_decide_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    first = paired_t(rng.normal(size=200), 0.95).effect
    half = (first.high - first.low) / 2
    more = further_units(200, 0.1, half, 0.0, level=0.95)
    assert more is not None
    decided = [paired_t(rng.normal(0.1, 1, 200 + more), 0.95).effect.low > 0 for _ in range(400)]
    assert np.mean(decided) == pytest.approx(0.8, abs=0.08)


def test_a_margin_always_gives_an_end_and_no_margin_with_no_gap_never() -> None:
    assert further_units(100, 0.0, 0.05, 0.01, level=0.95) is not None
    assert further_units(100, 0.0, 0.05, 0.0, level=0.95) is None
    assert further_units(100, 1e-12, 0.05, 0.0, level=0.95) is None


def test_seeds_help_only_against_the_variance_of_seeds() -> None:
    assert further_seeds(3, 0.02, 0.02, 0.02**2, 0.0, level=0.95) == pytest.approx(3 * (2.8 * 1) ** 2 - 3, abs=1)
    assert further_seeds(3, 0.02, 0.02, 0.01**2, 0.0, level=0.95) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: images_for_proportions(0.0, 0.1),
        lambda: images_for_proportions(0.2, 0.1),
        lambda: units_for_means(0.0, 1.0),
        lambda: units_for_means(1.0, 0.0),
        lambda: sequences_for_means(0.0, 1.0),
        lambda: seeds_for_recipes(0.01, -1.0),
        lambda: blocks_for_signed_rank(1.5),
        lambda: blocks_for_ratio(1.0, 0.1),
        lambda: blocks_for_ratio(-1.0, 0.1),
        lambda: blocks_for_signed_rank(0.5),
        lambda: images_for_proportions(0.01, 0.1, level=1.0),
        lambda: images_for_proportions(0.01, 0.1, power=0.0),
        lambda: units_for_means(1e-9, 1.0),
    ],
)
def test_questions_without_an_answer_are_refused(call: object) -> None:
    with pytest.raises(StatisticsError):
        call()  # type: ignore[operator]


def test_seeds_that_do_not_scatter_leave_nothing_for_more_seeds_to_decide() -> None:
    assert further_seeds(3, 0.0, 0.0, 0.0, 0.01, level=0.95) is None
    assert further_seeds(3, 0.0, 0.02, 0.0004, 0.01, level=0.95) is not None
