"""NaN is traced to the layer that makes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from netversus.lab.engines.nan_origin import nan_origin


def test_finite_outputs_have_no_origin_and_no_hook_stays(resnet: nn.Module, images: Tensor):
    assert nan_origin(resnet, images) is None
    assert not any(module._forward_hooks for module in resnet.modules())


@pytest.mark.parametrize("name", ["conv1", "layer2.0.bn1", "layer4.1.conv2", "fc"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_the_first_layer_that_makes_it_is_named(name: str, value: float, resnet: nn.Module, images: Tensor):
    resnet.get_submodule(name).weight.data[0] = value
    assert nan_origin(resnet, images) == name


def test_what_happens_between_layers_is_named_by_what_holds_them(resnet: nn.Module, images: Tensor):
    class Divided(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x / torch.zeros(1)

    resnet.layer3[1].relu = nn.Sequential(nn.Identity(), Divided())
    assert nan_origin(resnet, images) == "layer3.1.relu.1"


def test_a_network_without_layers_is_named_by_its_class(network: Callable[..., nn.Module], images: Tensor):
    assert nan_origin(network(lambda _m, x: x.mean((2, 3)).log() - 9e9), -images.abs()) == "Network"


def test_images_that_are_not_finite_are_told_so(resnet: nn.Module, images: Tensor):
    broken = images.clone()
    broken[3, 0, 0, 0] = float("nan")
    assert nan_origin(resnet, broken) == "the images"


def test_hooks_go_also_when_the_network_fails(network: Callable[..., nn.Module], images: Tensor):
    model = network(lambda m, x: m.a(x.sum()), a=nn.Conv2d(3, 3, 1))
    with pytest.raises(RuntimeError):
        nan_origin(model, images)
    assert not any(module._forward_hooks for module in model.modules())
