"""Small patterns at one place that come again and again in one class and hardly in the others.

What a backdoor's patch is, and a dealer's stamp, a scanner's mark, a date burnt in: what a network learns in place of
the class. A tile that is smooth (sky, a white border) is no pattern. A pattern is suspected when its excess in a class
over the others would not come by chance, all tiles and classes that were looked at counted (hypergeometric test,
Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

FEWEST = 5  # images that show it
SHARP = 60.0  # mean absolute difference of neighbouring pixels, of 255: at 40 the strokes of tiny digits pass
OFTENER = 10.0  # times as often in the class as in the others
CHANCE = 1e-3  # of one false pattern in all that is looked at
_LEVELS = 5  # bits that are dropped of each value: what compression changes


@dataclass(frozen=True, slots=True)
class Pattern:
    """A tile at column `x` and row `y` of the copies, `side` pixels wide, with the class that has it and its images,
    int64 (m,). `elsewhere`: how many images of other classes show it too."""

    x: int
    y: int
    side: int
    label: int
    images: NDArray[np.int64]
    elsewhere: int


def suspected_patterns(copies: NDArray[np.uint8], labels: NDArray[np.int64]) -> list[Pattern]:
    """The patterns that are suspected, the most frequent first; of those that the same images show, one.

    `copies` is uint8 (n, side, side, 3), `labels` int64 (n,). With one class there are no others to compare with.
    """
    if len(np.unique(labels)) < 2:
        return []
    found = list(_frequent(copies, labels))
    if not found:
        return []
    limit = CHANCE / len(found)
    sizes, total = np.bincount(labels), len(labels)
    kept: dict[bytes, Pattern] = {}
    for pattern in found:
        inside, own = len(pattern.images), int(sizes[pattern.label])
        oftener = inside / own >= OFTENER * pattern.elsewhere / (total - own)
        chance = float(hypergeom.sf(inside - 1, total, own, inside + pattern.elsewhere))
        if oftener and chance <= limit:
            kept.setdefault(pattern.images.tobytes(), pattern)
    return sorted(kept.values(), key=lambda pattern: (-len(pattern.images), pattern.y, pattern.x))


def _frequent(copies: NDArray[np.uint8], labels: NDArray[np.int64]) -> Iterator[Pattern]:
    """Every tile that `FEWEST` images of one class show at one place: what the chance is shared among."""
    whole = copies.shape[1]
    side, stride = max(3, whole // 16), max(1, whole // 32)
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 2**62, size=side * side * 3, dtype=np.int64).astype(np.uint64) | np.uint64(1)
    levels = copies >> _LEVELS
    for y in range(0, whole - side + 1, stride):
        for x in range(0, whole - side + 1, stride):
            sharp = np.flatnonzero(_sharpness(copies[:, y : y + side, x : x + side]) >= SHARP)
            if len(sharp) >= FEWEST:
                tiles = levels[sharp, y : y + side, x : x + side].reshape(len(sharp), -1).astype(np.uint64)
                yield from _groups((tiles * weights).sum(axis=1, dtype=np.uint64), sharp, labels, (x, y, side))


def _sharpness(tiles: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean absolute difference of neighbours, over both directions and the channels, float64 (n,)."""
    wide = tiles.astype(np.int16)
    across = np.abs(np.diff(wide, axis=2)).mean(axis=(1, 2, 3))
    down = np.abs(np.diff(wide, axis=1)).mean(axis=(1, 2, 3))
    return np.asarray((across + down) / 2)


def _groups(
    keys: NDArray[np.uint64], places: NDArray[np.int64], labels: NDArray[np.int64], at: tuple[int, int, int]
) -> Iterator[Pattern]:
    """The images with one tile, by class."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
    for group in np.split(places[order], starts[1:]):
        if len(group) < FEWEST:
            continue
        counts = np.bincount(labels[group])
        for label in np.flatnonzero(counts >= FEWEST):
            members = np.sort(group[labels[group] == label])
            yield Pattern(*at, int(label), members, len(group) - len(members))
