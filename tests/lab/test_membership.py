"""Membership inference against direct computation, and on confidences whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from netversus.lab.membership import confidence, half, likelihood_ratios, shadow_halves

IDS = tuple(f"train/{n}" for n in range(400))


def test_confidence_is_the_log_odds_of_the_right_class_and_never_infinite():
    logits = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0], [500.0, 0.0, -500.0]])
    labels = np.array([1, 2, 0])
    p = torch.softmax(logits[:2].double(), 1).numpy()[[0, 1], labels[:2]]
    found = confidence(logits, labels)
    assert found[:2] == pytest.approx(np.log(p / (1 - p)))
    assert found[2] == pytest.approx(500)


def test_every_image_is_inside_as_often_as_outside():
    inside = shadow_halves(IDS, 0, 6)
    assert (inside.sum(axis=0) == 3).all()
    assert (inside.sum(axis=1) == 200).all()
    assert half(IDS, 0, "target").sum() == 200
    assert not np.array_equal(inside[0], inside[2])
    with pytest.raises(ValueError, match="pairs"):
        shadow_halves(IDS, 0, 3)


def test_the_ratio_is_that_of_two_normal_densities():
    rng = np.random.default_rng(0)
    inside = shadow_halves(IDS, 0, 8)
    shadows = rng.normal(size=(8, 400)) + 2 * inside
    target = rng.normal(size=400)
    found = likelihood_ratios(target, shadows, inside)
    residuals = {True: [], False: []}
    means = {True: [], False: []}
    for i in range(400):
        for kind in (True, False):
            values = shadows[inside[:, i] == kind, i]
            means[kind].append(values.mean())
            residuals[kind] += list(values - values.mean())
    spread = {kind: np.sqrt(np.sum(np.square(residuals[kind])) / (4 * 400 - 400)) for kind in (True, False)}
    slow = [
        norm.logpdf(target[i], means[True][i], spread[True]) - norm.logpdf(target[i], means[False][i], spread[False])
        for i in range(400)
    ]
    assert found == pytest.approx(slow)


def test_where_members_are_surer_they_are_told_and_where_not_it_is_chance():
    rng = np.random.default_rng(1)
    member, inside = half(IDS, 0, "target"), shadow_halves(IDS, 0, 8)
    hard = rng.normal(scale=3, size=400)  # how hard each image is: what a threshold on the loss cannot see through
    for gap, low, high in ((2.0, 0.85, 1.0), (0.0, 0.40, 0.60)):
        target = hard + gap * member + rng.normal(size=400)
        shadows = hard + gap * inside + rng.normal(size=(8, 400))
        area = roc_auc_score(member, likelihood_ratios(target, shadows, inside))
        assert low < area < high
        if gap:
            assert area > roc_auc_score(member, target) + 0.1


def test_two_shadows_still_give_numbers():
    rng = np.random.default_rng(2)
    inside = shadow_halves(IDS, 0, 2)
    ratios = likelihood_ratios(rng.normal(size=400), rng.normal(size=(2, 400)), inside)
    assert np.isfinite(ratios).all()
