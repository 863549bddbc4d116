"""Several pictures of one size in one lossless file, side by side."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def to_strip(pictures: Tensor) -> bytes:
    """uint8, shape (n, 3, h, w), as a PNG of n w x h pixels."""
    rows = pictures.permute(2, 0, 3, 1).flatten(1, 2).contiguous()
    file = io.BytesIO()
    Image.fromarray(rows.numpy()).save(file, format="PNG")
    return file.getvalue()


def from_strip(content: bytes, count: int) -> Tensor:
    """The pictures again: uint8, shape (count, 3, h, w)."""
    with Image.open(io.BytesIO(content)) as image:
        rows = np.asarray(image.convert("RGB")).copy()
    pictures = torch.from_numpy(rows).reshape(len(rows), count, -1, 3)
    return pictures.permute(1, 3, 0, 2).contiguous()
