from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import SwinTransformer, VisionTransformer, resnet18

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, Place, anatomy, pooled, positions


@pytest.fixture(scope="module")
def residual() -> nn.Module:
    torch.manual_seed(0)
    return resnet18(num_classes=7).eval()


def paths(model: nn.Module, side: int) -> list[tuple[str, str]]:
    parts = anatomy(model, torch.zeros(1, 3, side, side))
    return [(stage.place.path, stage.label) for stage in parts.stages]


def test_a_residual_network_is_cut_where_its_maps_become_smaller(residual: nn.Module) -> None:
    assert paths(residual, 64) == [
        ("relu", "32 px"),
        ("layer1", "16 px"),
        ("layer2", "8 px"),
        ("layer3", "4 px"),
        ("layer4", "2 px"),
    ]


def test_layers_that_leave_one_place_are_a_stage_and_averaging_is_none(residual: nn.Module) -> None:
    assert paths(residual, 32)[-1] == ("layer4", "1 px")
    assert "avgpool" not in dict(paths(residual, 64))


def test_what_the_last_layer_sees_and_each_stage_leaves_is_what_a_forward_by_hand_gives(residual: nn.Module) -> None:
    images = torch.randn(3, 3, 64, 64)
    net = residual
    with torch.no_grad():
        *stages, head = Backbone(net, anatomy(net, torch.zeros(1, 3, 64, 64))).places(images)
        maps = [net.relu(net.bn1(net.conv1(images)))]
        maps.append(net.layer1(net.maxpool(maps[-1])))
        for layer in (net.layer2, net.layer3, net.layer4):
            maps.append(layer(maps[-1]))
        last = net.avgpool(maps[-1]).flatten(1)
    for ours, by_hand in zip(stages, maps, strict=True):
        torch.testing.assert_close(ours, by_hand.flatten(2).mean(2))
    assert torch.equal(head, last)


def test_the_tail_begins_after_the_last_stage_but_one_and_leaves_the_head_out(residual: nn.Module) -> None:
    tail = anatomy(residual, torch.zeros(1, 3, 64, 64)).tail
    own = {
        path
        for path, module in residual.named_modules()
        if path.startswith("layer4") and list(module.parameters(recurse=False))
    }
    assert set(tail) == own


def test_a_transformer_is_cut_at_the_quarters_of_its_blocks() -> None:
    net = VisionTransformer(image_size=32, patch_size=8, num_layers=8, num_heads=2, hidden_dim=16, mlp_dim=32).eval()
    assert paths(net, 32) == [
        (f"encoder.layers.encoder_layer_{number - 1}", f"block {number} of 8") for number in (2, 4, 6, 8)
    ]
    tail = anatomy(net, torch.zeros(1, 3, 32, 32)).tail
    assert {path.split(".")[2] for path in tail if "encoder_layer" in path} == {"encoder_layer_6", "encoder_layer_7"}


def test_windows_of_attention_are_not_taken_for_maps() -> None:
    net = SwinTransformer([4, 4], 16, [2, 2, 2], [2, 2, 2], [4, 4], num_classes=5).eval()
    assert paths(net, 64) == [("features.1", "16 px"), ("features.3", "8 px"), ("features", "4 px")]
    with torch.no_grad():
        places = Backbone(net, anatomy(net, torch.zeros(1, 3, 64, 64))).places(torch.randn(2, 3, 64, 64))
    assert [tuple(each.shape) for each in places] == [(2, 16), (2, 32), (2, 64), (2, 64)]


class Shared(nn.Module):
    """One ReLU for all, and no container."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 6, 3, 2, 1)
        self.relu, self.last = nn.ReLU(), nn.Linear(6, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.relu(self.second(self.relu(self.first(images))))
        return self.last(maps.mean((2, 3)))


def test_turns_of_a_shared_module_are_told_apart() -> None:
    net = Shared().eval()
    parts = anatomy(net, torch.zeros(1, 3, 16, 16))
    assert [stage.place for stage in parts.stages] == [Place("relu", 0), Place("relu", 1)]
    images = torch.randn(5, 3, 16, 16)
    with torch.no_grad():
        first, second, head = Backbone(net, parts).places(images)
        once = net.relu(net.first(images))
        twice = net.relu(net.second(once))
    torch.testing.assert_close(first, once.mean((2, 3)))
    torch.testing.assert_close(second, twice.mean((2, 3)))
    assert torch.equal(head, twice.mean((2, 3)))


def test_a_network_without_layers_is_refused_in_words() -> None:
    with pytest.raises(CellError, match="no linear or convolutional layer"):
        anatomy(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("shape", "count"), [((1, 5, 3, 3), 9), ((1, 3, 3, 5), 9), ((1, 7, 5), 7), ((1, 5), 1), ((), 0), ((5,), 0)]
)
def test_the_places_of_a_map_are_counted_wherever_the_channels_are(shape: tuple[int, ...], count: int) -> None:
    assert positions(shape) == count


def test_pooling_leaves_the_channels() -> None:
    maps = torch.randn(2, 5, 3, 3)
    torch.testing.assert_close(pooled(maps), pooled(maps.permute(0, 2, 3, 1)))
    torch.testing.assert_close(pooled(maps), pooled(maps.flatten(2).mT))
