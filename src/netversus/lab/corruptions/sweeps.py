"""One thing changed step by step, beside the published corruptions.

Images are float32 in [0, 1], shape (3, height, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin, sqrt

from torch import Tensor
from torch.nn.functional import interpolate

from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.digital import jpeg_compression
from netversus.lab.corruptions.filters import places, sampled


def occlusion(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """A grey rectangle of the image's shape at a random place hides the share level[0] of it."""
    height, width = image.shape[-2:]
    high, wide = (max(1, round(side * sqrt(level[0]))) for side in (height, width))
    top, left = (int(chance.whole(0, room + 1, 1)) for room in (height - high, width - wide))
    hidden = image.clone()
    hidden[:, top : top + high, left : left + wide] = 0.5
    return hidden


def rotation(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Turned about its middle by level[0] degrees, to either side; beyond its edge the image is mirrored."""
    height, width = image.shape[-2:]
    angle = radians(level[0]) * (1 if int(chance.whole(0, 2, 1)) else -1)
    rows, columns = places(height, width)
    y, x = rows - (height - 1) / 2, columns - (width - 1) / 2
    down = y * cos(angle) - x * sin(angle) + (height - 1) / 2
    across = y * sin(angle) + x * cos(angle) + (width - 1) / 2
    return sampled(image, down, across, edge_twice=False)


def compression(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Stored as a JPEG of quality level[0]: the published corruption's scale, from hardly to badly."""
    return jpeg_compression(image, level, chance)


def resolution(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """Made smaller to level[0] of its sides, each pixel the mean of an area, and enlarged bilinearly."""
    height, width = image.shape[-2:]
    size = tuple(max(1, round(side * level[0])) for side in (height, width))
    small = interpolate(image[None], size=size, mode="area")
    return interpolate(small, size=(height, width), mode="bilinear", align_corners=False)[0]
