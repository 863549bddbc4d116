"""Standard normal numbers that are the same in Python and in a browser, so that both come to the same probability.

Number k of draw d is made from a counter alone: the hash of Tommy Ettinger's mulberry32 over 32 bits, and Box and
Muller's formula (Annals of Mathematical Statistics 29, 1958) on two of its numbers.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

DRAWS = 4000
MOST = 20  # numbers of one draw; contenders of a run are 20 at most


@cache
def normal_draws() -> NDArray[np.float64]:
    """Standard normal numbers, shape (DRAWS, MOST)."""
    counters = np.arange(2 * DRAWS * MOST, dtype=np.uint32).reshape(DRAWS, MOST, 2)
    uniform = (_hashed(counters).astype(np.float64) + 0.5) / 2.0**32
    return np.asarray(np.sqrt(-2 * np.log(uniform[..., 0])) * np.cos(2 * np.pi * uniform[..., 1]))


def _hashed(counters: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Mulberry32 after `counter + 1` steps: its state only counts, so that no number needs the ones before it."""
    state = (counters + np.uint32(1)) * np.uint32(0x6D2B79F5)
    mixed = (state ^ (state >> np.uint32(15))) * (state | np.uint32(1))
    mixed ^= mixed + (mixed ^ (mixed >> np.uint32(7))) * (mixed | np.uint32(61))
    return np.asarray(mixed ^ (mixed >> np.uint32(14)))
