"""The recorded shuffle: in folder order the error rates of a test that may stop early do not hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def recorded_shuffle(count: int, seed: int) -> NDArray[np.int64]:
    """The order in which `count` units are read: a permutation of range(count), the same on every machine."""
    return np.random.default_rng(np.random.SeedSequence([seed, count])).permutation(count)
