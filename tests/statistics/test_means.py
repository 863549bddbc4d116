from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from netversus.errors import StatisticsError
from netversus.statistics.means import paired_bootstrap, paired_t, rule_of_three, t_is_safe


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


def test_the_rule_of_three_is_about_three_over_n() -> None:
    assert rule_of_three(1000, 0.95) == pytest.approx(3 / 1000, rel=0.01)
    assert rule_of_three(1, 0.95) == pytest.approx(0.95)
