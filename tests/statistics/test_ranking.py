from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from netversus.errors import StatisticsError
from netversus.statistics.estimators import estimator
from netversus.statistics.ranking import area_under_roc, false_positive_rate


def drawn(n: int, seed: int, *, ties: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    outlier = (rng.random(n) < 0.4).astype(float)
    score = rng.normal(size=n) + 0.8 * outlier
    return {"outlier_energy": np.round(score, 1) if ties else score, "outlier": outlier}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_area_is_scikit_learns_with_weights_and_ties(seed: int, ties: bool) -> None:
    inputs = drawn(150, seed, ties=ties)
    weights = np.random.default_rng(seed + 10).exponential(size=(5, 150))
    ours = area_under_roc(inputs, weights)
    for row, value in zip(weights, ours, strict=True):
        peer = roc_auc_score(inputs["outlier"], inputs["outlier_energy"], sample_weight=row)
        assert value == pytest.approx(peer, abs=1e-12)
        assert float(area_under_roc(inputs, row)) == pytest.approx(peer, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_fpr95_is_read_off_scikit_learns_curve(seed: int, ties: bool) -> None:
    inputs = drawn(150, seed, ties=ties)
    weights = np.random.default_rng(seed + 10).exponential(size=(5, 150))
    for row, value in zip(weights, false_positive_rate(inputs, weights), strict=True):
        # Here what belongs is the positive class, and the more so the lower its score.
        wrong, right, _ = roc_curve(
            1 - inputs["outlier"], -inputs["outlier_energy"], sample_weight=row, drop_intermediate=False
        )
        assert value == pytest.approx(wrong[np.argmax(right >= 0.95)], abs=1e-12)


@pytest.mark.parametrize("function", [area_under_roc, false_positive_rate])
def test_a_weight_of_two_is_the_unit_twice(function) -> None:
    inputs = drawn(60, 0, ties=True)
    weights = np.random.default_rng(1).integers(1, 4, 60)
    repeated = {name: np.repeat(values, weights) for name, values in inputs.items()}
    twice = function(repeated, np.ones(weights.sum()))
    assert float(function(inputs, weights.astype(float))) == pytest.approx(float(twice))


def test_perfect_and_useless_scores() -> None:
    outlier = np.array([0.0, 0, 1, 1])
    perfect = {"outlier": outlier, "score": np.array([1.0, 2, 3, 4])}
    useless = {"outlier": outlier, "score": np.ones(4)}
    assert (float(area_under_roc(perfect, np.ones(4))), float(false_positive_rate(perfect, np.ones(4)))) == (1, 0)
    assert (float(area_under_roc(useless, np.ones(4))), float(false_positive_rate(useless, np.ones(4)))) == (0.5, 1)


def test_without_outliers_there_is_no_area() -> None:
    assert np.isnan(area_under_roc({"outlier": np.zeros(3), "score": np.arange(3.0)}, np.ones(3)))


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(StatisticsError, match="expected a score and 'outlier'"):
        area_under_roc({"score": np.ones(2)}, np.ones(2))
    with pytest.raises(StatisticsError, match="same units"):
        area_under_roc({"score": np.ones(2), "outlier": np.ones(3)}, np.ones(2))
    with pytest.raises(StatisticsError, match="0 or 1"):
        area_under_roc({"score": np.ones(2), "outlier": np.full(2, 0.5)}, np.ones(2))
    with pytest.raises(StatisticsError, match="NaN"):
        area_under_roc({"score": np.array([1, np.nan]), "outlier": np.array([0.0, 1])}, np.ones(2))


def test_questions_find_them_by_name() -> None:
    assert estimator("area_under_roc") is area_under_roc
    assert estimator("false_positive_rate") is false_positive_rate
