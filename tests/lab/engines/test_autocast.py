"""Autocast leaves the network in sight: its weights, its parts and the names of its layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netversus.lab.engines import get_engine
from netversus.lab.engines.prepared import Prepared
from netversus.lab.engines.select import judge
from netversus.lab.timing.memory import peak_bytes, weight_bytes
from netversus.lab.timing.stages import stage_seconds
from netversus.lab.timing.stopwatch import Stopwatch

from .conftest import CPU


def prepare(model: nn.Module) -> Prepared:
    return get_engine("autocast").prepare(model, crop=32, device=CPU)


def test_its_layers_run_in_bf16_on_weights_in_fp32(resnet: nn.Module, images: Tensor) -> None:
    network, seen = prepare(resnet), []
    network.network.conv1.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    assert network(images[:2]).dtype is torch.float32
    assert seen == [torch.bfloat16]
    assert {weights.dtype for weights in network.parameters()} == {torch.float32}


def test_the_network_that_it_was_made_from_does_not_cast(resnet: nn.Module, images: Tensor) -> None:
    prepare(resnet)
    with torch.inference_mode():
        assert resnet(images[:2]).dtype is torch.float32
    assert "forward" not in vars(resnet)


def test_its_memory_and_the_time_of_its_parts_are_told(resnet: nn.Module, images: Tensor) -> None:
    network = prepare(resnet)
    assert weight_bytes(network) == weight_bytes(resnet)
    assert (peak_bytes(network, images[:2]) or 0) > weight_bytes(resnet)
    parts = stage_seconds(network, images[:2], Stopwatch(CPU))
    assert list(parts)[:2] == ["conv1", "bn1"]
    assert {"layer1", "layer4", "fc"} <= parts.keys()


def test_the_first_layer_whose_outputs_are_no_numbers_is_named(resnet: nn.Module, images: Tensor) -> None:
    """A weight that fp32 can hold and bf16 cannot is infinite there, and no number times nought."""
    resnet.conv1.weight.data.fill_(3.4e38)
    choice = judge(get_engine("autocast"), resnet, torch.zeros_like(images), device=CPU)
    (told,) = [each for each in choice.candidates if each.engine == "autocast"]
    assert told.why.endswith("NaN or infinite outputs, first from conv1")
