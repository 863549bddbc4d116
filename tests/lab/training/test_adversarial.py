"""Training on changed images: within eps, inside [0, 1], and worth what it costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lab.training.material import CPU, PREPROCESSING, SIDE, images_and_labels, recipe, trainee
from netversus.lab.preprocessing import normalise
from netversus.lab.training.adversarial import Adversary
from netversus.lab.training.order import sample_order
from netversus.lab.training.recipe import make_recipe
from netversus.records import Preprocessing

IMAGENET = Preprocessing(crop=SIDE, resize=None, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("prepared", [PREPROCESSING, IMAGENET])
def test_the_change_stays_within_eps_and_the_range_of_pixels_and_raises_the_loss(prepared, steps):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 4))
    pixels, labels = images_and_labels()
    inputs, loss_of = normalise(pixels, prepared), nn.functional.cross_entropy
    adversary = Adversary(make_recipe({"adversarial_eps": 8.0, "adversarial_steps": steps}), prepared, CPU)
    changed = adversary.changed(model, inputs, labels, loss_of)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (prepared.mean, prepared.std))
    back = changed * std + mean
    assert float((back - pixels / 255).abs().max()) <= 8 / 255 + 1e-6
    assert float(back.min()) >= -1e-6
    assert float(back.max()) <= 1 + 1e-6
    random = inputs + (2 * torch.rand_like(inputs) - 1) * adversary.eps
    assert loss_of(model(changed), labels) > loss_of(model(random), labels)
    assert not changed.requires_grad
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_step_is_a_function_of_state_and_seed_and_off_means_off():
    losses = []
    for changes in ({"adversarial_eps": 8.0}, {"adversarial_eps": 8.0}, {}):
        learner = trainee(recipe(mixup=0.0, cutmix=0.0, **changes))
        pixels, labels = images_and_labels()
        order = sample_order(len(pixels), 5 * learner.recipe.batch, 3, 1)
        losses.append(list(learner.train(pixels, labels, order, 5)))
    assert losses[0] == losses[1]
    assert losses[0][0] > losses[2][0]  # the same first batch, misled
