"""Images to contenders: each is decoded once and prepared once for each distinct preprocessing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from netversus.lab.data.dataset import ImageSet
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import Preprocessing


def shuffled(count: int, seed: int) -> NDArray[np.int64]:
    """The recorded order in which images are read: a permutation of range(count), the same on every machine."""
    return np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(count)


@dataclass
class Batch:
    """Decoded images: `ids` and `labels` (int64, shape (n,)) in order; `stop` counts the images so far."""

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    images: list[Image.Image]
    stop: int
    device: torch.device
    _prepared: dict[Preprocessing, Tensor] = field(default_factory=dict)

    def inputs(self, preprocessing: Preprocessing) -> Tensor:
        """The batch as a contender wants it: float32, shape (n, 3, crop, crop), on the device."""
        if preprocessing not in self._prepared:
            stacked = torch.stack([to_uint8(image, preprocessing) for image in self.images])
            self._prepared[preprocessing] = normalise(stacked.to(self.device), preprocessing)
        return self._prepared[preprocessing]


def batches(images: ImageSet, order: NDArray[np.int64], size: int, device: torch.device) -> Iterator[Batch]:
    """The images at the indices `order`, decoded once, `size` at a time."""
    for start in range(0, len(order), size):
        index = order[start : start + size]
        yield Batch(
            ids=tuple(images.ids[i] for i in index),
            labels=images.labels[index],
            images=[images.image(int(i)) for i in index],
            stop=start + len(index),
            device=device,
        )


@torch.inference_mode()
def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits on the CPU, float32, shape (n, classes)."""
    logits: Tensor = model(inputs)
    return logits.float().cpu()
