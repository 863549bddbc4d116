"""Common corruptions: the 15 and 4 of Hendrycks and Dietterich (ICLR 2019) at 5 severities, and four sweeps.

    from netversus.lab.corruptions.corrupt import corrupt
    corrupt(images, "motion_blur", 3, ids)

What happens to an image follows from its id, the corruption, the severity and a seed: not from its batch mates, nor
from the device. Where the published program is deterministic (contrast, brightness, saturation, pixelation, JPEG,
defocus, Gaussian and zoom blur) the result is the same to one level in 255; elsewhere it follows the same definition
with other random numbers. Two differ: frost (see `weather.frost`) and the outlines of `weather.spatter`.

This module holds the names and loads no torch.
"""

from __future__ import annotations

from typing import Final

from netversus.lab.corruptions.levels import SEVERITIES, size_of

__all__ = ["COMMON", "CORRUPTIONS", "EXTRA", "SEVERITIES", "SWEEPS", "size_of"]

COMMON: Final = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
"""Those that the mean corruption error is over."""

EXTRA: Final = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
"""Those that the paper holds back for validation."""

SWEEPS: Final = ("occlusion", "rotation", "compression", "resolution")
"""Our own: one thing changed step by step."""

CORRUPTIONS: Final = COMMON + EXTRA + SWEEPS
