from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, permutation_test

from netversus.statistics.permutation import exchange_test, sign_flip, smallest_p, units_needed


def test_seven_units_cannot_give_less_than_one_in_64() -> None:
    found = sign_flip([1.0, 2, 3, 4, 5, 6, 7], seed=0)
    assert found.exact
    assert found.p_value == found.smallest == smallest_p(7) == 1 / 64


@pytest.mark.parametrize(("alpha", "units"), [(0.05, 6), (0.0625, 5), (0.01, 8)])
def test_the_fewest_units_that_can_reject(alpha: float, units: int) -> None:
    assert units_needed(alpha) == units
    assert smallest_p(units) <= alpha < smallest_p(units - 1)


@pytest.mark.parametrize("seed", range(6))
def test_the_exact_test_agrees_with_scipy(seed: int) -> None:
    values = np.random.default_rng(seed).normal(0.4, 1, 9)
    peer = permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(values, seed=0).p_value == pytest.approx(peer.pvalue)


@settings(max_examples=30)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=8))
def test_the_exact_test_agrees_with_scipy_on_any_differences_with_ties(values: list[int]) -> None:
    d = np.array(values, dtype=float)
    peer = permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(d, seed=0).p_value == pytest.approx(peer.pvalue)


def test_ties_count_as_extreme() -> None:
    assert sign_flip([0.1, -0.1, 0.1, -0.1], seed=0).p_value == 1
    assert sign_flip(np.zeros(8), seed=0).p_value == 1


def test_many_units_are_sampled_near_the_normal_p_and_never_zero() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 60)
    found = sign_flip(values, seed=0)
    assert not found.exact
    z = values.sum() / np.sqrt((values**2).sum())
    assert found.p_value == pytest.approx(2 * norm.sf(z), abs=0.01)
    assert sign_flip(np.ones(60), seed=0).p_value == 1 / 65536


def test_the_size_of_the_test_is_as_declared() -> None:
    rng = np.random.default_rng(0)
    rejected = np.mean([sign_flip(rng.normal(size=8), seed=0).p_value <= 0.05 for _ in range(1500)])
    assert rejected < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1500)


def test_an_exchange_of_any_statistic_is_the_sign_flip_for_means() -> None:
    d = np.array([0.3, -0.2, 0.8, 0.1, 0.4, -0.1])
    by_exchange = exchange_test(lambda s: (1 - 2 * s) @ d / 6, 6, seed=0)
    assert by_exchange.p_value == sign_flip(d, seed=0).p_value
