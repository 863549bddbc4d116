"""Convolutions computed as products are the same convolutions: torch's own are the oracle."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lab.training.material import images_and_labels, recipe, trainee
from netversus.lab.training import products
from netversus.lab.training.products import Centred, Pointwise, as_products


@pytest.mark.parametrize(
    ("layer", "side", "kind"),
    [
        (nn.Conv2d(6, 8, 1, bias=False), 5, Pointwise),
        (nn.Conv2d(6, 8, 1, stride=2), 5, Pointwise),
        (nn.Conv2d(6, 8, 1, stride=(1, 2)), 6, Pointwise),
        (nn.Conv2d(6, 8, 3, padding=1, bias=False), 1, Centred),
        (nn.Conv2d(6, 8, 3, padding=1, bias=False), 4, Centred),
        (nn.Conv2d(6, 8, 5, padding=4, dilation=2, stride=2), 1, Centred),
    ],
)
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_outputs_and_gradients_are_those_of_the_convolution(layer: nn.Conv2d, side: int, kind: type, last: bool):
    theirs, ours = copy.deepcopy(layer), copy.deepcopy(layer)
    assert as_products(ours) == 1
    assert type(ours) is kind
    order = torch.channels_last if last else torch.contiguous_format
    images = torch.randn(4, 6, side, side).to(memory_format=order)
    found = []
    for each in (theirs, ours):
        seen = images.clone().requires_grad_()
        out = each(seen)
        out.square().sum().backward()
        found.append([out, seen.grad, *(p.grad for p in each.parameters())])
    for expected, got in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(6, 6, 1, groups=2),
        nn.Conv2d(6, 6, 1, padding=1),
        nn.Conv2d(6, 6, 3),
        nn.Conv2d(6, 6, 2, padding=1),
        nn.Conv2d(6, 6, 3, padding="same"),
        nn.Conv2d(6, 6, 3, padding=1, padding_mode="reflect"),
    ],
)
def test_what_is_no_product_is_left_alone(layer: nn.Conv2d):
    assert as_products(layer) == 0
    assert type(layer) is nn.Conv2d


def test_a_large_map_is_left_to_the_convolution(monkeypatch: pytest.MonkeyPatch):
    layer = nn.Conv2d(6, 8, 1)
    as_products(layer)
    monkeypatch.setattr(products, "LARGEST", 3 * 3)
    monkeypatch.setattr(products.functional, "linear", lambda *_: pytest.fail("a product"))
    assert layer(torch.randn(1, 6, 4, 4)).shape == (1, 8, 4, 4)


def test_names_and_weights_stay_and_a_training_goes_the_same_way():
    images, labels = images_and_labels()
    order = np.arange(120) % len(images)
    ends = []
    for on in (False, True):
        # No dropout: its mask is drawn in the order of memory, which a product leaves with the channels last.
        model = nn.Sequential(
            nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 6, 3, padding=1), nn.AdaptiveAvgPool2d(1)
        )
        model.extend([nn.Conv2d(6, 6, 3, padding=1), nn.Flatten(), nn.Linear(6, 4)])
        torch.manual_seed(1)
        for parameter in model.parameters():
            nn.init.normal_(parameter, std=0.3)
        one = trainee(recipe(mixup=0, cutmix=0, products=on), model=model, steps=6)
        ends.append((list(one.train(images, labels, order, 6)), list(model.state_dict())))
        assert (type(model[0]) is Pointwise) is (type(model[5]) is Centred) is on
    assert ends[0][1] == ends[1][1]
    assert ends[1][0] == pytest.approx(ends[0][0], rel=1e-4)
