from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from netversus.errors import StatisticsError
from netversus.statistics.means import bounded_bootstrap, mean_test, paired_bootstrap, paired_t, t_is_safe
from netversus.statistics.proportions import clopper_pearson


@pytest.mark.parametrize("n", [2, 5, 50, 5000])
def test_the_t_test_agrees_with_scipy(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(0.2, 1, size=n)
    ours, peer = paired_t(b - a, 0.9), ttest_rel(b, a)
    assert ours.p_value == pytest.approx(peer.pvalue)
    assert (ours.effect.low, ours.effect.high) == pytest.approx(tuple(peer.confidence_interval(0.9)))


def test_no_spread_divides_by_nothing() -> None:
    assert paired_t([0.0, 0.0], 0.95).p_value == 1
    assert paired_t([1.0, 1.0], 0.95).p_value == 0


def test_one_difference_is_refused() -> None:
    with pytest.raises(StatisticsError, match="at least 2"):
        paired_t([1.0], 0.95)


def test_the_bootstrap_is_near_t_where_t_holds() -> None:
    d = np.random.default_rng(0).normal(0.1, 1, 500)
    boot, t = paired_bootstrap(d, 0.95, seed=0), paired_t(d, 0.95)
    width = t.effect.high - t.effect.low
    assert boot.effect.low == pytest.approx(t.effect.low, abs=0.08 * width)
    assert boot.effect.high == pytest.approx(t.effect.high, abs=0.08 * width)
    assert boot.p_value == pytest.approx(t.p_value, abs=0.02)


def test_the_bootstrap_of_skewed_differences_covers_nearly_as_often_as_it_says() -> None:
    """Differences of the NLL have a long tail: there no interval is perfect, but the level is nearly kept."""
    rng = np.random.default_rng(0)
    runs, covered = 250, 0
    truth = np.exp(0.5)
    for i in range(runs):
        found = paired_bootstrap(rng.lognormal(0, 1, 200), 0.95, seed=i).effect
        covered += found.low <= truth <= found.high
    assert 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs) - 0.02 < covered / runs < 0.985


def test_cochrans_rule_trusts_t_for_normal_and_not_for_heavy_tails() -> None:
    rng = np.random.default_rng(0)
    assert t_is_safe(rng.normal(size=100))
    assert not t_is_safe(rng.pareto(1.2, size=100))


def test_of_zeros_and_ones_the_bounded_bootstrap_is_clopper_and_pearson_s_interval() -> None:
    values = np.repeat([1.0, 0.0], [3, 97])
    found, exact = bounded_bootstrap(values, 0.95, bounds=(0, 1), seed=0).effect, clopper_pearson(3, 100, 0.95)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), rel=0.06)  # of 2,000 draws


@pytest.mark.parametrize("gains", [1, 2, 6])
def test_gains_that_no_loss_opposes_have_the_p_of_a_sign_test(gains: int) -> None:
    """An ordinary bootstrap is certain of a single unit: each of its draws is above zero."""
    values = np.repeat([1.0, 0.0], [gains, 400 - gains])
    found = bounded_bootstrap(values, 0.95, bounds=(-1, 1), seed=0)
    assert found.p_value == pytest.approx(2.0 ** (1 - gains), rel=0.25)
    assert paired_bootstrap(values, 0.95, seed=0).p_value < 0.002
    mirrored = bounded_bootstrap(-values, 0.95, bounds=(-1, 1), seed=0)
    assert (mirrored.effect.low, mirrored.p_value) == pytest.approx((-found.effect.high, found.p_value))


@pytest.mark.parametrize("expected", [1.5, 3.67])
def test_the_interval_of_rare_units_misses_them_on_neither_side_too_often(expected: float) -> None:
    """Of 60 units so many differ on average; 3.67 is just where seeing none has a chance of 2.5 %."""
    rng = np.random.default_rng(int(100 * expected))
    runs, n, above, below = 300, 60, 0, 0
    for i in range(runs):
        values = (rng.random(n) < expected / n) * rng.choice([0.5, 1.0], n)
        if np.ptp(values) == 0:
            continue  # `netversus.statistics.constant`
        found = mean_test(values, 0.95, bounds=(0.0, 1.0), seed=i).effect
        below += found.high < 0.75 * expected / n
        above += found.low > 0.75 * expected / n
    most = 0.025 + 3 * np.sqrt(0.025 * 0.975 / runs)
    assert max(above, below) / runs <= most


def test_the_method_fits_the_values() -> None:
    rng = np.random.default_rng(0)
    methods = [
        mean_test(values, 0.95, bounds=bounds, seed=0).method
        for values, bounds in (
            (rng.normal(size=10), None),
            (rng.normal(size=100), None),
            (rng.pareto(1.2, size=100), None),
            (np.arange(100) == 0, (0.0, 1.0)),
        )
    ]
    assert methods[:2] == ["paired t", "paired t"]
    assert methods[2].startswith("paired Bayesian bootstrap, ")
    assert methods[3].startswith("paired Bayesian bootstrap with a unit at either bound, ")
