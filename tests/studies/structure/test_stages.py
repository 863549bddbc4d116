"""Stages are found in networks that name their parts in different ways, and add up to the whole."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from netversus.studies.structure.stages import Stage, extent, residual_blocks, stages
from netversus.studies.structure.trace import Trace, trace
from tiny_nets import narrow


def traced(model: nn.Module, side: int = 224) -> Trace:
    return trace(model.eval(), torch.zeros(1, 3, side, side, device=next(model.parameters()).device))


def on_paper(architecture: str, side: int = 224) -> Trace:
    with torch.device("meta"):
        model = timm.create_model(architecture[5:]) if architecture.startswith("timm:") else get_model(architecture)
    return traced(model, side)


def counts(found: tuple[Stage, ...]) -> list[tuple[str, int | None]]:
    return [(stage.name, stage.blocks) for stage in found]


def row(*blocks: int, names: str) -> list[tuple[str, int | None]]:
    rows = [(f"stage {i + 1}: {names.format(i=i, j=i + 1, k=2 * i + 1)}", n) for i, n in enumerate(blocks)]
    return [("stem", None), *rows, ("head", None)]


@pytest.mark.real
def test_resnet101_has_17_more_blocks_than_resnet50_and_all_of_them_in_stage_3():
    shallow, deep = (on_paper(name) for name in ("resnet50", "resnet101"))
    assert counts(stages(shallow)) == row(3, 4, 6, 3, names="layer{j}")
    assert counts(stages(deep)) == row(3, 4, 23, 3, names="layer{j}")
    assert (len(residual_blocks(shallow)), len(residual_blocks(deep))) == (16, 33)
    grown = [a.name for a, b in zip(stages(shallow), stages(deep), strict=True) if a != b]
    assert grown == ["stage 3: layer3"]
    assert stages(deep)[3].parameters - stages(shallow)[3].parameters == 44_549_160 - 25_557_032


@pytest.mark.real
def test_stages_are_the_same_at_any_size_of_image():
    assert counts(stages(on_paper("resnet50", 32))) == counts(stages(on_paper("resnet50", 224)))


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        ("resnet18", row(2, 2, 2, 2, names="layer{j}")),
        ("timm:resnet18", row(2, 2, 2, 2, names="layer{j}")),
        ("convnext_tiny", row(3, 3, 9, 3, names="features.{k}")),
        ("timm:convnext_atto", row(2, 2, 6, 2, names="stages.{i}.blocks")),
        ("swin_t", row(2, 2, 6, 2, names="features.{k}")),
        ("timm:vit_tiny_patch16_224", row(12, names="blocks")),
        # 17 inverted residuals (Sandler et al. 2018, table 2), of which the first of a stage has no shortcut
        ("mobilenet_v2", row(1, 2, 3, 7, 4, names="features")),
        ("timm:efficientnet_b0", None),
    ],
)
def test_rows_of_residual_blocks_are_stages(architecture: str, expected: list[tuple[str, int | None]] | None):
    counted = on_paper(architecture)
    found = stages(counted)
    if expected is not None:
        assert counts(found) == expected
    assert sum(stage.parameters for stage in found) == counted.parameters
    assert sum(stage.macs for stage in found) == counted.macs
    assert sum(stage.activations for stage in found) == counted.activations
    assert sum(stage.layers for stage in found) == counted.depth


def test_what_lies_between_two_stages_belongs_to_the_second():
    """torchvision's ConvNeXt downsamples in `features.2`, between the rows `features.1` and `features.3`."""
    with torch.device("meta"):
        model = get_model("convnext_tiny")
    second = stages(traced(model))[2]
    modules = (model.features[2], model.features[3])
    assert second.name == "stage 2: features.3"
    assert second.parameters == sum(p.numel() for module in modules for p in module.parameters())


def test_a_network_without_residual_blocks_is_cut_where_its_maps_shrink():
    """VGG-16 has 2, 2, 3, 3 and 3 convolutions on its five sizes of map (Simonyan and Zisserman 2015, table 1)."""
    found = stages(on_paper("vgg16"))
    assert [(s.name, s.layers) for s in found] == [
        ("stage 1: 224 px", 2),
        ("stage 2: 112 px", 2),
        ("stage 3: 56 px", 3),
        ("stage 4: 28 px", 3),
        ("stage 5: 14 px", 3),
        ("head", 3),
    ]
    assert not residual_blocks(on_paper("vgg16"))


def test_a_tiny_network_has_stages_too():
    found = stages(traced(narrow(), 32))
    assert [(s.name, s.layers, s.channels, s.positions) for s in found] == [
        ("stage 1: 16 px", 1, 4, 256),
        ("stage 2: 8 px", 1, 8, 64),
        ("head", 1, 10, 1),
    ]
    assert sum(s.parameters for s in found) == sum(p.numel() for p in narrow().parameters())


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.squeeze, self.after = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))

    def forward(self, images: Tensor) -> Tensor:
        maps = self.before(images)
        return self.after(maps * self.squeeze(maps.mean(dim=(2, 3), keepdim=True)).sigmoid()).mean(dim=(2, 3))


def test_a_glance_at_the_whole_map_is_no_change_of_resolution():
    assert [s.name for s in stages(traced(Gate(), 16))] == ["stage 1: 16 px", "head"]


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return images + self.layer(images)


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Inner(), Inner()

    def forward(self, images: Tensor) -> Tensor:
        return images + self.two(self.one(images))


def test_of_nested_residual_blocks_the_outermost_counts():
    assert [call.path for call in residual_blocks(traced(nn.Sequential(Outer(), Outer()), 8))] == ["0", "1"]


def test_a_network_that_adds_by_itself_is_not_its_own_block():
    assert [call.path for call in residual_blocks(traced(Outer(), 8))] == ["one", "two"]


def test_a_network_of_vectors_is_all_head():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 10))
    assert [(s.name, s.layers, s.channels) for s in stages(traced(model, 8))] == [("head", 2, 10)]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 64, 7, 7), (64, 49)),
        ((1, 7, 7, 64), (64, 49)),
        ((1, 2048, 1, 1), (2048, 1)),
        ((1, 1, 1, 768), (768, 1)),
        ((1, 197, 192), (192, 197)),
        ((1, 1000), (1000, 1)),
        ((), (None, None)),
    ],
)
def test_channels_and_positions_are_told_from_a_shape(shape: tuple[int, ...], expected: tuple[int | None, int | None]):
    assert extent(shape) == expected
