from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from netversus.errors import StatisticsError
from netversus.statistics.ratios import (
    blocks_of,
    hodges_lehmann,
    log_ratios,
    order_effects,
    percentile,
    ratio,
    signed_rank_p,
)


def pair_means(values: np.ndarray) -> np.ndarray:
    i, j = np.triu_indices(len(values))
    return np.sort((values[i] + values[j]) / 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=6, max_size=45))
def test_the_bisection_finds_what_the_whole_table_holds(values: list[float]) -> None:
    table = pair_means(np.array(values))
    effect = hodges_lehmann(values, 0.9)
    assert effect is not None
    assert effect.estimate == pytest.approx(np.median(table), abs=1e-12)
    assert np.abs(table - effect.low).min() < 1e-12
    assert effect.low <= effect.estimate <= effect.high


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 4), (10, 9), (20, 53), (50, 435)])
def test_the_ends_have_the_published_signed_rank_critical_values(n: int, k: int) -> None:
    # Tables give the largest T rejected at two-sided .05: 0, 3, 8, 52, 434; the k-th pair mean has k = T + 1.
    values = np.random.default_rng(n).normal(size=n)
    table = pair_means(values)
    effect = hodges_lehmann(values, 0.95)
    assert effect is not None
    assert (effect.low, effect.high) == pytest.approx((table[k - 1], table[-k]), abs=1e-12)


def test_the_normal_approximation_takes_over_smoothly(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=60)
    exact = hodges_lehmann(values, 0.95)
    monkeypatch.setattr("netversus.statistics.ratios._EXACT", 10)
    approximate = hodges_lehmann(values, 0.95)
    assert exact is not None
    assert approximate is not None
    assert (approximate.low, approximate.high) == pytest.approx((exact.low, exact.high), abs=5e-3)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_too_few_blocks_have_no_interval(n: int) -> None:
    assert hodges_lehmann(np.arange(n) + 1.0, 0.95) is None
    assert ratio(np.ones(n), np.full(n, 2.0), 0.95) is None


def test_a_ratio_is_b_over_a_and_mirrors() -> None:
    rng = np.random.default_rng(0)
    a = rng.lognormal(0, 0.1, 40)
    b = 1.5 * a * rng.lognormal(0, 0.02, 40)
    there, back = ratio(a, b, 0.95), ratio(b, a, 0.95)
    assert there is not None
    assert back is not None
    assert there.low < 1.5 < there.high
    assert (there.low, there.estimate, there.high) == pytest.approx((1 / back.high, 1 / back.estimate, 1 / back.low))


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(1000):
        effect = hodges_lehmann(rng.standard_t(3, size=12), 0.95)
        assert effect is not None
        hits += effect.low <= 0 <= effect.high
    assert hits / 1000 > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_many_blocks_take_no_table() -> None:
    values = np.random.default_rng(0).normal(size=200_000)  # a table would hold 20 billion means
    effect = hodges_lehmann(values, 0.95)
    assert effect is not None
    assert effect.estimate == pytest.approx(0, abs=0.01)


def test_the_p_agrees_with_scipy_and_survives_zeros() -> None:
    values = np.random.default_rng(0).normal(0.3, 1, 30)
    assert signed_rank_p(values) == pytest.approx(wilcoxon(values).pvalue)
    assert signed_rank_p(np.zeros(5)) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 9).map(lambda x: round(x, 2)), min_size=1, max_size=40),
    st.sampled_from([1, 50, 75, 95, 99, 99.9]),
)
def test_a_percentile_is_numpys_inverted_distribution_with_and_without_weights(
    values: list[float], percent: float
) -> None:
    estimate = percentile(f"percentile_{percent:g}")
    counts = np.random.default_rng(len(values)).integers(1, 4, len(values))  # a weight of 2 is a value seen twice
    weights = np.array([np.ones(len(values)), counts])
    plain, weighted = estimate({"m": np.array(values)}, weights)
    assert plain == np.percentile(values, percent, method="inverted_cdf")
    assert weighted == np.percentile(np.repeat(values, counts), percent, method="inverted_cdf")


@pytest.mark.parametrize("name", ["percentile_", "percentile_0", "percentile_100", "quantile_95", "percentile_-5"])
def test_a_percentile_of_another_name_is_refused(name: str) -> None:
    with pytest.raises(StatisticsError, match="percentile"):
        percentile(name)


def test_a_percentile_refuses_two_inputs_and_values_that_are_no_times() -> None:
    one = np.ones(3)
    with pytest.raises(StatisticsError, match="takes one input, got 2"):
        percentile("percentile_95")({"a": one, "b": one}, one)
    with pytest.raises(StatisticsError, match="1 of 3 units"):
        percentile("percentile_95")({"a": np.array([1.0, 0.0, 2.0])}, one)


def test_a_repetition_belongs_to_the_block_before_its_last_slash() -> None:
    units = ("p0/block-1/rep-0", "p0/block-0/rep-0", "p0/block-1/rep-1", "p1/block-1/rep-0", "alone", "also alone")
    assert blocks_of(units).tolist() == [0, 1, 0, 2, 3, 4]


def test_a_value_that_is_not_positive_is_refused() -> None:
    with pytest.raises(StatisticsError, match="1 of 3 units"):
        log_ratios([1.0, 0.0, 2.0], [1.0, 1.0, 1.0])
    with pytest.raises(StatisticsError, match="paired"):
        log_ratios([1.0, 2.0], [1.0])


def test_order_effects_see_drift_and_memory_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)
    drift = order_effects(np.arange(50) + rng.normal(size=50))
    assert drift.trend > 0.9
    assert drift.trend_p < 1e-6
    assert drift.autocorrelation > 0.8
    noise = order_effects(rng.normal(size=400))
    assert abs(noise.autocorrelation) < 0.15
    assert order_effects(np.ones(5)).trend_p == 1
