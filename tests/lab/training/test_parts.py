"""The parts of a step, each against something independent of it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from lab.training.material import CLASSES, PREPROCESSING, images_and_labels, network, recipe
from netversus.lab.training.activity import watched
from netversus.lab.training.augment import Augment, shifted
from netversus.lab.training.classes import scarce_classes
from netversus.lab.training.initial import start_as_identity
from netversus.lab.training.losses import make_loss
from netversus.lab.training.optimisers import make_optimizer
from netversus.lab.training.randomness import seeded
from netversus.lab.training.sharpness import SharpnessAware


def drawn() -> tuple[float, float, float]:
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_inside_a_seed_all_generators_follow_and_outside_none_notices():
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = drawn()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    with seeded(7, 3, 0):
        first = drawn()
    assert drawn() == expected
    with seeded(7, 3, 0):
        assert drawn() == first
    with seeded(7, 4, 0):
        assert all(a != b for a, b in zip(drawn(), first, strict=True))


def test_the_generators_come_back_after_an_error():
    torch.manual_seed(1)
    expected = float(torch.rand(()))
    torch.manual_seed(1)
    with pytest.raises(ValueError, match="x"), seeded(7):
        raise ValueError("x")
    assert float(torch.rand(())) == expected


def test_norms_and_biases_are_not_decayed_unless_the_recipe_says_so():
    model = torchvision.models.resnet18(num_classes=4)
    decay = {p: g["weight_decay"] for g in make_optimizer(model, recipe()).param_groups for p in g["params"]}
    assert len(decay) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        spared = "bn" in name or "downsample.1" in name or name.endswith("bias")
        assert decay[parameter] == (0.0 if spared else 0.05), name
    groups = make_optimizer(model, recipe(decay_norms=True)).param_groups
    assert {group["weight_decay"] for group in groups} == {0.05}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", "AdamW"), ("sgd", "SGD"), ("nesterov", "SGD"), ("lamb", "Lamb"), ("muon", "Muon")],
)
def test_optimisers_come_from_torch_and_timm(name: str, kind: str):
    optimizer = make_optimizer(network(), recipe(optimizer=name))
    assert type(optimizer).__name__ == kind
    assert type(optimizer).__module__.split(".")[0] in ("torch", "timm")
    if kind == "SGD":
        assert optimizer.defaults["nesterov"] == (name == "nesterov")


def test_shifts_move_by_an_eighth_at_most_and_repeat_the_edge():
    batch = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(50, 3, 16, 16)
    moved = shifted(batch, np.random.default_rng(0), flip=False)
    padded = nn.functional.pad(batch[:1].float(), (2,) * 4, mode="replicate").to(torch.uint8)
    windows = {padded[0, :, t : t + 16, x : x + 16].numpy().tobytes() for t in range(5) for x in range(5)}
    assert {image.numpy().tobytes() for image in moved} <= windows
    assert len({image.numpy().tobytes() for image in moved}) > 15


def test_half_of_the_images_are_mirrored_with_flips():
    batch = torch.zeros(400, 3, 16, 16, dtype=torch.uint8)
    batch[..., :8] = 200
    moved = shifted(batch, np.random.default_rng(0), flip=True)
    assert 0.4 < float((moved[:, 0, 8, 0] == 0).float().mean()) < 0.6


@pytest.mark.parametrize(
    "settings",
    [
        {"augment": "none", "mixup": 0, "cutmix": 0, "erasing": 0},
        {"augment": "crop-flip"},
        {"auto_augment": "ta_wide"},
        {"auto_augment": "rand-m7-mstd0.5-inc1"},
        {"erasing": 0.5},
    ],
)
def test_augmentation_keeps_shape_and_type_and_follows_the_seed(settings: dict[str, object]):
    images, labels = images_and_labels()
    augment = Augment(recipe(**settings), PREPROCESSING, CLASSES)

    def once(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        with seeded(0, step, 0) as rng:
            pixels = augment.pixels(images, rng)
            return pixels, *augment.floats(pixels.float(), labels)

    first, again, other = once(1), once(1), once(2)
    assert first[0].shape == images.shape
    assert first[0].dtype == torch.uint8
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    if settings["augment"] != "none" if "augment" in settings else True:
        assert not torch.equal(first[1], other[1])
    else:
        assert torch.equal(first[0], images)


def test_mixed_labels_are_shares_that_add_up_to_one():
    _, labels = images_and_labels()
    augment = Augment(recipe(label_smoothing=0.1), PREPROCESSING, CLASSES)
    with seeded(0):
        _, shares = augment.floats(torch.randn(len(labels), 3, 16, 16), labels)
    assert shares.shape == (len(labels), CLASSES)
    assert torch.allclose(shares.sum(dim=1), torch.ones(len(labels)))


def test_the_losses_are_the_textbook_s():
    logits, labels = torch.randn(6, CLASSES), torch.arange(6) % CLASSES
    smooth = nn.functional.one_hot(labels, CLASSES) * 0.9 + 0.1 / CLASSES
    cross = -(smooth * logits.log_softmax(1)).sum(1).mean()
    assert torch.allclose(make_loss(recipe(label_smoothing=0.1))(logits, labels), cross)
    each = torch.maximum(logits, torch.zeros(())) - logits * smooth + torch.log1p(torch.exp(-logits.abs()))
    assert torch.allclose(make_loss(recipe(loss="bce", label_smoothing=0.1))(logits, labels), each.mean())
    assert torch.allclose(make_loss(recipe())(logits, smooth), cross)


def test_sharpness_climbs_by_its_radius_along_the_gradient_and_comes_back_bit_for_bit():
    model, images = network(), torch.randn(4, 3, 16, 16)
    nn.functional.cross_entropy(model(images), torch.arange(4)).backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    with SharpnessAware(model, 0.5).climbed():
        model(images)
        moved = torch.cat([(p - before[name]).flatten() for name, p in model.named_parameters()])
    assert torch.allclose(moved.detach(), 0.5 * gradient / gradient.norm(), atol=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_residual_network_starts_as_the_identity_in_every_block():
    assert start_as_identity(torchvision.models.resnet18()) == 8
    assert start_as_identity(torchvision.models.resnet50()) == 16
    assert start_as_identity(network()) == 0


def test_dead_units_are_the_channels_that_nothing_excites():
    model = network().eval()
    with torch.no_grad():
        model[1].bias[:2] = -1e6
        model[1].bias[2:] = 1e6
    with watched(model) as activity:
        for _ in range(2):
            model(torch.randn(3, 3, 16, 16))
    assert activity.dead() == pytest.approx(2 / 6)
    assert not model[2]._forward_hooks
    with watched(nn.Linear(2, 2)) as activity:
        assert activity.dead() is None


def test_a_relu_that_is_used_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.relu(-1 - self.relu(x))

    model = Twice()
    with watched(model) as activity:
        model(torch.ones(2, 4))
        model(torch.ones(2, 4))
    assert activity.dead() == 0.5


def test_classes_with_little_to_learn_from_are_named():
    said = scarce_classes(np.array([0, 0, 1, 3]), ("a", "b", "c", "d"))
    assert said == (
        "classes that have no image to learn from and cannot be learned: c",
        "classes that have one image each: b, d",
    )
    assert scarce_classes(np.array([0, 0, 1, 1]), ("a", "b")) == ()
