"""The boxes that a tracker is given, picture by picture: the true ones with their identities hidden, or such as a
detector of middling quality would find, the same for every contender. Loads no torch.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from netversus.lab.tracking.tracks import Array, Places, Tracks, Truth, joined

MISSED = 0.1  # of the true boxes
FALSE = 0.05  # a true box
MOVED = 0.06  # standard deviation of each edge, of the box's side
SURE, UNSURE = (0.6, 1.0), (0.3, 0.7)  # scores of what is there, and of what is not
NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The k boxes of one picture: corners (k, 4) in pixels, scores (k,), and for the judge alone which object each is
    of, int64 (k,), -1 for none."""

    corners: Array
    scores: Array
    objects: Places

    def __len__(self) -> int:
        return len(self.scores)


def true_boxes(truth: Truth) -> tuple[Shown, ...]:
    """The boxes that there are."""
    return tuple(Shown(corners, np.ones(len(ids)), ids) for ids, corners in _by_picture(truth.counted, truth.length))


def disturbed_boxes(truth: Truth, seed: int) -> tuple[Shown, ...]:
    """The boxes that there are, some missed, all of them moved, some added where nothing is.

    They follow from the seed, the sequence's name and the true boxes alone.
    """
    rng = np.random.default_rng([seed, zlib.crc32(truth.unit.encode())])
    return tuple(_disturbed(ids, corners, rng) for ids, corners in _by_picture(truth.counted, truth.length))


def with_true_names(shown: Sequence[Shown]) -> Tracks:
    """The given boxes under the names of their objects, the false ones left out: no association can do better."""
    parts = []
    for frame, one in enumerate(shown):
        real = one.objects != NOBODY
        parts.append((frame, one.objects[real], one.corners[real], one.scores[real]))
    return joined(parts)


def _by_picture(tracks: Tracks, length: int) -> list[tuple[Places, Array]]:
    ends = np.searchsorted(tracks.frames, np.arange(length + 1))
    return [(tracks.ids[begin:end], tracks.corners[begin:end]) for begin, end in pairwise(ends)]


def _disturbed(ids: Places, corners: Array, rng: np.random.Generator) -> Shown:
    kept = rng.random(len(ids)) >= MISSED
    added = rng.random(len(ids)) < FALSE
    found = _moved(corners, MOVED, rng)[kept]
    false = _moved(corners, 1.0, rng)[added]
    return Shown(
        corners=np.concatenate([found, false]),
        scores=np.concatenate([rng.uniform(*SURE, len(found)), rng.uniform(*UNSURE, len(false))]),
        objects=np.concatenate([ids[kept], np.full(len(false), NOBODY, dtype=np.int64)]),
    )


def _moved(corners: Array, share: float, rng: np.random.Generator) -> Array:
    """Corners moved by a share of the sides: edge by edge where they move little, whole boxes where they move far."""
    sides = corners[:, 2:] - corners[:, :2]
    if share >= 1:
        return np.asarray(corners + np.tile(share * sides * _away(rng, len(corners)), 2))
    moved = corners + share * np.tile(sides, 2) * rng.standard_normal(corners.shape)
    least, most = np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])
    return np.concatenate([least, np.maximum(most, least + 1)], axis=1)


def _away(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Steps of one to two sides in both directions, either way."""
    return np.asarray(rng.uniform(1, 2, (count, 2)) * rng.choice([-1.0, 1.0], (count, 2)))


def evenly_sure(shown: Sequence[Shown]) -> tuple[Shown, ...]:
    """The same boxes, whose scores are spread evenly over those that given boxes of objects have; their order stays.

    The library's trackers compare scores with fixed numbers, and no two detectors mean the same by a score: one that is
    never sure of anything would not be tracked at all.
    """
    from scipy.stats import rankdata  # slow to load, and the studies' declarations import this module

    scores = np.concatenate([one.scores for one in shown] or [np.zeros(0)])
    low, high = SURE
    ranks = (rankdata(scores) - 0.5) / max(1, len(scores))
    spread = low + (high - low) * ranks
    ends = np.cumsum([0, *map(len, shown)])
    return tuple(
        replace(one, scores=spread[start:end]) for one, (start, end) in zip(shown, pairwise(ends), strict=True)
    )
