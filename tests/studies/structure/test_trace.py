"""What is counted agrees with what publishers state, with other counters, and with counting by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from netversus.studies.structure.trace import Trace, trace

REAL = pytest.mark.real


def on_paper(architecture: str, side: int = 224, **settings: object) -> Trace:
    """The trace of a torchvision network without memory for its numbers: counting needs none."""
    with torch.device("meta"):
        return trace(get_model(architecture, weights=None, **settings).eval(), torch.zeros(1, 3, side, side))


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param("resnet50", marks=REAL),
        pytest.param("resnet101", marks=REAL),
        "resnet18",
        "mobilenet_v2",
        "efficientnet_b0",
        "convnext_tiny",
        "swin_t",
        "vit_b_16",  # with torch's fused attention its own counter would miss most of it
    ],
)
def test_parameters_and_multiply_adds_are_those_that_torchvision_publishes(architecture: str):
    published = get_model_weights(architecture).DEFAULT.meta
    counted = on_paper(architecture)
    assert counted.parameters == published["num_params"]
    assert counted.macs / 1e9 == pytest.approx(published["_ops"], rel=0.005)


@pytest.mark.real
@pytest.mark.parametrize(
    ("architecture", "millions", "parameters"), [("resnet50", 11.11, 25_557_032), ("resnet101", 16.23, 44_549_160)]
)
def test_activations_are_those_of_timm_s_published_benchmark(architecture: str, millions: float, parameters: int):
    """The column infer_macts of timm's results, counted there by fvcore."""
    counted = on_paper(architecture)
    assert counted.activations / 1e6 == pytest.approx(millions, abs=0.01)
    assert counted.parameters == parameters


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [
        pytest.param("resnet50", 50, marks=REAL),
        pytest.param("resnet101", 101, marks=REAL),
        ("resnet18", 18),
        ("vgg16", 16),
        ("densenet121", 121),
        ("vit_b_16", 1 + 12 * 4 + 1),  # attention's own products have no weights
    ],
)
def test_depth_is_the_number_in_the_architecture_s_name(architecture: str, layers: int):
    assert on_paper(architecture).depth == layers


def test_multiply_adds_of_a_convolution_are_counted_by_hand():
    counted = trace(nn.Conv2d(3, 8, 3, padding=1, groups=1), torch.zeros(1, 3, 10, 10))
    assert counted.macs == 10 * 10 * 8 * 3 * 3 * 3
    assert counted.activations == 10 * 10 * 8
    assert counted.parameters == 8 * 3 * 3 * 3 + 8


class Shared(nn.Module):
    """One layer used twice, one called as a function, one never used."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Linear(4, 4, bias=False)
        self.matrix = nn.Parameter(torch.ones(2, 4))
        self.idle = nn.Linear(4, 100)

    def forward(self, images: Tensor) -> Tensor:
        values = self.twice(self.twice(images.mean(dim=(1, 2))[:, :4]))
        return nn.functional.linear(values, self.matrix)


def test_a_layer_that_is_used_twice_is_two_layers_deep_and_one_in_size():
    counted = trace(Shared(), torch.zeros(1, 3, 8, 8))
    assert counted.depth == 3
    assert counted.activations == 4 + 4 + 2
    assert counted.parameters == 16 + 8 + 500
    assert sum(op.parameters for op in counted.ops) == 16 + 8


class Skip(nn.Module):
    def __init__(self, *, scaled: bool = False) -> None:
        super().__init__()
        self.long = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
        self.short = nn.Conv2d(3, 3, 1)
        self.scale = nn.Parameter(torch.ones(1, 3, 8, 8))
        self.scaled = scaled

    def forward(self, images: Tensor) -> Tensor:
        if self.scaled:
            return self.long(images) + self.scale
        return self.long(images) + self.short(images)


def test_a_projection_shortcut_adds_no_depth_and_ends_a_residual_block():
    counted = trace(Skip(), torch.zeros(1, 3, 8, 8))
    assert counted.depth == 3
    assert [op.joins for op in counted.ops].count(True) == 1


def test_adding_a_weight_is_no_residual_join():
    assert not any(op.joins for op in trace(Skip(scaled=True), torch.zeros(1, 3, 8, 8)).ops)


IMAGE, NARROW, WIDE = 3 * 64 * 4, 4 * 64 * 4, 8 * 64 * 4  # bytes of float32 maps of 8 x 8


@pytest.mark.parametrize(
    ("layers", "most"),
    [
        ([nn.Conv2d(3, 4, 1)], IMAGE + NARROW),
        ([nn.Conv2d(3, 4, 1), nn.ReLU()], IMAGE + 2 * NARROW),
        ([nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True)], IMAGE + NARROW),
        ([nn.Conv2d(3, 4, 1), nn.Flatten()], IMAGE + NARROW),
        ([nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 1), nn.Conv2d(8, 4, 1)], IMAGE + NARROW + WIDE),
        ([nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)], IMAGE + 2 * WIDE),
    ],
    ids=["one map", "two maps", "in place", "a view", "freed before the next", "never three"],
)
def test_the_most_that_lives_at_once_is_counted_by_hand(layers: list[nn.Module], most: int):
    model = nn.Sequential(*layers)
    counted = trace(model, torch.zeros(1, 3, 8, 8))
    assert counted.live_bytes == most
    assert counted.weight_bytes == 4 * sum(p.numel() for p in model.parameters())


def test_buffers_weigh_but_are_no_parameters():
    counted = trace(nn.BatchNorm2d(3).eval(), torch.zeros(1, 3, 8, 8))
    assert counted.parameters == 6
    assert counted.weight_bytes == 4 * 12 + 8  # running mean and variance, and the count of batches, an int64


def test_a_network_is_left_as_it_was():
    model = get_model("resnet18", weights=None, num_classes=10).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fast = torch.backends.mha.get_fastpath_enabled()
    one, two = (trace(model, torch.zeros(1, 3, 32, 32)) for _ in range(2))
    assert one == two
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.backends.mha.get_fastpath_enabled() is fast
