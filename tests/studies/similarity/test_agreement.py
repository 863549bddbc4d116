"""Agreement and error consistency beside numbers worked out by hand and scikit-learn's kappa."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from netversus.studies.similarity.agreement import Both


def both(truth: list[int], a: list[int], b: list[int], sure_a: float = 0.5, sure_b: float = 0.4) -> Both:
    said_a, said_b, labels = np.array(a), np.array(b), np.array(truth)
    sure = np.full(len(a), sure_a), np.full(len(a), sure_b)
    return Both(said_a == labels, said_b == labels, said_a, said_b, *sure)


# 10 images: both right 4, only A 2, only B 1, both wrong 3 (twice with the same answer).
TRUTH = [0] * 10
A = [0, 0, 0, 0, 0, 0, 1, 1, 2, 1]
B = [0, 0, 0, 0, 1, 2, 0, 1, 2, 2]


def test_error_consistency_is_what_it_is_by_hand():
    errors = both(TRUTH, A, B).errors
    assert errors.observed == pytest.approx(0.7)
    assert errors.expected == pytest.approx(0.6 * 0.5 + 0.4 * 0.5)
    assert errors.kappa == pytest.approx((0.7 - 0.5) / 0.5)


def test_both_kappas_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, a = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    b = np.where(rng.random(300) < 0.4, a, rng.integers(0, 5, 300))
    seen = both(truth.tolist(), a.tolist(), b.tolist())
    assert seen.answers.kappa == pytest.approx(cohen_kappa_score(a, b))
    assert seen.errors.kappa == pytest.approx(cohen_kappa_score(a == truth, b == truth))


def test_of_those_both_get_wrong_the_same_mistakes_are_counted():
    assert both(TRUTH, A, B).same_mistake == pytest.approx(2 / 3)


def test_where_nobody_is_wrong_there_is_no_consistency_and_no_mistake():
    perfect = both([1, 2, 3], [1, 2, 3], [1, 2, 3])
    assert (perfect.errors.kappa, perfect.same_mistake, perfect.errors_interval()) == (None, None, None)


def test_the_interval_lies_about_the_kappa_and_narrows_with_the_images():
    few, many = both(TRUTH * 4, A * 4, B * 4).errors_interval(), both(TRUTH * 40, A * 40, B * 40).errors_interval()
    assert few is not None
    assert many is not None
    assert few.low < many.low < 0.4 < many.high < few.high


def test_the_surer_one_is_believed_and_on_a_draw_the_first():
    assert both([0, 0], [0, 0], [1, 1], 0.9, 0.8).surer.all()
    assert not both([0, 0], [0, 0], [1, 1], 0.7, 0.8).surer.any()
    assert both([0, 0], [0, 0], [1, 1], 0.8, 0.8).surer.all()
