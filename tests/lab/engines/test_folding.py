"""Folding batch norms changes the operations and not the function."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from netversus.lab.engines.folding import fold

from .conftest import enliven, fp32, make_resnet, off

BATCH_NORM, CONVOLUTION = torch.ops.aten.batch_norm.default, torch.ops.aten.conv2d.default
Network = Callable[..., nn.Module]


def count(graph: fx.GraphModule, operation: object) -> int:
    return sum(node.target is operation for node in graph.graph.nodes)


def test_a_resnet_loses_all_its_batch_norms_and_keeps_its_logits(images: Tensor):
    model = make_resnet()
    graph = fold(model, images)
    assert count(graph, BATCH_NORM) == 0
    assert count(graph, CONVOLUTION) == 20
    for some in (images[:1], images[:5], images):
        assert off(fp32(graph, some), fp32(model, some)) <= 1e-5
    assert sum(buffer.numel() for buffer in graph.buffers()) < sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("settings", [{}, {"bias": False}, {"groups": 4, "padding": 1}, {"stride": 2, "dilation": 2}])
@pytest.mark.parametrize("affine", [True, False])
def test_one_pair_folds_as_torch_folds_it(settings: dict[str, int], affine: bool, images: Tensor):
    convolution = nn.Conv2d(4, 8, 3, **settings).eval()  # type: ignore[arg-type]
    norm = enliven(nn.BatchNorm2d(8, affine=affine, eps=0.01)).eval()
    lead = nn.Conv2d(3, 4, 1)
    if not affine:
        norm.weight, norm.bias = nn.Parameter(torch.ones(8)), nn.Parameter(torch.zeros(8))
    oracle = nn.Sequential(lead, fuse_conv_bn_eval(convolution, norm)).eval()
    graph = fold(nn.Sequential(lead, convolution, norm).eval(), images)
    assert count(graph, BATCH_NORM) == 0
    assert off(fp32(graph, images), fp32(oracle, images)) <= 1e-6


def convolution_used_twice(m: nn.Module, x: Tensor) -> Tensor:
    y = m.conv(x)
    return m.norm(y) + y


CONV, NORM = (lambda: nn.Conv2d(3, 3, 3, padding=1)), (lambda: nn.BatchNorm2d(3))


@pytest.mark.parametrize(
    ("run", "left"),
    [
        pytest.param(lambda m, x: m.conv(m.norm(x)), 1, id="before the convolution"),
        pytest.param(convolution_used_twice, 1, id="the convolution is used twice"),
        pytest.param(lambda m, x: m.norm(m.conv(x).relu()), 1, id="something lies between"),
        pytest.param(lambda m, x: m.norm(m.conv(x)) + m.norm(m.conv(x.flip(0))), 0, id="one pair used twice"),
        pytest.param(lambda m, x: m.norm(m.conv(x)) + m.conv(x.flip(0)), 0, id="the convolution shared with another"),
        pytest.param(
            lambda m, x: m.norm(nn.functional.conv2d(x, m.conv.weight / m.conv.weight.std())), 1, id="computed weights"
        ),
        pytest.param(
            lambda m, x: m.other(m.norm(m.conv(x))), 0, id="two after each other, the second after no convolution"
        ),
    ],
)
def test_what_cannot_be_folded_stays_and_is_right(run: Callable, left: int, network: Network, images: Tensor):
    model = network(run, conv=CONV(), norm=NORM(), other=nn.Conv2d(3, 2, 1))
    graph = fold(model, images)
    assert count(graph, BATCH_NORM) == left
    assert off(fp32(graph, images), fp32(model, images)) <= 1e-5


def test_a_batch_norm_that_is_training_is_not_folded(network: Network, images: Tensor):
    model = network(lambda m, x: m.norm(m.conv(x)), conv=CONV(), norm=nn.BatchNorm2d(3, track_running_stats=False))
    graph = fold(model, images)
    assert count(graph, BATCH_NORM) == 1
    assert off(fp32(graph, images), fp32(model, images)) <= 1e-5
