"""A defence that only hides its gradients is told from one that holds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lab.attacks.linear import answers, grey_images, linear, victim_of
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import cascade
from netversus.lab.attacks.draws import keys_of
from netversus.lab.attacks.symptoms import symptoms
from netversus.lab.attacks.threat import Threat

N = 16
CURVE = (0.25, 1.0, 4.0)
BUDGET = Budget(steps=16, targets=4, queries=1500)
IMAGES = grey_images(N)
LABELS, KEYS = answers(linear(), IMAGES), keys_of([str(i) for i in range(N)], 0)
THREAT = Threat("linf", 0.05)


class Rounded(nn.Module):
    """Hides its gradients: pixels in steps of 1/64, which have a gradient of 0 everywhere."""

    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return self.inner((images * 64).round() / 64)


class Noisy(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return self.inner(images + 0.001 * torch.randn_like(images))


def seen(model, budget=BUDGET, labels=LABELS):
    return symptoms(victim_of(model), IMAGES, labels, THREAT, budget, KEYS, curve=CURVE)


def test_an_honest_victim_has_no_symptom():
    found = seen(linear())
    assert found.images == N
    assert found.changed_at_zero == found.lost_by_larger == found.right_at_large == 0
    assert found.no_gradient == found.loss_stuck == found.random_outputs == found.square_alone == 0
    assert found.zero_share == 0
    assert not found.probabilities
    assert list(found.right_at_eps) == sorted(found.right_at_eps, reverse=True)


def test_hidden_gradients_are_seen_and_square_gets_through_where_pgd_fails():
    labels = answers(Rounded(), IMAGES)
    found = seen(Rounded(), labels=labels)
    assert found.no_gradient == found.images > 0.8 * N  # the rounding itself turns an answer or two
    assert found.zero_share == 1
    assert found.square_alone > 0
    result = cascade(
        victim_of(Rounded()), IMAGES, labels, THREAT, BUDGET, KEYS, attacks=("fgsm", "pgd", "apgd-ce", "square")
    )
    assert int((result.broken_by == 3).sum()) > int((result.broken_by < 3).sum())


def test_probabilities_in_place_of_logits_are_seen():
    assert seen(nn.Sequential(linear(), nn.Softmax(1))).probabilities


def test_outputs_that_vary_are_seen():
    assert seen(Noisy(), Budget(steps=2, queries=2)).random_outputs == N


def test_images_that_the_victim_gets_wrong_are_left_out():
    wrong = (LABELS + 1) % 5
    found = symptoms(victim_of(linear()), IMAGES, wrong, THREAT, BUDGET, KEYS, curve=CURVE)
    assert found.images == 0
    assert found.right_at_eps == (0, 0, 0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_constant_answer_survives_the_largest_eps_and_is_told_so(norm):
    class Stubborn(nn.Module):
        def forward(self, images):
            return torch.cat([images.flatten(1)[:, :4] * 1e-3, 5 + images.flatten(1).mean(1, keepdim=True)], dim=1)

    labels = torch.full((N,), 4)
    found = symptoms(
        victim_of(Stubborn()), IMAGES, labels, Threat(norm, 0.05), Budget(steps=4, queries=20), KEYS, curve=CURVE
    )
    assert found.right_at_large == N
