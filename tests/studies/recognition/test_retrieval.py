"""Ranks, precision and verification against scikit-learn and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from netversus.studies.recognition import retrieval
from netversus.studies.recognition.retrieval import find, pairs, roc, true_rate_at, unit_length


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    labels, truth = rng.integers(0, 4, 60), rng.integers(0, 4, 23)
    centres = rng.normal(size=(4, 6))
    gallery, queries = (
        unit_length((centres[each] + rng.normal(size=(len(each), 6))).astype(np.float32)) for each in (labels, truth)
    )
    return queries, gallery, labels, truth


def test_average_precision_and_pairs_in_order_are_scikit_learns(problem):
    queries, gallery, labels, truth = problem
    found = find(queries, gallery, labels, truth)
    for i, query in enumerate(queries):
        cosines, alike = gallery @ query, labels == truth[i]
        assert found.precision[i] == pytest.approx(average_precision_score(alike, cosines))
        assert found.verified[i] == pytest.approx(roc_auc_score(alike, cosines))
        order = sorted(range(len(labels)), key=lambda j: -cosines[j])
        assert found.rank[i] == 1 + next(place for place, j in enumerate(order) if alike[j])


def test_a_few_queries_at_a_time_find_what_all_at_once_find(problem, monkeypatch):
    whole = find(*problem)
    monkeypatch.setattr(retrieval, "AT_ONCE", 5)
    parts = find(*problem)
    assert (whole.rank == parts.rank).all()
    assert np.allclose(whole.precision, parts.precision)
    assert np.allclose(whole.verified, parts.verified)


def test_features_that_are_all_equal_put_half_of_the_pairs_in_order():
    ones = unit_length(np.ones((8, 3), dtype=np.float32))
    found = find(ones[:2], ones, np.array([0, 1] * 4), np.array([0, 1]))
    assert found.verified == pytest.approx([0.5, 0.5])


def test_a_feature_of_zeros_stays_zero_and_breaks_nothing():
    assert (unit_length(np.zeros((1, 3), dtype=np.float32)) == 0).all()


def test_pairs_are_one_of_the_class_and_one_of_another_and_follow_from_the_seed(problem):
    queries, gallery, labels, truth = problem
    same, other = pairs(queries, gallery, labels, truth, seed=3)
    for i in range(len(queries)):
        cosines = gallery @ queries[i]
        assert np.isclose(cosines[labels == truth[i]], same[i]).any()
        assert np.isclose(cosines[labels != truth[i]], other[i]).any()
    again = pairs(queries, gallery, labels, truth, seed=3)
    assert (same == again[0]).all()
    assert (other == again[1]).all()
    assert (same != pairs(queries, gallery, labels, truth, seed=4)[0]).any()


def test_the_roc_curve_is_scikit_learns():
    rng = np.random.default_rng(1)
    same = rng.random(80) < 0.4
    scores = np.round(same + rng.normal(size=80), 1)  # with ties
    false, true = roc(scores, same)
    wanted_false, wanted_true, _ = roc_curve(same, scores, drop_intermediate=False)
    assert np.allclose(false, wanted_false)
    assert np.allclose(true, wanted_true)


def test_the_true_rate_at_a_false_rate_never_accepts_more_than_that():
    false, true = np.array([0, 0, 0.02, 1]), np.array([0, 0.3, 0.9, 1])
    assert true_rate_at(false, true, 0.01) == 0.3
    assert true_rate_at(false, true, 0.02) == 0.9
