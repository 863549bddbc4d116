"""Memory that is used again once nobody holds it.

A fresh batch of 64 images is 38 MiB, more than malloc keeps: each time the system hands out new pages and clears them,
which costs more than to fill them (four times as much, measured for the normalisation of a batch).
"""

from __future__ import annotations

import weakref
from collections import defaultdict, deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_Blocks = deque[NDArray[np.generic]]


class Recycler:
    """Gives uninitialised tensors on the CPU, in memory that an earlier one left.

    A tensor and all its views may be kept as long as anyone likes: its memory comes back when the last of them is
    gone. At most `keep` blocks of one shape wait here. Safe to use from several threads.
    """

    def __init__(self, keep: int) -> None:
        self._free: defaultdict[tuple[tuple[int, ...], torch.dtype], _Blocks] = defaultdict(lambda: deque(maxlen=keep))

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor of `shape` that holds anything."""
        free = self._free[shape, dtype]
        try:
            block = free.pop()
        except IndexError:
            block = torch.empty(shape, dtype=dtype).numpy()
        # The tensor's storage holds this view and nobody else does: its end is the end of the last user. The deque's
        # append is atomic, as it must be for a finaliser, which may run anywhere.
        lent = block.view()
        weakref.finalize(lent, free.append, block).atexit = False
        return torch.from_numpy(lent)
