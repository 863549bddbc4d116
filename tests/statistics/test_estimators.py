from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from netversus.errors import StatisticsError
from netversus.statistics.bootstrap import bootstrap
from netversus.statistics.estimators import (
    ESTIMATORS,
    debiased_squared_calibration_error,
    difference_of,
    estimator,
    expected_calibration_error,
)

CALIBRATION = tuple(name for name in ESTIMATORS if "calibration" in name)  # of confidence and top1


def by_hand(confidence: np.ndarray, right: np.ndarray) -> float:
    """The loop of Guo et al.'s published code."""
    edges = np.linspace(0, 1, 16)
    total = 0.0
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def drawn(n: int, seed: int, shift: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    confidence = rng.beta(4, 2, n)
    right = (rng.random(n) < np.clip(confidence - shift, 0, 1)).astype(float)
    return {"confidence": confidence, "top1": right}


@pytest.mark.parametrize("seed", range(4))
def test_ece_agrees_with_the_published_loop(seed: int) -> None:
    inputs = drawn(500, seed, 0.1)
    ours = expected_calibration_error(inputs, np.ones(500))
    assert float(ours) == pytest.approx(by_hand(inputs["confidence"], inputs["top1"]))


@pytest.mark.parametrize("name", CALIBRATION)
def test_a_weight_of_two_is_the_unit_twice(name: str) -> None:
    inputs = drawn(60, 0)
    weights = np.random.default_rng(1).integers(1, 4, 60)
    repeated = {k: np.repeat(v, weights) for k, v in inputs.items()}
    if name == "expected_calibration_error":
        once = ESTIMATORS[name](repeated, np.ones(weights.sum()))
        assert float(ESTIMATORS[name](inputs, weights.astype(float))) == pytest.approx(float(once))
    scaled = ESTIMATORS[name](inputs, weights * 7.0)
    assert float(scaled) == pytest.approx(float(ESTIMATORS[name](inputs, weights.astype(float))))


@pytest.mark.parametrize("name", CALIBRATION)
def test_many_rows_of_weights_are_many_single_ones(name: str) -> None:
    inputs = drawn(50, 3)
    weights = np.random.default_rng(0).exponential(size=(4, 50))
    rows = [float(ESTIMATORS[name](inputs, w)) for w in weights]
    assert ESTIMATORS[name](inputs, weights).tolist() == pytest.approx(rows)


def test_of_a_calibrated_model_the_ece_is_biased_upwards_and_the_debiased_one_is_not() -> None:
    plain = [expected_calibration_error(drawn(400, s), np.ones(400)) for s in range(150)]
    debiased = [debiased_squared_calibration_error(drawn(400, s), np.ones(400)) for s in range(150)]
    assert np.mean(plain) > 0.035
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / np.sqrt(150)
    assert abs(np.mean(debiased)) < 0.1 * np.mean(np.square(plain))


def test_of_a_badly_calibrated_model_both_give_the_gap() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.4, 0.95, 50_000)
    inputs = {"confidence": confidence, "top1": (rng.random(50_000) < confidence - 0.15).astype(float)}
    assert float(expected_calibration_error(inputs, np.ones(50_000))) == pytest.approx(0.15, abs=0.008)
    squared = debiased_squared_calibration_error(inputs, np.ones(50_000))
    assert float(squared) == pytest.approx(0.15**2, abs=0.0025)


def test_under_a_bootstrap_the_debiased_error_stays_where_it_was() -> None:
    inputs, ones = drawn(2000, 1), np.ones(2000)
    here = float(debiased_squared_calibration_error(inputs, ones))
    draws = bootstrap(lambda w: debiased_squared_calibration_error(inputs, w), 2000, draws=2000, seed=0)
    added_noise = 0.25 * 15 / 2000  # what the weights' own noise would add to the uncorrected square
    assert abs(draws.mean() - here) < 0.1 * added_noise


def test_confidence_zero_and_one_have_a_bin() -> None:
    inputs = {"confidence": np.array([0.0, 1.0]), "top1": np.array([0.0, 1.0])}
    assert float(expected_calibration_error(inputs, np.ones(2))) == 0
    assert float(debiased_squared_calibration_error(inputs, np.ones(2))) == 0


@pytest.mark.parametrize("name", ["expected_calibration_error", "debiased_squared_calibration_error"])
def test_the_difference_of_two_is_that_of_each_alone(name: str) -> None:
    function, a, b = estimator(name), drawn(300, 1), drawn(300, 2)
    weights = np.random.default_rng(0).exponential(size=(7, 300))
    apart = function(b, weights) - function(a, weights)
    assert difference_of(function, a, b)(weights) == pytest.approx(apart, rel=1e-12, abs=1e-15)


def test_the_difference_of_two_refuses_what_each_alone_refuses() -> None:
    good, bad = drawn(20, 0), {"confidence": np.full(20, 1.5), "top1": np.ones(20)}
    with pytest.raises(StatisticsError, match="must lie in"):
        difference_of(debiased_squared_calibration_error, good, bad)
    with pytest.raises(StatisticsError, match="same units"):
        difference_of(debiased_squared_calibration_error, good, {**good, "confidence": np.ones(3)})


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(StatisticsError, match="did you mean expected_calibration_error"):
        estimator("expected_calibration_eror")
    assert estimator("expected_calibration_error") is expected_calibration_error


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(StatisticsError, match="needs the input 'top1'"):
        expected_calibration_error({"confidence": np.ones(2)}, np.ones(2))
    with pytest.raises(StatisticsError, match="same units"):
        expected_calibration_error({"confidence": np.ones(2), "top1": np.ones(3)}, np.ones(2))
    with pytest.raises(StatisticsError, match=r"\[0, 1\]"):
        expected_calibration_error({"confidence": np.array([1.5]), "top1": np.ones(1)}, np.ones(1))
