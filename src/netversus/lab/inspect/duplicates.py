"""Images that are the same, and images that are nearly the same.

Candidates are found by their hashes (a Hamming distance of `NEAR_BITS` at most, all pairs compared, in blocks), and
kept only where the pictures themselves agree: equal hashes alone accuse what merely looks alike from afar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from netversus.lab.inspect.prints import Prints

NEAR_BITS = 8  # of 64
ALIKE = 0.98  # correlation of the grey copies
CLOSE = 0.04  # root mean square difference after brightness and contrast are matched, as a share of 255
_BLOCK = 1024
_ONES = np.array([value.bit_count() for value in range(2**16)], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images by their places, the first below the second. `equal`: pixel for pixel; `likeness` is their correlation
    in grey, 1 for equal ones."""

    first: int
    second: int
    equal: bool
    likeness: float


def equal_pairs(prints: Prints) -> list[Pair]:
    """Images whose pixels are equal: each with the one before it, so that n equal images make n - 1 pairs."""
    places: dict[str, list[int]] = {}
    for place, digest in enumerate(prints.digests):
        places.setdefault(digest, []).append(place)
    return [Pair(a, b, equal=True, likeness=1.0) for same in places.values() for a, b in pairwise(same)]


def near_pairs(prints: Prints) -> list[Pair]:
    """Images that are nearly, but not, equal. Pictures without any contrast have no likeness and are left out."""
    found = []
    for first, second in _candidates(prints.hashes):
        if prints.digests[first] != prints.digests[second]:
            likeness = _likeness(prints.grey[first], prints.grey[second])
            if likeness is not None:
                found.append(Pair(first, second, equal=False, likeness=likeness))
    return found


def _candidates(hashes: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """Places of all pairs that differ in `NEAR_BITS` at most: n² / 2 comparisons of eight bytes."""
    for start in range(0, len(hashes), _BLOCK):
        for other in range(start, len(hashes), _BLOCK):
            differing = hashes[start : start + _BLOCK, None] ^ hashes[None, other : other + _BLOCK]
            for a, b in np.argwhere(_ones(differing) <= NEAR_BITS).tolist():
                if start + a < other + b:
                    yield start + a, other + b


def _ones(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many bits of each are set. (NumPy counts them itself from its version 2 on, which is not asked for.)"""
    parts = values[..., None].view(np.uint16)
    return np.asarray(_ONES[parts].sum(axis=-1, dtype=np.uint8))


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float | None:
    """The correlation of two grey copies where they are nearly equal, else None."""
    centred_a, centred_b = a - a.mean(), b - b.mean()
    norm = float(np.linalg.norm(centred_a) * np.linalg.norm(centred_b))
    if norm == 0:
        return None
    correlation = float(centred_a @ centred_b) / norm
    slope = float(centred_a @ centred_b) / float(centred_a @ centred_a)
    rest = float(np.sqrt(np.mean((centred_b - slope * centred_a) ** 2))) / 255
    return correlation if correlation >= ALIKE and rest <= CLOSE else None
