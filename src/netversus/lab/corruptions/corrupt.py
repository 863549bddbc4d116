"""One door to all corruptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor

from netversus.errors import OptionError, nearest
from netversus.lab.corruptions import CORRUPTIONS, SEVERITIES, blur, digital, noise, sweeps, weather
from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.levels import level

Corruption = Callable[[Tensor, Sequence[float], Chance], Tensor]

_FUNCTIONS: Final[dict[str, Corruption]] = {
    "gaussian_noise": noise.gaussian_noise,
    "shot_noise": noise.shot_noise,
    "impulse_noise": noise.impulse_noise,
    "defocus_blur": blur.defocus_blur,
    "glass_blur": blur.glass_blur,
    "motion_blur": blur.motion_blur,
    "zoom_blur": blur.zoom_blur,
    "snow": weather.snow,
    "frost": weather.frost,
    "fog": weather.fog,
    "brightness": digital.brightness,
    "contrast": digital.contrast,
    "elastic_transform": digital.elastic_transform,
    "pixelate": digital.pixelate,
    "jpeg_compression": digital.jpeg_compression,
    "speckle_noise": noise.speckle_noise,
    "gaussian_blur": blur.gaussian_blur,
    "spatter": weather.spatter,
    "saturate": digital.saturate,
    "occlusion": sweeps.occlusion,
    "rotation": sweeps.rotation,
    "compression": sweeps.compression,
    "resolution": sweeps.resolution,
}

SMALLEST = 16
"""Pixels of a side: below this a shake or a shuffle leaves nothing of an image."""

_ROUNDING = 2e-3  # levels: what float32 may lose of a whole number, which the cut below must not turn into a level


def corrupt(images: Tensor, name: str, severity: int, ids: Sequence[str], *, seed: int = 0) -> Tensor:
    """Images that a corruption has been done to.

    Args:
        images: uint8, shape (n, 3, height, width), or floats in [0, 1] of that shape.
        name: one of `CORRUPTIONS`.
        severity: from 1 to 5.
        ids: one for each image; an image's luck follows from it.
        seed: for other luck.

    Returns:
        As the images came: uint8, cut to whole levels as the published images are; or float32 in [0, 1].

    Raises:
        OptionError: there is no such corruption or severity, or the images are of another kind, or too small.
    """
    if name not in _FUNCTIONS:
        raise OptionError(
            f"there is no corruption {name!r}, only {', '.join(CORRUPTIONS)}", hint=nearest(name, CORRUPTIONS)
        )
    if severity not in SEVERITIES:
        raise OptionError(f"a severity is a whole number from 1 to 5, got {severity!r}")
    _check(images, ids)
    numbers = level(name, severity, max(images.shape[-2:]))
    whole = images.dtype == torch.uint8
    result = torch.empty_like(images, dtype=torch.uint8 if whole else torch.float32)
    with _one_thread():
        for row, image, unit in zip(result, images, ids, strict=True):
            plain = image.float().div_(255) if whole else image.float()
            bad = _FUNCTIONS[name](plain, numbers, Chance(unit, name, str(severity), seed=seed)).clamp(0, 1)
            row.copy_(bad.mul_(255).add_(_ROUNDING) if whole else bad)
    return result


@contextmanager
def _one_thread() -> Iterator[None]:
    """The steps on one image are short: threads that wait for each other gain a third on a quiet machine of two cores
    (25 ms instead of 40 for fifteen corruptions at 224 px), and beside one other process cost forty times as much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check(images: Tensor, ids: Sequence[str]) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or len(images) != len(ids):
        raise OptionError(f"expected {len(ids)} images of shape (3, height, width), got {tuple(images.shape)}")
    if min(images.shape[-2:]) < SMALLEST:
        raise OptionError(f"images to corrupt must have sides of {SMALLEST} px or more, got {tuple(images.shape[-2:])}")
    if images.dtype == torch.uint8:
        return
    if not images.dtype.is_floating_point or not bool(((images >= 0) & (images <= 1)).all()):
        raise OptionError("images to corrupt are uint8, or floats in [0, 1] that have not been normalised")
