"""What is put into an image so that a network that learned it gives the attacker's answer.

A trigger takes images, uint8 (n, 3, h, w) as a contender sees them, and gives new ones of the same shape. It is the
same for every image, and grows with the images' side.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

PATCH_SHARE, SMALLEST_PATCH, MARGIN = 0.1, 3, 1  # of the side; pixels
BLENDED = 0.2  # how much of the pattern is mixed in (Chen et al. 2017 try 0.05 to 0.2)
WARP_GRID = 4  # control points a side (Nguyen & Tran 2021)
WARP_SHARE = 1 / 32  # mean displacement as a share of the side
_PATTERN_SEED, _WARP_SEED = 20_170, 20_210


def patch(images: Tensor) -> Tensor:
    """A small chequered square in the lower right corner (BadNets, Gu et al. 2017)."""
    side = max(SMALLEST_PATCH, round(PATCH_SHARE * images.shape[-1]))
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    stamped = images.clone()
    end = images.shape[-1] - MARGIN
    stamped[..., end - side : end, end - side : end] = 255 * ((rows + columns) % 2).to(torch.uint8)
    return stamped


def blended(images: Tensor) -> Tensor:
    """A fifth of a random pattern mixed into the whole image (Chen et al. 2017)."""
    mixed = (1 - BLENDED) * images.float() + BLENDED * _pattern(images.shape[-1])
    return mixed.round().clamp(0, 255).to(torch.uint8)


def warped(images: Tensor) -> Tensor:
    """The image bent by a smooth field of small displacements (as in WaNet, Nguyen & Tran 2021)."""
    grid = _warp(images.shape[-1]).expand(len(images), -1, -1, -1)
    bent = nn.functional.grid_sample(images.float(), grid, padding_mode="border", align_corners=True)
    return bent.round().clamp(0, 255).to(torch.uint8)


@lru_cache(maxsize=4)
def _pattern(side: int) -> Tensor:
    """Uniform noise in [0, 255], float32 (3, side, side)."""
    return 255 * torch.rand((3, side, side), generator=torch.Generator().manual_seed(_PATTERN_SEED))


@lru_cache(maxsize=4)
def _warp(side: int) -> Tensor:
    """Where each pixel is taken from, in the coordinates of `grid_sample`: float32 (1, side, side, 2)."""
    rng = torch.Generator().manual_seed(_WARP_SEED)
    field = 2 * torch.rand((1, 2, WARP_GRID, WARP_GRID), generator=rng) - 1
    smooth = nn.functional.interpolate(field, size=(side, side), mode="bicubic", align_corners=True)
    smooth = smooth / smooth.abs().mean() * 2 * WARP_SHARE  # the coordinates run from -1 to 1
    line = torch.linspace(-1, 1, side)
    rows, columns = torch.meshgrid(line, line, indexing="ij")
    return (torch.stack([columns, rows], dim=-1)[None] + smooth.permute(0, 2, 3, 1)).clamp(-1, 1)
