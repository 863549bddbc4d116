"""Training on changed images: within eps, inside [0, 1], and worth what it costs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lab.training.material import CPU, PREPROCESSING, SIDE, images_and_labels, recipe, trainee
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import cascade
from netversus.lab.attacks.draws import keys_of
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.victim import Victim
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


def faint_and_strong(count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes that a faint pattern (4 levels) always tells, and a strong one (40 levels) in nine of ten images.

    What a plain network learns from the faint one is lost within eps (Tsipras et al. 2019, section 2.1)."""
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 2, (count,), generator=rng)
    way = (2 * labels - 1).view(-1, 1, 1, 1)
    honest = torch.where(torch.rand(count, generator=rng) < 0.9, 1, -1).view(-1, 1, 1, 1)
    pixels = 128 + torch.randint(-6, 7, (count, 3, SIDE, SIDE), generator=rng)
    pixels[..., : SIDE // 2] += 4 * way
    pixels[..., SIDE // 2 :, : SIDE // 4] += 40 * way * honest
    return pixels.to(torch.uint8), labels


def hardened(changes: dict[str, float]) -> nn.Module:
    torch.manual_seed(0)
    pixels, labels = faint_and_strong()
    settings = {"epochs": 12, "batch": 40, "augment": "none", "label_smoothing": 0.0, "learning_rate": 0.01} | changes
    learner = trainee(
        make_recipe(settings), steps=120, model=nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2)), classes=2
    )
    for _ in learner.train(pixels, labels, sample_order(len(labels), 120 * 40, 0, 1), 120):
        pass
    return learner.judged.eval()


@pytest.mark.parametrize("steps", [1, 4])
def test_a_network_trained_on_changed_images_holds_where_a_plain_one_falls(steps):
    pixels, labels = faint_and_strong()
    images, keys = pixels[:64].float() / 255, keys_of([str(i) for i in range(64)], 0)
    left = {}
    for name, changes in {"plain": {}, "hard": {"adversarial_eps": 8.0, "adversarial_steps": steps}}.items():
        found = cascade(
            Victim(hardened(changes), PREPROCESSING, CPU),
            images,
            labels[:64],
            Threat("linf", 8 / 255),
            Budget(steps=10, targets=1, queries=20),
            keys,
            attacks=("pgd", "apgd-ce"),
        )
        left[name] = ((found.broken_by >= 0).float().mean().item(), found.right.float().mean().item())
    assert left["plain"][0] > left["hard"][0]  # the price, on images as they are
    assert left["plain"][1] < 0.2
    assert left["hard"][1] > 0.7
