"""Residual networks small enough to be trained in a test: contenders by the spec `py:tiny_residual_nets:shallow`."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class Block(nn.Module):
    """What two convolutions add to what they are given."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        added = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(maps)))))
        return self.relu(maps + added)


def _net(blocks: int, num_classes: int) -> nn.Module:
    width = 8
    parts = OrderedDict(
        stem=nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU()),
        layer=nn.Sequential(*(Block(width) for _ in range(blocks))),
        down=nn.Sequential(nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU()),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        head=nn.Linear(width, num_classes),
    )
    return nn.Sequential(parts)


def shallow(num_classes: int = 10) -> nn.Module:
    return _net(1, num_classes)


def deep(num_classes: int = 10) -> nn.Module:
    return _net(3, num_classes)
