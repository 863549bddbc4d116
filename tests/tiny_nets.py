"""Networks small enough to be trained in a test: contenders by the spec `py:tiny_nets:narrow`."""

from __future__ import annotations

from torch import nn


def _net(width: int, num_classes: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * width, num_classes),
    )


def narrow(num_classes: int = 10) -> nn.Module:
    return _net(4, num_classes)


def wide(num_classes: int = 10) -> nn.Module:
    return _net(12, num_classes)


def middling(num_classes: int = 10) -> nn.Module:
    return _net(8, num_classes)
