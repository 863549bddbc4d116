from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import IIDBootstrap
from hypothesis import given, settings
from hypothesis import strategies as st

from netversus.errors import StatisticsError
from netversus.statistics.bootstrap import (
    MOST_DRAWS,
    OfSums,
    bootstrap,
    bootstrap_mean,
    bootstrap_p,
    draws_for,
    percentile_interval,
    two_way_bootstrap,
    weight_chunks,
)
from netversus.statistics.means import paired_t


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    values = np.random.default_rng(0).normal(size=100)
    assert np.array_equal(bootstrap_mean(values, seed=1), bootstrap_mean(values, seed=1))
    assert not np.array_equal(bootstrap_mean(values, seed=1), bootstrap_mean(values, seed=2))


def test_chunks_do_not_change_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate([w.copy() for w in weight_chunks(30, 50, 4)])
    monkeypatch.setattr("netversus.statistics.bootstrap._CHUNK", 100)
    parts = [w.copy() for w in weight_chunks(30, 50, 4)]
    assert len(parts) == 17
    assert np.array_equal(np.concatenate(parts), whole)


def test_no_unit_ever_vanishes() -> None:
    assert all((w > 0).all() for w in weight_chunks(1000, 200, 0))


def test_the_draws_spread_like_the_standard_error_and_like_arch() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=400)
    draws = bootstrap_mean(values, draws=8000, seed=0)
    assert draws.mean() == pytest.approx(values.mean(), rel=0.005)
    assert draws.std() == pytest.approx(values.std(ddof=1) / 20, rel=0.03)
    peer = IIDBootstrap(values, seed=1).conf_int(np.mean, 8000, method="percentile", size=0.95).ravel()
    ours = percentile_interval(values.mean(), draws, 400, 0.95)
    assert [ours.low, ours.high] == pytest.approx(peer, abs=0.1 * (peer[1] - peer[0]))


def test_units_of_a_cluster_share_their_weight() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(50), 8)
    values = rng.normal(size=50)[clusters] + 0.1 * rng.normal(size=400)

    def mean(w: np.ndarray) -> np.ndarray:
        return (w @ values) / w.sum(axis=1)

    apart = bootstrap(mean, 400, draws=4000, seed=0)
    together = bootstrap(mean, 400, draws=4000, seed=0, clusters=clusters)
    means = values.reshape(50, 8).mean(axis=1)
    assert together.std() == pytest.approx(means.std(ddof=1) / np.sqrt(50), rel=0.06)
    assert together.std() > 2 * apart.std()


def test_the_interval_over_clusters_covers_and_one_that_forgets_them_does_not() -> None:
    rng = np.random.default_rng(0)
    clusters, runs = np.repeat(np.arange(30), 6), 300
    hits = {"together": 0, "apart": 0}
    for i in range(runs):
        values = (rng.normal(size=30)[clusters] + 0.3 * rng.normal(size=180)).astype(float)
        for name, groups, n in (("together", clusters, 30), ("apart", None, 180)):
            draws = bootstrap(lambda w, v=values: (w @ v) / w.sum(axis=1), 180, draws=1000, seed=i, clusters=groups)
            effect = percentile_interval(values.mean(), draws, n, 0.9)
            hits[name] += effect.low <= 0 <= effect.high
    noise = 3 * np.sqrt(0.1 * 0.9 / runs)
    assert 0.9 - noise < hits["together"] / runs < 0.9 + noise
    assert hits["apart"] / runs < 0.7


@settings(max_examples=12)
@given(st.lists(st.integers(3, 80), min_size=4, max_size=4))
def test_of_any_table_the_difference_of_proportions_spreads_as_in_arch(table: list[int]) -> None:
    a, b = np.repeat([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]], table, axis=0).T
    ours = bootstrap_mean(b - a, draws=4000, seed=0)
    peer = IIDBootstrap(a, b, seed=0).apply(lambda x, y: y.mean() - x.mean(), 4000)
    assert ours.mean() == pytest.approx(peer.mean(), abs=6 * peer.std() / np.sqrt(4000))
    assert ours.std() == pytest.approx(peer.std(), rel=0.06)


@pytest.mark.parametrize("n", [6, 12, 40])
def test_the_interval_of_few_normal_units_covers_nearly_as_often_as_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    hits = 0
    for i in range(600):
        values = rng.normal(size=n)
        effect = percentile_interval(values.mean(), bootstrap_mean(values, draws=1000, seed=i), n, 0.9)
        hits += effect.low <= 0 <= effect.high
    assert 0.86 < hits / 600 < 0.94  # 0.9 within 3.3 standard errors of the simulation


def test_p_and_percentiles_agree_and_p_is_never_zero() -> None:
    draws = np.random.default_rng(0).normal(2.2, 1, 4000)
    assert bootstrap_p(draws) < 0.05
    assert np.quantile(draws, 0.025) > 0
    assert bootstrap_p(np.ones(1999)) == pytest.approx(2 / 2000)
    assert bootstrap_p(np.zeros(100)) == 1


def test_higher_levels_get_more_draws() -> None:
    assert draws_for(0.95) == 2000
    assert draws_for(0.999) == 50_000
    assert draws_for(1 - 0.05 / 760) == MOST_DRAWS


