"""Which images are tampered with: a function of the seed and each image's id, whoever else is there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def drawn(ids: Sequence[str], seed: int, purpose: str) -> NDArray[np.uint64]:
    """A number for each image, uniform over 64 bits, uint64 (n,): the first bytes of SHA-256(seed, purpose, id)."""
    hashes = (hashlib.sha256(f"{seed}:{purpose}:{each}".encode(errors="surrogateescape")).digest() for each in ids)
    return np.frombuffer(b"".join(each[:8] for each in hashes), dtype=">u8").astype(np.uint64)


def chosen(
    ids: Sequence[str], among: NDArray[np.int64], count: int, seed: int, purpose: str = "poison"
) -> NDArray[np.int64]:
    """`count` of the indices `among` (all of them where there are fewer), ascending, int64.

    Those whose ids draw the lowest numbers: a larger count holds the smaller one, and another image in the data moves
    at most one other.
    """
    numbers = drawn([ids[i] for i in among], seed, purpose)
    return np.sort(among[np.argsort(numbers, kind="stable")[:count]])
