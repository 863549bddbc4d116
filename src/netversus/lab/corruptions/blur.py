"""Blur. Images are float32 in [0, 1], shape (3, height, width)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.filters import disk, gaussian, smeared, zoomed


def gaussian_blur(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """A Gaussian of level[0] pixels."""
    return gaussian(image, level[0])


def defocus_blur(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """A disk of radius level[0], its rim softened by level[1] pixels."""
    return disk(image, level[0], level[1])


def motion_blur(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """A shake of radius level[0] and width level[1], at an angle from -45 to 45 degrees."""
    return smeared(image, level[0], level[1], chance.number(-45, 45))


def zoom_blur(image: Tensor, level: Sequence[float], _chance: Chance) -> Tensor:
    """The mean of the image and its enlargements by 1, 1 + level[1], ..., below level[0]."""
    factors = np.arange(1, level[0], level[1]).tolist()
    total = image.clone()
    for factor in factors:
        total += zoomed(image, factor)
    return total.div_(len(factors) + 1)


def glass_blur(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Frosted glass: blurred by level[0] pixels, shuffled within level[1] pixels level[2] times, and blurred again."""
    sigma, reach, times = level[0], int(level[1]), int(level[2])
    height, width = image.shape[-2:]
    coarse = gaussian(image, sigma).clamp(0, 1).mul(255).floor_().div_(255).flatten(1)
    for _ in range(times):
        steps = chance.whole(-reach, reach, 2, height, width)
        coarse = coarse[:, shuffled(steps[0], steps[1], reach).to(image.device)]
    return gaussian(coarse.view_as(image), sigma)


def shuffled(down: Tensor, across: Tensor, reach: int) -> Tensor:
    """From where each pixel takes its value: indices int64, shape (height x width,), into the flattened image.

    The paper's program walks from the last pixel to the first, `reach` pixels from the edges, and lets each take the
    value that the pixel `down` and `across` from it has at that moment. (It means to exchange the two. Its pixels being
    views of one array, it copies; every published image was made so.) So a pixel takes the first value of where it
    points, unless the walk passed there before: then what that one took. These chains are followed all at once, in
    steps that double.

    Args:
        down: int64, shape (height, width), from -reach to reach - 1.
        across: the same for columns.
        reach: in pixels.
    """
    height, width = down.shape
    own = torch.arange(height * width).view(height, width)
    rows, columns = torch.arange(height)[:, None], torch.arange(width)[None, :]
    walked = (rows > reach) & (rows <= height - reach) & (columns > reach) & (columns <= width - reach)
    target = torch.where(walked, (rows + down).clamp_(0, height - 1) * width + columns + across, own).flatten()
    passed = walked.flatten()[target] & (target > own.flatten())
    following = torch.where(passed, target, own.flatten())
    while True:
        further = following[following]
        if torch.equal(further, following):
            return target[following]
        following = further
