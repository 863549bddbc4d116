"""A defence that only hides its gradients is told from one that holds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lab.attacks.linear import PLAIN, answers, grey_images, linear, victim_of
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import cascade
from netversus.lab.attacks.draws import keys_of
from netversus.lab.attacks.losses import difference
from netversus.lab.attacks.symptoms import symptoms
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.victim import AVERAGED, Victim
from netversus.lab.evaluation import Room

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


# A contender built to trip each of the others


class _Loud(nn.Module):
    """So sure of itself that the cross-entropy is 0 to the last bit, and its gradient with it."""

    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return 1e6 * self.inner(images)


def test_a_loss_on_a_plateau_is_seen_and_the_ratio_of_logits_climbs_where_it_cannot():
    found = seen(_Loud())
    assert found.loss_stuck > N / 2
    result = cascade(victim_of(_Loud()), IMAGES, LABELS, THREAT, BUDGET, KEYS, attacks=("apgd-ce", "apgd-t"))
    assert int((result.broken_by == 1).sum()) > int((result.broken_by == 0).sum())


class _Moat(nn.Module):
    """Wrong where the mean has risen by an eighth to three eighths of a level; right again, and flat, beyond a half."""

    def forward(self, images):
        risen = 255 * (images.flatten(1).mean(1) - 0.5)
        right = 1 - 8 * risen + 16 * (risen - 0.25).relu() - 8 * (risen - 0.5).relu()
        return torch.stack([right, torch.zeros_like(right)], dim=1)


def test_a_larger_eps_that_misses_what_a_smaller_one_found_is_seen():
    images = IMAGES - IMAGES.flatten(1).mean(1).view(-1, 1, 1, 1) + 0.5
    labels = torch.zeros(N, dtype=torch.int64)
    found = symptoms(victim_of(_Moat()), images, labels, THREAT, Budget(steps=2, queries=2), KEYS, curve=(0.25, 4.0))
    assert found.right_at_eps[0] < found.right_at_eps[1]
    assert found.lost_by_larger > N / 2


class _Locks(nn.Module):
    """Eighteen pixels that only count once those before them were raised: an attack opens one a step."""

    def forward(self, images):
        raised = (images.flatten(1)[:, :18] - 0.5) / THREAT.eps
        opened = (raised.detach() > 0.3).float().cumprod(1)
        before = torch.cat([torch.ones(len(images), 1), opened[:, :-1]], dim=1)
        gained = (raised * before).sum(1)
        return torch.stack([13 - gained, torch.zeros_like(gained)], dim=1)


def test_an_attack_that_would_find_more_with_more_steps_is_seen():
    images, labels = torch.full((N, 3, 8, 8), 0.5), torch.zeros(N, dtype=torch.int64)
    found = symptoms(victim_of(_Locks()), images, labels, THREAT, BUDGET, KEYS, curve=CURVE)
    assert found.steps == (4, 8, 16)
    assert found.right_by_steps[1] - found.right_by_steps[2] > N / 2


def test_an_answer_that_changes_by_itself_is_no_success_of_an_attack_and_is_told():
    class Fickle(nn.Module):
        def forward(self, images):
            return torch.rand(len(images), 5) + 0 * images.flatten(1)[:, :5]

    torch.manual_seed(0)
    labels = torch.zeros(N, dtype=torch.int64)
    found = symptoms(victim_of(Fickle()), IMAGES, labels, THREAT, Budget(steps=1, queries=2), KEYS, curve=CURVE)
    assert found.images > 0
    assert found.changed_at_zero > 0
    assert found.random_outputs == found.images


class _Dropping(nn.Module):
    """A defence that leaves out three pixels in four, others each time."""

    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return self.inner(images * 4 * (torch.rand_like(images) < 0.25))


def test_gradients_of_a_network_that_draws_are_averaged_over_many_passes():
    torch.manual_seed(0)
    exact = victim_of(linear()).gradient(IMAGES, LABELS, difference((LABELS + 1) % 5))[0]
    victim = victim_of(_Dropping())
    one = victim.gradient(IMAGES, LABELS, difference((LABELS + 1) % 5))[0]
    victim.average_if_random(IMAGES, victim.exact(IMAGES))
    many = victim.gradient(IMAGES, LABELS, difference((LABELS + 1) % 5))[0]
    assert victim.passes == AVERAGED
    # independent draws: the variance falls as their number
    assert float((many - exact).square().mean() / (one - exact).square().mean()) == pytest.approx(1 / AVERAGED, rel=0.2)
    honest = victim_of(linear())
    honest.average_if_random(IMAGES, honest.exact(IMAGES))
    assert honest.passes == 1


class Crowd(nn.Module):
    """Whose last digits depend on how many images it is shown at once, as those of kernels do."""

    def __init__(self):
        super().__init__()
        self.inner = linear()

    def forward(self, images):
        return self.inner(images) + 1e-3 * len(images)


def test_a_network_that_is_shown_fewer_at_once_for_want_of_memory_is_not_taken_for_a_random_one():
    room = Room()
    victim = Victim(Crowd(), PLAIN, torch.device("cpu"), room=room)
    before = victim.exact(IMAGES)
    room.shrink(64)
    assert not torch.equal(victim.exact(IMAGES), before)
    victim.average_if_random(IMAGES, before)
    assert victim.passes == 1
    assert not victim.differing(IMAGES, before).any()
