"""What a network says of prepared images, in eval mode."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.data.dataset import ImageSet
from netversus.lab.evaluation import predict
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import Preprocessing

BATCH = 64


def pixels(images: ImageSet, preprocessing: Preprocessing, index: NDArray[np.int64] | None = None) -> Tensor:
    """A split, or the images of it at `index`, decoded and prepared once: uint8, shape (n, 3, crop, crop)."""
    chosen = range(len(images)) if index is None else index.tolist()
    stack = torch.empty((len(chosen), 3, preprocessing.crop, preprocessing.crop), dtype=torch.uint8)
    for place, one in enumerate(chosen):
        stack[place] = to_uint8(images.image(one), preprocessing)
    return stack


def resident(stack: Tensor, device: torch.device) -> Tensor:
    """The images on the device where they take less than half of its free memory, else where they are."""
    if device.type != "cuda" or 2 * stack.nbytes > torch.cuda.mem_get_info(device)[0]:
        return stack
    return stack.to(device)


def answers(
    model: nn.Module, images: Tensor, index: NDArray[np.int64], preprocessing: Preprocessing, device: torch.device
) -> NDArray[np.int64]:
    """The class given to each of the images, uint8 (n, 3, h, w), at `index`: int64, shape (len(index),)."""
    model.eval()
    parts = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(index), BATCH):
        chosen = torch.from_numpy(index[start : start + BATCH]).to(images.device)
        inputs = normalise(images[chosen].to(device), preprocessing)
        parts.append(predict(model, inputs).argmax(dim=1).numpy())
    return np.concatenate(parts)
