"""Pictures that follow from a formula, so that another environment's programs can be shown the same ones."""

from __future__ import annotations

import numpy as np


def picture(number: int, side: int) -> np.ndarray:
    """Waves, a bright disk and dark bars, uint8, shape (side, side, 3)."""
    y, x = np.mgrid[:side, :side] / side
    channels = []
    for channel in range(3):
        waves = np.sin(2 * np.pi * ((2 + number) * x + (3 - channel) * y + 0.3 * channel)) * 0.25
        disk = 0.35 * ((x - 0.4 - 0.05 * number) ** 2 + (y - 0.5) ** 2 < 0.04)
        bars = 0.3 * ((x * 8 + channel * 0.3 + number).astype(int) % 2 == 0) * (y > 0.7)
        channels.append(0.5 + waves + disk - bars)
    return (np.clip(np.stack(channels, axis=-1), 0, 1) * 255).astype(np.uint8)
