"""What tracks are worth: the counts of HOTA, CLEAR MOT and Identity, as TrackEval counts them (tested equal to it).

All pairs of a true and a given box of one picture are laid side by side for the whole sequence, so that what TrackEval
does picture by picture and threshold by threshold is done at once; only the assignments are solved one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from netversus.lab.tracking.tracks import EXCUSED, Tracks, Truth
from netversus.statistics.tracks import THRESHOLDS, Counts

Array = NDArray[np.float64]
Places = NDArray[np.int64]

HALF = 0.5
_EPS = float(np.finfo(float).eps)  # TrackEval compares with this slack
_CONTINUED = 1000.0  # what a track that goes on is worth beside an IoU
_NONE = -1


def judge(truth: Truth, found: Tracks) -> Counts:
    """The counts of one sequence.

    Args:
        truth: what there is.
        found: the tracker's boxes; a picture holds each of its ids at most once.
    """
    found = _without_excused(truth, found)
    pairs = _Pairs.of(truth.counted, found, truth.length)
    matched, linked = _hota(pairs)
    clear_matched, switches = _clear(pairs)
    return Counts(
        unit=truth.unit,
        objects=len(pairs.objects),
        boxes=len(pairs.boxes),
        matched=tuple(int(value) for value in matched),
        linked=tuple(float(value) for value in linked),
        clear_matched=clear_matched,
        switches=switches,
        id_matched=_identity(pairs),
    )


def overlaps(a: Array, b: Array) -> Array:
    """IoU of boxes with boxes of the same shape (..., 4); 0 where one of them has no area."""
    least, most = np.minimum(a, b), np.maximum(a, b)
    shared = np.maximum(least[..., 2] - most[..., 0], 0) * np.maximum(least[..., 3] - most[..., 1], 0)
    area_a, area_b = _area(a), _area(b)
    union = area_a + area_b - shared
    real = (area_a > _EPS) & (area_b > _EPS) & (union > _EPS)
    return np.asarray(np.where(real, shared, 0.0) / np.where(real, union, 1.0))


def _area(boxes: Array) -> Array:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Every pair of a true and a given box of one picture.

    `objects` and `boxes` are the tracks of the true and the given boxes, as indices from 0. The pairs of a picture lie
    side by side from `starts` on, `highs` x `wides` of them, a row a true box: `overlap` is their IoU, `rows` and
    `columns` are places among `objects` and `boxes`.
    """

    objects: Places
    boxes: Places
    starts: Places
    highs: Places
    wides: Places
    overlap: Array
    rows: Places
    columns: Places

    @property
    def tracks(self) -> tuple[int, int]:
        """How many objects and how many tracks there are."""
        return int(self.objects.max(initial=_NONE)) + 1, int(self.boxes.max(initial=_NONE)) + 1

    @classmethod
    def of(cls, truth: Tracks, found: Tracks, length: int) -> _Pairs:
        highs = np.bincount(truth.frames, minlength=length)
        wides = np.bincount(found.frames, minlength=length)
        sizes = highs * wides
        starts = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
        frame = np.repeat(np.arange(length), sizes)
        within = np.arange(int(sizes.sum())) - starts[frame]
        first_row = np.cumsum(highs) - highs
        first_column = np.cumsum(wides) - wides
        rows = first_row[frame] + within // np.maximum(wides[frame], 1)
        columns = first_column[frame] + within % np.maximum(wides[frame], 1)
        return cls(
            objects=np.unique(truth.ids, return_inverse=True)[1].reshape(-1).astype(np.int64),
            boxes=np.unique(found.ids, return_inverse=True)[1].reshape(-1).astype(np.int64),
            starts=starts,
            highs=highs,
            wides=wides,
            overlap=overlaps(truth.corners[rows], found.corners[columns]),
            rows=rows,
            columns=columns,
        )

    def table(self, values: NDArray[np.float64], frame: int) -> Array:
        """The values of one picture's pairs, shape (high, wide)."""
        high, wide = self.highs[frame], self.wides[frame]
        return values[self.starts[frame] : self.starts[frame] + high * wide].reshape(high, wide)

    @property
    def shared(self) -> Places:
        """The pictures that hold boxes of both."""
        return np.flatnonzero(self.highs * self.wides)

    def assigned(self, worth: NDArray[np.float64]) -> Places:
        """The pairs of the best assignment of every picture: places among the pairs."""
        chosen = []
        for frame in self.shared:
            rows, columns = linear_sum_assignment(self.table(worth, frame), maximize=True)
            chosen.append(self.starts[frame] + rows * self.wides[frame] + columns)
        return np.concatenate(chosen) if chosen else np.zeros(0, dtype=np.int64)


