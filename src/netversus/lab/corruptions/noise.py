"""Noise. Images are float32 in [0, 1], shape (3, height, width); results may leave [0, 1] and are clipped later."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netversus.lab.corruptions.chance import Chance


def gaussian_noise(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Normal noise of standard deviation level[0] on every value."""
    return chance.normal(*image.shape).to(image.device).mul_(level[0]).add_(image)


def shot_noise(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Poisson noise: level[0] photons make white."""
    return chance.poisson(image.cpu() * level[0]).to(image.device).div_(level[0])


def impulse_noise(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """A share level[0] of the values becomes 0 or 1, each as often."""
    drawn = chance.uniform(*image.shape).to(image.device)
    dark = image.masked_fill(drawn < level[0] / 2, 0.0)
    return dark.masked_fill_(drawn >= 1 - level[0] / 2, 1.0)


def speckle_noise(image: Tensor, level: Sequence[float], chance: Chance) -> Tensor:
    """Normal noise, the stronger the brighter: level[0] of each value."""
    noise = chance.normal(*image.shape).to(image.device)
    return torch.addcmul(image, image, noise, value=level[0])
