"""Receptive fields agree with the recurrence, with published values, and with gradients of positive networks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from torch import Tensor, nn
from torchvision.models import ResNet, get_model

from netversus.studies.structure.receptive import (
    LONGEST,
    TAIL,
    Field,
    LastMap,
    effective_field,
    find_last_map,
    open_branches,
    theoretical_field,
)
from netversus.studies.structure.trace import trace
from tiny_nets import narrow

Layer = tuple[int, int, int]  # kernel, stride, dilation


def recurrence(layers: Sequence[Layer]) -> int:
    """Araujo et al. 2019, equation 2, for a chain: r = 1 + sum of dilation (k - 1) times the strides before."""
    side, jump = 1, 1
    for kernel, stride, dilation in layers:
        side += dilation * (kernel - 1) * jump
        jump *= stride
    return side


def last_map(model: nn.Module, side: int = 64) -> LastMap:
    last = find_last_map(model, trace(model.eval(), torch.zeros(1, 3, side, side)), side)
    assert last is not None
    return last


def field(model: nn.Module, side: int = 64) -> Field | None:
    return theoretical_field(model, last_map(model, side))


def chain(layers: Sequence[Layer], *, padded: bool = True, pools: bool = False) -> nn.Module:
    made: list[nn.Module] = []
    for number, (kernel, stride, dilation) in enumerate(layers):
        padding = dilation * (kernel - 1) // 2 if padded else 0
        if pools and number % 2 and padding <= kernel // 2:
            made.append(nn.MaxPool2d(kernel, stride, padding, dilation))
        else:
            made.append(nn.Conv2d(2 if number else 3, 2, kernel, stride, padding, dilation))
        made.append(nn.ReLU6())
    return nn.Sequential(*made, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 4))


def chains() -> Iterator[tuple[list[Layer], bool]]:
    dice = random.Random(0)
    for number in range(12):
        layers = [(dice.choice((1, 2, 3, 5)), dice.choice((1, 1, 2)), dice.choice((1, 1, 2, 3))) for _ in range(6)]
        yield layers, bool(number % 3)


@pytest.mark.parametrize(("layers", "padded"), list(chains()))
def test_the_field_of_a_chain_is_that_of_the_recurrence(layers: list[Layer], padded: bool):
    assert field(chain(layers, padded=padded, pools=padded), 256) == Field(recurrence(layers))


def resnet_chain(blocks: Sequence[int], *, first: bool) -> list[Layer]:
    """The longest chain of a bottleneck ResNet; `first`: its 1 x 1 layer has the stride, and not the 3 x 3 one."""
    layers = [(7, 2, 1), (3, 2, 1)]
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage and not block else 1
            layers += [(1, stride if first else 1, 1), (3, 1 if first else stride, 1), (1, 1, 1)]
    return layers


@pytest.mark.real
@pytest.mark.parametrize(
    ("architecture", "blocks", "published", "side"),
    [("resnet50", (3, 4, 6, 3), 483, 427), ("resnet101", (3, 4, 23, 3), 1027, 971)],
)
def test_the_fields_of_the_resnets_are_the_published_ones(
    architecture: str, blocks: tuple[int, ...], published: int, side: int
):
    """Araujo et al. 2019, table 1, has the original, which strides in the first layer of a block."""
    model = get_model(architecture, weights=None, num_classes=10)
    assert recurrence(resnet_chain(blocks, first=False)) == side
    assert field(model) == Field(side)
    assert recurrence(resnet_chain(blocks, first=True)) == published
    assert field(with_original_strides(model)) == Field(published)


def with_original_strides(model: ResNet) -> ResNet:
    for stage in (model.layer2, model.layer3, model.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return model


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [("resnet18", {}), ("alexnet", {}), ("googlenet", {"aux_logits": False, "init_weights": False})],
)
def test_the_field_is_as_wide_as_the_gradient_of_a_positive_network(architecture: str, settings: dict[str, bool]):
    """An independent oracle: with positive weights nothing cancels, and mean pools choose nothing."""
    model = get_model(architecture, weights=None, num_classes=4, **settings).eval()
    last = last_map(model)
    measured = theoretical_field(model, last)
    assert measured is not None
    assert measured.pixels == gradient_support(positive(model), last, measured.pixels)


def positive(model: nn.Module) -> nn.Module:
    for name, module in list(model.named_modules()):
        parent = model.get_submodule(name.rpartition(".")[0])
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        if isinstance(module, nn.MaxPool2d):
            mean = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
            setattr(parent, name.rpartition(".")[2], mean)
    return model.double()


def gradient_support(model: nn.Module, last: LastMap, at_least: int) -> int:
    """Rows of a tall image in which the gradient of a central unit is not zero."""
    image = torch.ones(1, 3, 2 * at_least + 128, last.width, dtype=torch.float64, requires_grad=True)
    kept: list[Tensor] = []
    model.get_submodule(last.path).register_forward_hook(lambda _m, _i, output: kept.append(output))
    model(image)
    rows = kept[last.turn].movedim(last.axis, 0)
    (gradient,) = torch.autograd.grad(rows[len(rows) // 2].sum(), image)
    touched = gradient.abs().sum(dim=(0, 1, 3)).nonzero()
    return int(touched[-1] - touched[0]) + 1


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images) * images.mean(dim=(2, 3), keepdim=True).sigmoid()


def test_a_network_that_looks_at_the_whole_image_has_a_field_without_end():
    assert field(nn.Sequential(Gated(), nn.ReLU())) == Field(LONGEST, more=True)


def test_units_that_see_different_regions_have_no_common_field():
    """Pairs of units share a window of two pixels: the field of one in two begins before its own pixel."""
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AvgPool2d(2), nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 1))
    assert field(model) is None


class OneSize(nn.Module):
    """Takes 32 px only and cuts them into 16 tokens, as vision transformers do; it may notice before or after."""

    def __init__(self, *, early: bool) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 10)
        self.early = early

    def forward(self, images: Tensor) -> Tensor:
        assert images.shape[-2:] == (32, 32) or not self.early
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        assert tokens.shape[1] == 16
        return self.head(self.norm(tokens).mean(dim=1))


@pytest.mark.parametrize("early", [True, False])
def test_a_network_of_one_size_has_a_last_map_but_no_theoretical_field(early: bool):
    model = OneSize(early=early).eval()
    assert last_map(model, 32) == LastMap("norm", 0)
    assert field(model, 32) is None
    assert effective_field(model, last_map(model, 32), noise(4, 32), seed=0) == pytest.approx(8.0, abs=0.2)


def test_a_network_of_vectors_has_no_last_map():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    assert find_last_map(model, trace(model, torch.zeros(1, 3, 8, 8)), 8) is None


def test_the_last_map_is_found_where_it_has_shrunk_to_one_position():
    assert last_map(get_model("resnet18", weights=None).eval(), 32).path == "layer4"
    assert last_map(narrow(), 32) == LastMap("4", 0, axis=2, stride=4, width=1)


class Twofold(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        return self.layer(images).relu(), None


class Unpacking(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stage = Twofold()

    def forward(self, images: Tensor) -> Tensor:
        return self.stage(images)[0].mean(dim=(2, 3))


def test_the_first_of_several_outputs_is_the_map():
    assert last_map(Unpacking(), 32).path == "stage"
    assert field(Unpacking(), 32) == Field(3)


def test_a_flattening_head_does_not_hide_the_last_map():
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * 15 * 15, 4))
    assert last_map(model, 32).path == "1"
    assert field(model, 32) == Field(4)


def noise(count: int, side: int) -> Iterator[Tensor]:
    chance = torch.Generator().manual_seed(0)
    return (torch.randn(1, 3, side, side, generator=chance) for _ in range(count))


def test_the_effective_field_of_linear_layers_is_counted_from_their_kernel():
    """Without non-linearities the gradient is the convolution of the kernels, whatever the image."""
    rng = np.random.default_rng(0)
    kernels = [rng.random((size, size)) for size in (5, 3, 7)]
    layers = []
    for number, kernel in enumerate(kernels):
        layer = nn.Conv2d(1 if number else 3, 1, kernel.shape, padding="same", bias=False)
        layer.weight.data[:] = torch.from_numpy(kernel)
        layers.append(layer)
    model = nn.Sequential(*layers)
    whole = convolve2d(convolve2d(kernels[0], kernels[1]), kernels[2])
    expected = sqrt((whole > TAIL * whole.max()).sum())
    assert effective_field(model, last_map(model), noise(1, 64), seed=0) == pytest.approx(expected)
    assert field(model) == Field(13)


def test_a_norm_that_fixes_the_sum_of_the_channels_hides_no_gradient():
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Conv2d(3, 8, 5, padding=2), nn.LayerNorm(8)

        def forward(self, images: Tensor) -> Tensor:
            return self.norm(self.layer(images).permute(0, 2, 3, 1))

    torch.manual_seed(0)
    side = effective_field(Normed(), LastMap("norm", 0), noise(4, 16), seed=0)
    assert side == pytest.approx(5.0, abs=0.2)


def test_the_effective_field_follows_from_the_seed_and_lies_within_the_theoretical_one():
    torch.manual_seed(0)
    model = narrow().eval()
    one, two = (effective_field(model, last_map(model, 32), noise(8, 32), seed=3) for _ in range(2))
    whole = field(model, 32)
    assert one == two
    assert one is not None
    assert whole == Field(recurrence([(3, 2, 1), (3, 2, 1)]))
    assert 1 < one <= whole.pixels


def test_a_network_without_a_gradient_has_no_effective_field():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, images: Tensor) -> Tensor:
            return self.layer(images.detach())

    assert effective_field(Cut().requires_grad_(requires_grad=False), LastMap("layer", 0), noise(1, 8), 0) is None


def test_closed_residual_branches_are_opened_and_nothing_else_is_touched():
    torch.manual_seed(0)
    closed = get_model("resnet18", weights=None, zero_init_residual=True).eval()
    last, before = last_map(closed, 64), {n: p.clone() for n, p in closed.named_parameters()}
    narrow_field = effective_field(closed, last, noise(2, 64), seed=0)
    assert open_branches(closed) == 8
    changed = {n for n, p in closed.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {f"layer{i}.{j}.bn2.weight" for i in (1, 2, 3, 4) for j in (0, 1)}
    wide_field = effective_field(closed, last, noise(2, 64), seed=0)
    assert narrow_field is not None
    assert wide_field is not None
    assert narrow_field < wide_field / 2


def test_a_layer_scale_is_opened():
    model = get_model("convnext_tiny", weights=None)
    assert open_branches(model) == 18
    assert bool((model.features[1][0].layer_scale == 1).all())