def _hota(pairs: _Pairs) -> tuple[Array, Array]:
    """Matched pairs, and the sum of their association, at each threshold, shapes (19,)."""
    objects, tracks = pairs.tracks
    if not len(pairs.overlap):
        return np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS))
    codes = pairs.objects[pairs.rows] * tracks + pairs.boxes[pairs.columns]
    lengths = (
        np.bincount(pairs.objects, minlength=objects)[:, None] + np.bincount(pairs.boxes, minlength=tracks)[None, :]
    ).reshape(-1)
    potential = np.bincount(codes, weights=_relative(pairs), minlength=objects * tracks)
    alignment = potential / (lengths - potential)
    chosen = pairs.assigned(alignment[codes] * pairs.overlap)
    enough = pairs.overlap[chosen][None, :] >= np.arange(0.05, 0.99, 0.05)[:, None] - _EPS
    kinds, kind = np.unique(codes[chosen], return_inverse=True)
    together = np.array([np.bincount(kind[row], minlength=len(kinds)) for row in enough], dtype=np.float64)
    agreement = together / np.maximum(1, lengths[kinds] - together)
    return enough.sum(axis=1).astype(np.float64), (together * agreement).sum(axis=1)


def _relative(pairs: _Pairs) -> Array:
    """Each pair's overlap beside all others of its two boxes, in [0, 1]."""
    of_row = np.bincount(pairs.rows, weights=pairs.overlap, minlength=len(pairs.objects))
    of_column = np.bincount(pairs.columns, weights=pairs.overlap, minlength=len(pairs.boxes))
    every = of_row[pairs.rows] + of_column[pairs.columns] - pairs.overlap
    return np.asarray(np.where(every > _EPS, pairs.overlap, 0.0) / np.where(every > _EPS, every, 1.0))


def _clear(pairs: _Pairs) -> tuple[int, int]:
    """Matched pairs at an IoU of 0.5, and how often an object's track changed: a match that goes on comes first."""
    objects, _ = pairs.tracks
    last = np.full(objects, _NONE)  # the track that an object had, however long ago
    before = np.full(objects, _NONE)  # and the one that it had in the last picture with boxes of both
    near = np.where(pairs.overlap < HALF - _EPS, 0.0, 1.0)
    matched = switches = 0
    for frame in pairs.shared:
        first = pairs.starts[frame]
        stop = first + pairs.highs[frame] * pairs.wides[frame]
        of, by = pairs.objects[pairs.rows[first:stop]], pairs.boxes[pairs.columns[first:stop]]
        worth = near[first:stop] * (_CONTINUED * (by == before[of]) + pairs.overlap[first:stop])
        table = worth.reshape(pairs.highs[frame], pairs.wides[frame])
        rows, columns = linear_sum_assignment(table, maximize=True)
        chosen = (rows * pairs.wides[frame] + columns)[table[rows, columns] > _EPS]
        of, by = of[chosen], by[chosen]
        switches += int(((last[of] != _NONE) & (last[of] != by)).sum())
        last[of] = by
        before[:] = _NONE
        before[of] = by
        matched += len(chosen)
    return matched, switches


def _identity(pairs: _Pairs) -> int:
    """IDTP. To make the fewest errors is to have the most boxes under the right name."""
    objects, tracks = pairs.tracks
    near = pairs.overlap >= HALF
    if not near.any():
        return 0
    codes = pairs.objects[pairs.rows[near]] * tracks + pairs.boxes[pairs.columns[near]]
    table = np.bincount(codes, minlength=objects * tracks).reshape(objects, tracks)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return int(table[rows, columns].sum())


def _without_excused(truth: Truth, found: Tracks) -> Tracks:
    """The tracker's boxes but those whose best match among all true boxes is one that excuses it."""
    if not (truth.roles == EXCUSED).any() or not len(found):
        return found
    pairs = _Pairs.of(truth.tracks, found, truth.length)
    worth = np.where(pairs.overlap < HALF - _EPS, 0.0, pairs.overlap)
    chosen = pairs.assigned(worth)
    chosen = chosen[(worth[chosen] > _EPS) & (truth.roles[pairs.rows[chosen]] == EXCUSED)]
    keep = np.ones(len(found), dtype=np.bool_)
    keep[pairs.columns[chosen]] = False
    return found.only(keep)
