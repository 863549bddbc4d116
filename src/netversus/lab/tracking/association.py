"""Boxes to tracks, picture by picture, by place and by appearance. Loads no torch.

A track is looked for where its last steps lead. A pair of a track and a box is worth

    (1 - w) IoU + w cosine

of the IoU with that place and the cosine of what the contender sees in the box and saw in the track; w is 0 without
appearance. The best assignment of all pairs that are allowed is taken (Hungarian method), as in DeepSORT (Wojke et al.,
ICIP 2017), whose Kalman filter is here a plain mean of the last steps. A pair is allowed where the boxes overlap
enough; with appearance also where they look alike and are not far apart. The settings are fixed, the same for every
contender.

Features of one network lie in a narrow cone, another's do not. So the mean of all that was seen in the sequence so far
is taken from them before the cosine: what counts is how boxes differ from each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from netversus.lab.tracking.given import Shown
from netversus.lab.tracking.judge import overlaps
from netversus.lab.tracking.tracks import Array, Places, Tracks, joined

APPEARANCE: Final = 0.5  # w
LEAST_OVERLAP: Final = 0.1
LEAST_LIKENESS: Final = 0.4
REACH: Final = 1.0  # diagonals of the track's box, and as much again for each picture it was not seen
PATIENCE: Final = 30  # pictures after which a lost track has ended
MEMORY: Final = 0.8  # of what a track looked like, beside its newest box
INERTIA: Final = 0.5  # of its step
_NEVER = -1e6


def associate(shown: Sequence[Shown], features: Sequence[Array] | None = None) -> Tracks:
    """The tracks of one sequence.

    Args:
        shown: the boxes of each picture.
        features: what is seen in each of them, float, shape (k, width) a picture; None: place alone decides.
    """
    memory = _Memory()
    parts = []
    for frame, one in enumerate(shown):
        ids = memory.follow(frame, one.corners, None if features is None else features[frame])
        parts.append((frame, ids, one.corners, one.scores))
    return joined(parts)


@dataclass
class _Track:
    """What is remembered of a track: its name, its last box, its step a picture, when it was seen, how it looked."""

    name: int
    corners: Array
    seen: int
    look: Array | None
    step: Array = field(default_factory=lambda: np.zeros(4))

    def expected(self, frame: int) -> Array:
        return np.asarray(self.corners + (frame - self.seen) * self.step)

    def go_on(self, frame: int, corners: Array, look: Array | None) -> None:
        # The step is the centre's: that a box grows for a picture says little of the next one.
        moved = (corners - self.corners).reshape(2, 2).mean(axis=0) / (frame - self.seen)
        self.step = INERTIA * self.step + (1 - INERTIA) * np.tile(moved, 2)
        self.corners, self.seen = corners, frame
        if look is not None and self.look is not None:
            self.look = MEMORY * self.look + (1 - MEMORY) * look


@dataclass
class _Memory:
    """The tracks that have not ended, and the mean of all that was seen."""

    tracks: list[_Track] = field(default_factory=list)
    names: int = 0
    total: Array | float = 0.0
    count: int = 0

    def follow(self, frame: int, corners: Array, features: Array | None) -> Places:
        """The names of a picture's tracks, from 1, int64, shape (k,)."""
        looks = None if features is None else self._looks(features)
        self.tracks = [track for track in self.tracks if frame - track.seen <= PATIENCE]
        names = np.zeros(len(corners), dtype=np.int64)
        for place, box in self._pairs(frame, corners, looks):
            track = self.tracks[place]
            track.go_on(frame, corners[box], None if looks is None else looks[box])
            names[box] = track.name
        for box in np.flatnonzero(names == 0).tolist():
            self.names += 1
            names[box] = self.names
            self.tracks.append(_Track(self.names, corners[box], frame, None if looks is None else looks[box]))
        return names

    def _looks(self, features: Array) -> Array:
        looks = _unit(np.asarray(features, dtype=np.float64))
        self.total = self.total + looks.sum(axis=0)
        self.count += len(looks)
        return looks

    def _pairs(self, frame: int, corners: Array, looks: Array | None) -> list[tuple[int, int]]:
        if not self.tracks or not len(corners):
            return []
        expected = np.array([track.expected(frame) for track in self.tracks])
        overlap = overlaps(expected[:, None, :], corners[None, :, :])
        worth, allowed = overlap, overlap >= LEAST_OVERLAP
        if looks is not None:
            likeness = self._likeness(looks)
            worth = (1 - APPEARANCE) * overlap + APPEARANCE * likeness
            allowed = np.logical_or(allowed, (likeness >= LEAST_LIKENESS) & self._near(frame, expected, corners))
        rows, columns = linear_sum_assignment(np.where(allowed, worth, _NEVER), maximize=True)
        return [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if allowed[row, column]]

    def _likeness(self, looks: Array) -> Array:
        mean = self.total / self.count
        remembered = np.array([track.look for track in self.tracks])
        return np.asarray(_unit(remembered - mean) @ _unit(looks - mean).T)

    def _near(self, frame: int, expected: Array, corners: Array) -> NDArray[np.bool_]:
        """Whether a box lies within the reach of a track, bool, shape (tracks, k)."""
        away = _centres(expected)[:, None, :] - _centres(corners)[None, :, :]
        diagonal = np.hypot(*(expected[:, 2:] - expected[:, :2]).T)
        lost = np.array([frame - track.seen for track in self.tracks])
        return np.asarray(np.hypot(away[..., 0], away[..., 1]) <= (REACH * diagonal * lost)[:, None])


def _centres(corners: Array) -> Array:
    return np.asarray((corners[:, :2] + corners[:, 2:]) / 2)


def _unit(rows: Array) -> Array:
    """Rows of length 1; a row of nothing stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0))
