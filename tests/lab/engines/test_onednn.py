"""Fusing by hand is right where it fuses, and does not fuse where that would be wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from netversus.errors import EngineError
from netversus.lab.engines import get_engine
from netversus.lab.engines.folding import fold
from netversus.lab.engines.onednn import pack

from .conftest import CPU, fp32, make_resnet, off

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this build of torch has no oneDNN")
Network = Callable[..., nn.Module]


def calls(graph: fx.GraphModule) -> list[str]:
    return [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]


def test_a_resnet_is_left_with_fused_convolutions_and_its_head(images: Tensor):
    graph = pack(fold(make_resnet(), images), images[:8])
    assert sorted(set(calls(graph))) == [
        "aten.adaptive_avg_pool2d.default",
        "aten.flatten.using_ints",
        "aten.linear.default",
        "aten.max_pool2d.default",
        "mkldnn._convolution_pointwise.default",
        "mkldnn._convolution_pointwise_.binary",
    ]
    assert calls(graph).count("mkldnn._convolution_pointwise_.binary") == 8  # every sum, over the memory of the other


def of_itself(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x)
    return y + y


def used_twice(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x)
    return y.relu() - y


def residual(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x).relu()
    return m.b(y) + y


def residual_read_again(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x).relu()
    return (m.b(y) + y) * y


def branch(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x).relu()
    view = y[:, :2]
    return (m.b(y) + y)[:, :2] + view


def over_itself(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x)
    y += m.b(y)
    return y * 2


def over_what_is_read_again(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x).relu()
    z = y
    y += m.b(y)
    return y + z


def preactivated(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x)
    return m.b(functional.relu(y, inplace=True)) + y


def rectified_view(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x).tanh()
    z = functional.relu_(functional.dropout(y, 0.5, training=False))
    return m.b(z) + z + y


def written_through_a_view(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x)
    z = m.b(y)
    y[:, :2].relu_()
    return z + y


def written_through_a_dropout(m: nn.Module, x: Tensor) -> Tensor:
    y = m.a(x)
    z = m.b(y)
    functional.dropout(y, 0.5, training=False).relu_()
    return z + y


CASES: dict[str, tuple[Callable[[nn.Module, Tensor], Tensor], int]] = {
    # what is computed, and how many operations but oneDNN's are left
    "relu": (lambda m, x: m.a(x).relu(), 0),
    "silu": (lambda m, x: functional.silu(m.a(x)), 0),
    "hardswish": (lambda m, x: functional.hardswish(m.a(x), inplace=True), 0),
    "another activation": (lambda m, x: functional.gelu(m.a(x)), 1),
    "two activations": (lambda m, x: functional.silu(m.a(x).relu()), 1),
    "sum": (lambda m, x: m.a(x) + m.c(x), 0),
    "sum and relu": (lambda m, x: (m.a(x) + m.c(x)).relu(), 0),
    "sum and silu": (lambda m, x: functional.silu(m.a(x) + m.c(x)), 1),
    "sum of three": (lambda m, x: m.a(x) + m.c(x) + m.a(x.flip(2)), 1),
    "relu before the sum": (lambda m, x: m.a(x).relu() + m.c(x).relu(), 1),
    "of itself": (of_itself, 1),
    "a residual": (residual, 0),
    "a residual that is read again": (residual_read_again, 1),
    "the images themselves": (lambda m, x: (m.d(x) + x).relu(), 0),
    "broadcast": (lambda m, x: m.a(x) + m.c(x).mean((2, 3), keepdim=True), 2),
    "a number": (lambda m, x: m.a(x) + 1.0, 1),
    "twice the other": (lambda m, x: torch.add(m.c(x), m.a(x), alpha=2), 1),
    "used twice": (used_twice, 2),
    "computed weights": (lambda m, x: functional.conv2d(x, m.a.weight / m.a.weight.std()).relu(), 4),
    "a view is read again": (branch, 2),
    "written over itself": (over_itself, 2),
    "written over what is read again": (over_what_is_read_again, 2),
    "written over through a view": (written_through_a_view, 2),
    "written over through a dropout": (written_through_a_dropout, 2),
    "preactivated in place": (preactivated, 2),
    "a view that is rectified in place": (rectified_view, 5),
}


@pytest.mark.parametrize("case", CASES)
def test_each_pattern_is_right_twice_and_leaves_the_images(case: str, network: Network, images: Tensor):
    run, others = CASES[case]
    model = network(
        run,
        a=nn.Conv2d(3, 6, 3, padding=1),
        b=nn.Conv2d(6, 6, 3, padding=1, groups=2),
        c=nn.Conv2d(3, 6, 1, bias=False),
        d=nn.Conv2d(3, 3, 3, padding=1),
    )
    expected, before = fp32(model, images.clone()), images.clone()
    graph = pack(fold(model, images), images[:8])
    left = [call for call in calls(graph) if "mkldnn" not in call and "slice" not in call]
    for some, wanted in ((images, expected), (images, expected), (images[:1], expected[:1])):
        assert off(fp32(graph, some), wanted) <= 1e-5
        assert torch.equal(images, before)
    assert len(left) <= others, left


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.Conv2d(3, 8, 3, dilation=2, bias=False),
        nn.Conv2d(3, 9, 3, groups=3),
        nn.Conv2d(3, 8, (1, 5), padding=(0, 2)),
        nn.Conv2d(3, 8, 3, padding="same", dilation=2),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_kind_of_convolution_is_right(
    convolution: nn.Conv2d, dtype: torch.dtype, network: Network, images: Tensor
):
    if dtype is torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("oneDNN has no bf16 on this CPU")
    model = network(lambda m, x: m.a(x).relu(), a=convolution)
    expected = fp32(model, images)
    graph = pack(fold(model, images).to(dtype), images[:8].to(dtype))
    assert off(fp32(graph, images.to(dtype)).float(), expected) <= (1e-5 if dtype is torch.float32 else 0.02)


def test_a_sum_with_what_is_the_same_for_all_images_is_told_from_a_batch_of_one(images: Tensor):
    """A parameter of shape (1, ...) added to a convolution, prepared with a single image."""

    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 4, 3, padding=1)
            self.place = nn.Parameter(torch.randn(1, 4, 32, 32))

        def forward(self, x: Tensor) -> Tensor:
            return (self.place + self.a(x)).relu().mean((2, 3))

    model = Placed().eval()
    prepared = get_engine("fused").prepare(model, crop=32, device=CPU, calibration=images[:1])
    for count in (1, 5):
        assert off(prepared(images[:count]), fp32(model, images[:count])) <= 1e-5


def test_without_bf16_in_onednn_it_is_one_line(resnet: nn.Module, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.raises(EngineError, match="fused-bf16 cannot take this network: oneDNN has no bf16 on this CPU"):
        get_engine("fused-bf16").prepare(resnet, crop=32, device=CPU)