def test_tails_that_no_number_of_draws_reaches_are_normal():
    """Twenty contenders, four questions: 760 comparisons share the error rate."""
    level = 1 - 0.05 / 760
    values = np.random.default_rng(3).normal(0.5, 1.0, 400)
    draws = bootstrap_mean(values, draws=draws_for(level), seed=0)
    effect, exact = percentile_interval(values.mean(), draws, 400, level), paired_t(values, level)
    assert (effect.low, effect.high) == pytest.approx((exact.effect.low, exact.effect.high), rel=0.03)
    assert bootstrap_p(draws) == pytest.approx(exact.p_value, rel=9)  # far out in the tail: the order of magnitude
    assert bootstrap_p(draws) < 1 - level


def test_over_seeds_and_units_the_variance_has_both_parts() -> None:
    rng = np.random.default_rng(5)
    n, seeds, runs = 300, 4, 200
    made, said = [], []
    for i in range(runs):
        unit = rng.normal(size=n)  # how much harder the image is for B than for A
        a = rng.normal(0, 0.1, (seeds, 1)) + 0.5 * rng.normal(size=(seeds, n))
        b = rng.normal(0, 0.1, (seeds, 1)) + 0.5 * rng.normal(size=(seeds, n)) + unit
        made.append(b.mean() - a.mean())
        said.append(two_way_bootstrap(a, b, draws=400, seed=i).var())
    truth = 2 * 0.01 / seeds + 1 / n + 2 * 0.25 / (seeds * n)
    assert np.var(made) == pytest.approx(truth, rel=0.35)
    assert np.mean(said) == pytest.approx(truth, rel=0.15)


def spread_of(values: np.ndarray) -> OfSums:
    """A statistic of plain sums and of sums under the squares of the weights."""
    ones = np.ones(len(values))

    def of(sums: np.ndarray) -> np.ndarray:
        total, squares, weight, power = sums.T
        mean = total / weight
        return (squares / weight - mean**2) * power / weight**2

    return OfSums(np.column_stack([values, values**2, ones]), of, ones[:, None])


@pytest.mark.parametrize("clustered", [False, True])
def test_a_statistic_of_sums_has_the_law_of_the_same_with_its_weights_held(clustered: bool) -> None:
    values = np.random.default_rng(0).gamma(2.0, size=240)
    clusters = np.repeat(np.arange(60), 4) if clustered else None
    sums = spread_of(values)
    streamed = bootstrap(sums, 240, draws=20_000, seed=0, clusters=clusters)
    held = bootstrap(sums.__call__, 240, draws=20_000, seed=1, clusters=clusters)
    assert streamed.mean() == pytest.approx(held.mean(), abs=5 * held.std() / 100)
    assert streamed.std() == pytest.approx(held.std(), rel=0.05)
    shares = [0.025, 0.25, 0.75, 0.975]
    assert np.quantile(streamed, shares) == pytest.approx(np.quantile(held, shares), abs=0.08 * held.std())


def test_units_of_a_cluster_share_their_weight_in_sums_too() -> None:
    values, clusters = np.arange(6.0), np.array([0, 1, 1, 2, 0, 2])
    weights = np.random.default_rng(0).exponential(size=(5, 3))
    apart, together = spread_of(values), spread_of(values).clustered(clusters)
    assert together.sums(weights)[:, :3] == pytest.approx(apart.sums(weights[:, clusters])[:, :3])
    assert together.sums(weights)[:, 3] == pytest.approx((weights[:, clusters] ** 2).sum(axis=1))


def test_a_single_unit_has_one_mean_in_every_draw() -> None:
    assert bootstrap_mean(np.array([3.5]), draws=50, seed=0) == pytest.approx(np.full(50, 3.5))


def test_the_same_is_drawn_however_many_threads_there_are_and_however_the_units_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).normal(size=5000)
    draws = bootstrap(spread_of(values), 5000, draws=2000, seed=7)
    monkeypatch.setattr("netversus.statistics.bootstrap.cpu_count", lambda: 1)
    assert np.array_equal(bootstrap(spread_of(values), 5000, draws=2000, seed=7), draws)
    monkeypatch.setattr("netversus.statistics.bootstrap._CACHED", 1 << 13)
    assert bootstrap(spread_of(values), 5000, draws=2000, seed=7) == pytest.approx(draws, rel=1e-10)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(StatisticsError, match="over 4 units, not over 5"):
        bootstrap(spread_of(np.arange(4.0)), 5, seed=0)
    with pytest.raises(StatisticsError, match="clusters must be 4"):
        bootstrap(spread_of(np.arange(4.0)), 4, seed=0, clusters=np.zeros(3, dtype=np.intp))
    with pytest.raises(StatisticsError, match="one value a draw"):
        bootstrap(lambda w: w, 5, seed=0)
    with pytest.raises(StatisticsError):
        bootstrap(lambda w: w[:, 0], 5, seed=0, clusters=np.zeros(4, dtype=np.intp))
    with pytest.raises(StatisticsError):
        two_way_bootstrap(np.zeros((1, 5)), np.zeros((3, 5)), seed=0)
    with pytest.raises(StatisticsError):
        two_way_bootstrap(np.zeros((3, 4)), np.zeros((3, 5)), seed=0)
    with pytest.raises(StatisticsError):
        percentile_interval(0.0, np.zeros(10), 1, 0.95)
    with pytest.raises(StatisticsError):
        list(weight_chunks(0, 5, 0))
