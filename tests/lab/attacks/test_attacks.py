"""The attacks against a linear victim, whose nearest wrong answers are known; and what they must never do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

import tiny_nets
from lab.attacks.linear import PLAIN, SIDE, answers, exact_distance, grey_images, linear, victim_of
from netversus.errors import CellError, DataError, OptionError
from netversus.lab.attacks.apgd import windows
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import ATTACKS, cascade, run_attack
from netversus.lab.attacks.draws import keys_of, uniform
from netversus.lab.attacks.fab import fab_t, to_plane
from netversus.lab.attacks.rows import advance
from netversus.lab.attacks.square import HALVED_AT, share_at
from netversus.lab.attacks.threat import NORMS, Threat
from netversus.lab.attacks.verify import SLACK, verify
from netversus.lab.attacks.victim import Victim
from netversus.lab.evaluation import predict
from netversus.lab.preprocessing import normalise
from netversus.records import Preprocessing

N = 12
SHORT = Budget(steps=20, targets=4, queries=300)


@pytest.fixture(scope="module")
def victim():
    return victim_of(linear())


@pytest.fixture(scope="module")
def images():
    return grey_images(N)


@pytest.fixture(scope="module")
def labels(images):
    return answers(linear(), images)


@pytest.fixture(scope="module")
def keys():
    return keys_of([str(i) for i in range(N)], 0)


@pytest.mark.parametrize("norm", NORMS)
def test_the_worst_case_over_the_attacks_is_the_exact_robust_accuracy_of_a_linear_victim(
    victim, images, labels, keys, norm
):
    exact = exact_distance(linear(), images, norm)
    eps = float(exact.median()) * 1.0001
    found = cascade(victim, images, labels, Threat(norm, eps), SHORT, keys)
    near = (exact - eps).abs() < 0.002 * eps  # what lies on the boundary may fall on either side
    assert torch.equal(found.right[~near], (exact > eps)[~near])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("attack", "classes"), [("pgd", 2), ("apgd-ce", 2), ("apgd-t", 2), ("fab-t", 2), ("apgd-t", 5), ("fab-t", 5)]
)
def test_a_white_box_attack_reaches_the_nearest_wrong_answer_of_a_linear_victim(images, keys, norm, attack, classes):
    # with more than two classes the cross-entropy leads away from all others at once, not to the nearest
    model = linear(classes=classes)
    victim, labels, exact = victim_of(model), answers(model, images), exact_distance(model, images, norm)
    for row in range(4):
        # steps of one length come near, and no nearer
        threat = Threat(norm, float(exact[row]) * (1.1 if attack == "pgd" else 1.02))
        one = slice(row, row + 1)
        found = run_attack(attack, victim, images[one], labels[one], threat, replace(SHORT, short_steps=40), keys[one])
        assert bool(verify(victim, images[one], found, labels[one], threat))


@pytest.mark.parametrize("norm", NORMS)
def test_fab_finds_the_smallest_distance_of_a_linear_victim(victim, images, labels, keys, norm):
    budget = Budget(steps=20, targets=4, to_the_end=True)
    exact = exact_distance(linear(), images, norm)
    found = fab_t(victim, images, labels, Threat(norm, 0.0), budget, keys)
    assert bool((answers(linear(), found) != labels).all())
    np.testing.assert_allclose(Threat(norm, 1.0).distance(found, images), exact, rtol=0.01)


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_is_found_below_the_exact_distance(victim, images, labels, keys, norm):
    threat = Threat(norm, float(exact_distance(linear(), images, norm).min()) * 0.98)
    for attack in ATTACKS:
        found = run_attack(attack, victim, images, labels, threat, SHORT, keys)
        assert not bool(verify(victim, images, found, labels, threat).any()), attack


@pytest.mark.parametrize("norm", NORMS)
def test_square_finds_without_gradients_what_lies_well_within_eps(victim, images, labels, keys, norm):
    exact = exact_distance(linear(), images, norm)
    threat = Threat(norm, float(exact.max()) * (4 if norm == "linf" else 3))
    found = run_attack("square", victim, images, labels, threat, Budget(queries=2000), keys)
    assert float(verify(victim, images, found, labels, threat).float().mean()) >= 0.9


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_found_for_an_image_does_not_depend_on_those_beside_it(attack, norm):
    torch.manual_seed(3)
    victim = victim_of(tiny_nets.wide(), PLAIN)
    images = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    labels = victim.exact(images).argmax(1)
    keys = keys_of([str(i) for i in range(40)], 0)
    far = 8 if attack == "square" else 1  # a random search finds nothing so near in so few queries
    threat, budget = Threat(norm, far * (0.02 if norm == "linf" else 0.3)), Budget(steps=8, targets=2, queries=40)
    together = run_attack(attack, victim, images, labels, threat, budget, keys)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))[:7]
    apart = run_attack(attack, victim, images[order], labels[order], threat, budget, keys[order])
    assert torch.equal(together[order], apart)
    assert not torch.equal(together, images)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_hands_in_only_what_is_allowed(attack):
    victim = victim_of(tiny_nets.narrow(), PLAIN)
    images = torch.rand(9, 3, 16, 16).round()  # at the edges of [0, 1]
    labels, keys = victim.exact(images).argmax(1), keys_of("abcdefghi", 0)
    for norm, eps in (("linf", 0.05), ("l2", 0.5)):
        found = run_attack(attack, victim, images, labels, Threat(norm, eps), SHORT, keys)
        assert torch.isfinite(found).all()
        assert float(found.min()) >= 0
        assert float(found.max()) <= 1
        wrong = victim.exact(found).argmax(1) != labels
        away = Threat(norm, eps).distance(found, images)
        assert attack == "fab-t" or bool((away <= eps + SLACK).all())
        assert int(verify(victim, images, found, labels, Threat(norm, eps)).sum()) == int(
            (wrong & (away <= eps + SLACK)).sum()
        )


# What counts


def test_verification_catches_what_lies_outside_eps_or_the_range_or_is_no_number(victim, images, labels):
    exact = exact_distance(linear(), images, "linf")
    threat = Threat("linf", float(exact.max()) * 1.5)
    rivals = victim.exact(images).topk(2, dim=1).indices[:, 1]
    weight = linear()[-1].weight.detach()
    ways = (weight[rivals] - weight[labels]).sign().view(images.shape)
    honest = (images + threat.eps * ways).clamp(0, 1)
    assert bool(verify(victim, images, honest, labels, threat).all())
    for cheat in (
        (images + 1.01 * threat.eps * ways).clamp(0, 1),
        torch.where(torch.arange(SIDE) == 0, torch.nan, honest),
        torch.where(torch.arange(SIDE) == 0, -1e-7, honest),
        torch.where(torch.arange(SIDE) == 0, 1 + 1e-6, honest),
        images,
        honest.double(),
    ):
        assert not bool(verify(victim, images, cheat, labels, threat).any())


def test_verification_shows_the_contender_what_the_accuracy_study_shows_it():
    prepared = Preprocessing(crop=16, resize=None, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    torch.manual_seed(0)
    model = tiny_nets.wide().eval()
    pixels = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    said = Victim(model, prepared, torch.device("cpu")).exact(pixels.float().div(255))
    assert torch.equal(said, predict(model, normalise(pixels, prepared)))


def test_what_the_search_takes_for_a_success_counts_only_if_the_contender_itself_is_fooled(images, labels, keys):
    victim = victim_of(linear())
    victim._copy[-1].bias.data += 100 * torch.eye(5)[int(labels[0]) - 1]  # the copy is wrong on everything
    found = cascade(victim, images, labels, Threat("linf", 1e-6), SHORT, keys)
    assert bool(found.right.all())


def test_a_search_in_bfloat16_is_verified_and_what_is_left_is_searched_again(victim, images, labels, keys):
    eps = float(exact_distance(linear(), images, "linf").median()) * 1.0001
    plain, low = (
        cascade(victim, images, labels, Threat("linf", eps), budget, keys, attacks=("apgd-t",))
        for budget in (Budget(steps=20, targets=4), Budget(steps=20, targets=4, bfloat16=True))
    )
    assert torch.equal(plain.right, low.right)
    assert victim.bfloat16 is False


# The cascade


def test_a_cascade_names_who_turned_each_image_and_leaves_the_wrong_ones_alone(victim, images, labels, keys):
    truth = labels.clone()
    truth[0] = (truth[0] + 1) % 5
    found = cascade(victim, images, truth, Threat("linf", 0.2), SHORT, keys, attacks=("fgsm", "square"))
    assert found.broken_by[0] == -1
    assert torch.equal(found.candidates[0], images[0])
    assert (found.broken_by[1:] == 0).all()
    assert not found.right.any()
    assert len(found.seconds) == 2


def test_with_eps_nought_nothing_is_turned(victim, images, labels, keys):
    assert bool(cascade(victim, images, labels, Threat("l2", 0.0), SHORT, keys).right.all())


def test_an_image_is_attacked_until_it_is_done_and_the_next_takes_its_place():
    state = {"left": torch.tensor([3, 1, 4, 1, 5]), "steps": torch.zeros(5, dtype=torch.int64)}
    calls = []

    def step(rows):
        rows["left"], rows["steps"] = rows["left"] - 1, rows["steps"] + 1
        calls.append(len(rows["left"]))
        return rows["left"] == 0

    assert advance(state, step, 2)["steps"].tolist() == [3, 1, 4, 1, 5]
    assert set(calls) == {2}
    assert len(calls) < 14 / 2 + 5  # one by one it would be 14


# The parts


def test_the_windows_of_auto_pgd_are_those_of_the_paper():
    assert windows(100) == (22, 19, 16, 13, 10, 7, 6, 6)  # checkpoints 22, 41, 57, 70, 80, 87, 93, 99


def test_the_squares_shrink_as_the_paper_has_it():
    assert share_at(0, 5000) == 0.8
    assert share_at(4999, 5000) == 0.8 / 2 ** len(HALVED_AT)
    assert share_at(26, 5000) == share_at(52, 10_000) == 0.2


@pytest.mark.parametrize("norm", NORMS)
def test_the_projection_on_a_plane_within_the_box_is_the_nearest_point(norm):
    generator = torch.Generator().manual_seed(2)
    points = torch.rand(6, 3, 1, 2, generator=generator)
    gradient = torch.randn(6, 3, 1, 2, generator=generator)
    gap = torch.tensor([0.2, -0.3, 0.8, -0.9, 0.05, 0.4])
    found = to_plane(points, gradient, gap, Threat(norm, 0.0))
    for row in zip(points, gradient, gap, found, strict=True):
        x, w, b, z = (each.flatten().double().numpy() for each in row)
        if abs(b[0]) > np.abs(w * np.where(-np.sign(b) * w > 0, 1 - x, x)).sum():
            continue  # the plane does not meet [0, 1]
        assert abs(b[0] + w @ (z - x)) < 1e-5
        mine = np.abs(z - x).max() if norm == "linf" else np.linalg.norm(z - x)
        assert mine <= slowly(x, w, b[0], norm) + 1e-4


def slowly(x, w, b, norm):
    """The least distance to the plane by a general solver, with the largest change as one more variable for l-inf."""
    k = len(x)
    limits = [{"type": "eq", "fun": lambda v: b + w @ (v[:k] - x)}]
    if norm == "linf":
        limits += [{"type": "ineq", "fun": lambda v, s=s: v[k] + s * (v[:k] - x)} for s in (-1, 1)]
    size = (lambda v: v[k]) if norm == "linf" else (lambda v: ((v[:k] - x) ** 2).sum())
    found = minimize(size, np.append(x, 0.5), bounds=[(0, 1)] * (k + 1), constraints=limits, method="SLSQP")
    return found.fun if norm == "linf" else found.fun**0.5


def test_the_draws_of_an_image_are_uniform_and_its_own():
    keys = keys_of([str(i) for i in range(64)], 0)
    draws = uniform(keys, 3, 4000)
    assert torch.equal(draws[5], uniform(keys[5:6], 3, 4000)[0])
    assert torch.equal(draws[5], uniform(keys[5:6], torch.tensor([3]), 4000)[0])
    assert not torch.equal(draws, uniform(keys, 4, 4000))
    assert float(draws.min()) >= 0
    assert float(draws.max()) < 1
    assert abs(float(draws.mean()) - 0.5) < 0.004
    assert abs(float(draws.var()) - 1 / 12) < 0.002
    assert float(np.abs(np.corrcoef(draws.numpy()) - np.eye(64)).max()) < 0.1


# What is refused


@pytest.mark.parametrize(
    ("norm", "eps", "words"),
    [("linf", -0.1, "eps must be 0 or more"), ("linf", float("nan"), "eps"), ("l7", 0.1, "norm must be one of")],
)
def test_a_threat_that_cannot_be_is_refused(norm, eps, words):
    with pytest.raises(OptionError, match=words):
        Threat(norm, eps)


def test_images_that_were_normalised_already_are_refused(victim, images, labels, keys):
    for bad in (images * 4 - 2, images * 255, torch.full_like(images, torch.nan)):
        with pytest.raises(DataError, match=r"pixels in \[0, 1\]"):
            run_attack("fgsm", victim, bad, labels, Threat("linf", 0.1), SHORT, keys)


def test_labels_out_of_range_are_refused(victim, images, labels, keys):
    for bad in (labels - 5, labels + 5):
        with pytest.raises(DataError, match="labels must be 0 to 4"):
            cascade(victim, images, bad, Threat("linf", 0.1), SHORT, keys)


def test_a_victim_that_gives_nan_is_refused(images, labels, keys):
    model = linear()
    model[-1].bias.data[0] = torch.nan
    with pytest.raises(CellError, match="NaN or infinite outputs"):
        run_attack("fgsm", victim_of(model), images, labels, Threat("linf", 0.1), SHORT, keys)


class _Detached(nn.Module):
    def forward(self, images):
        return images.detach().flatten(1)[:, :5]


class _Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.arange(5.0))

    def forward(self, images):
        return self.logits.expand(len(images), 5)


@pytest.mark.parametrize("model", [_Detached(), _Constant()])
def test_a_victim_without_gradients_is_refused_by_name(model, images, keys):
    victim = victim_of(model)
    labels = victim.exact(images).argmax(1)
    with pytest.raises(CellError, match="gave no gradient"):
        run_attack("fgsm", victim, images, labels, Threat("linf", 0.1), SHORT, keys)


def test_an_unknown_attack_names_the_nearest(victim, images, labels, keys):
    with pytest.raises(OptionError, match="apgd-ce"):
        run_attack("apgd-c", victim, images, labels, Threat("linf", 0.1), SHORT, keys)
    with pytest.raises(OptionError, match="steps of an attack"):
        Budget(steps=0)
