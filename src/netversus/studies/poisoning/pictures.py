"""Strips of small pictures, side by side."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from torch import Tensor


def strip(images: Tensor) -> bytes:
    """Images, uint8 (n, 3, side, side), side by side as one PNG."""
    row = np.concatenate(list(images.permute(0, 2, 3, 1).cpu().numpy()), axis=1)
    file = io.BytesIO()
    Image.fromarray(row).save(file, format="PNG", optimize=True)
    return file.getvalue()
