"""Which image is shown when: a pure function of (seed, epoch, step), whoever trains and however often it was killed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def sample_order(images: int, samples: int, seed: int, repeated: int = 1) -> NDArray[np.int64]:
    """Indices of the images in the order in which they are shown: int64, shape (samples,).

    Each epoch is a fresh permutation that follows from (seed, epoch) alone. With `repeated` > 1 an epoch shows fewer
    different images, each so often in a row (repeated augmentation, Hoffer et al. 2020; Berman et al. 2019).
    """
    epochs = math.ceil(samples / images)
    return np.concatenate([_epoch(images, seed, epoch, repeated) for epoch in range(epochs)])[:samples]


def _epoch(images: int, seed: int, epoch: int, repeated: int) -> NDArray[np.int64]:
    order = np.random.default_rng([seed, epoch]).permutation(images)
    return order if repeated == 1 else np.repeat(order, repeated)[:images]


def share(batch: NDArray[np.int64], rank: int, world: int) -> NDArray[np.int64]:
    """The part of a step's images that one of `world` processes sees: every image is seen by exactly one."""
    return batch[rank::world]
