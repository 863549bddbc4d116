from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from netversus.records import Preprocessing
from netversus.studies.factors.design import Setting
from netversus.studies.factors.trial import Images, Trial, shifted, shown, warm_cosine

SETTING = Setting(number=0, learning_rate=1e-2, weight_decay=0.0, shift=0.0, batch=10, data=1.0)


@pytest.fixture
def images() -> Images:
    """Bright and dark images: a network that learns anything tells them apart."""
    labels = torch.arange(60) % 2
    pixels = (
        torch.randint(0, 100, (60, 3, 8, 8), generator=torch.Generator().manual_seed(0))
        + 150 * labels[:, None, None, None]
    )
    return Images(pixels.to(torch.uint8), labels, np.arange(40), np.arange(40, 60))


def make(setting: Setting = SETTING, seed: int = 0, samples: int = 200) -> Trial:
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(144, 2)
    )
    return Trial(net, Preprocessing(crop=8, resize=None), setting, seed, samples, torch.device("cpu"))


def test_a_trial_learns_what_is_there_to_learn(images: Images) -> None:
    trial = make()
    before = trial.top1(images)
    assert list(trial.train(images))[-1] == trial.steps == 20
    assert before < 0.9
    assert trial.top1(images) == 1.0
    assert not trial.diverged


def test_the_same_seed_gives_the_same_network_whatever_else_draws_numbers(images: Images) -> None:
    one, two, other = make(), make(), make()
    other.seed = 1
    list(one.train(images))
    for _ in two.train(images):
        torch.rand(7)
    list(other.train(images))
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.model.parameters(), other.model.parameters(), strict=True))


def test_a_training_that_diverges_is_an_outcome(images: Images) -> None:
    trial = make(replace(SETTING, learning_rate=1e30))
    taken = list(trial.train(images))
    assert trial.diverged
    assert len(taken) < trial.steps
    assert 0 <= trial.top1(images) <= 1


def test_answers_that_are_no_numbers_are_wrong(images: Images) -> None:
    trial = make()
    nn.init.constant_(trial.model[-1].weight, float("nan"))
    assert trial.top1(images) == 0


def test_none_of_the_judged_images_is_learned_from_and_less_data_is_part_of_more() -> None:
    fit = np.arange(100, 180)
    more = set(shown(fit, SETTING, 24, seed=5).ravel())
    less = set(shown(fit, replace(SETTING, data=0.25), 24, seed=5).ravel())
    assert more == set(fit)
    assert len(less) == 20
    assert less < more
    assert less != set(shown(fit, replace(SETTING, data=0.25), 24, seed=6).ravel())


def test_each_epoch_shows_every_image_once() -> None:
    order = shown(np.arange(30), SETTING, 6, seed=0)
    assert order.shape == (6, 10)
    assert sorted(order[:3].ravel()) == sorted(order[3:].ravel()) == list(range(30))
    assert order[:3].tolist() != order[3:].tolist()


def test_a_shift_moves_an_image_and_repeats_its_edge() -> None:
    image = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(50, 3, 8, 8)
    moved = shifted(image, 0.25, np.random.default_rng(0))
    padded = nn.functional.pad(image[:1].float(), (2, 2, 2, 2), mode="replicate").to(torch.uint8)[0]
    windows = {tuple(padded[:, i : i + 8, j : j + 8].ravel().tolist()) for i in range(5) for j in range(5)}
    seen = {tuple(each.ravel().tolist()) for each in moved}
    assert seen <= windows
    assert len(seen) > 10
    assert shifted(image, 0.0, np.random.default_rng(0)) is image


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    shares = [warm_cosine(step, 100) for step in range(100)]
    assert shares[9] == max(shares) == 1
    assert shares[0] == pytest.approx(0.1)
    assert shares[-1] < 0.001
    assert warm_cosine(0, 1) == 1
