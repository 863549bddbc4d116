"""The tracks of one sequence, and what there truly is. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from netversus.lab.data.annotated import Clip

Array = NDArray[np.float64]
Places = NDArray[np.int64]

COUNTED: Final = 0
EXCUSED: Final = 1
ASIDE: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The n boxes of a sequence.

    Attributes:
        frames: index of the picture, from 0, ascending, int64, shape (n,).
        ids: which track a box belongs to, at most once a picture, int64, shape (n,).
        corners: left, top, right, bottom in pixels, float64, shape (n, 4).
        scores: how sure the tracker is, float64, shape (n,).
    """

    frames: Places
    ids: Places
    corners: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, keep: NDArray[np.bool_]) -> Tracks:
        """Some of the boxes."""
        return Tracks(self.frames[keep], self.ids[keep], self.corners[keep], self.scores[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What there is in a sequence of `length` pictures. `roles` (int64, shape (n,)) tells of each box whether it counts
    (`COUNTED`), excuses a tracker's box that is matched to it, which is then left out (`EXCUSED`: MOT17's distractors),
    or does neither (`ASIDE`)."""

    unit: str
    length: int
    tracks: Tracks
    roles: Places

    @property
    def counted(self) -> Tracks:
        """The boxes that count."""
        return self.tracks.only(self.roles == COUNTED)


def nothing() -> Tracks:
    """No box."""
    return Tracks(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0))


def joined(parts: list[tuple[int, Places, Array, Array]]) -> Tracks:
    """Tracks from (picture, ids, corners, scores) of each picture, in order."""
    if not parts:
        return nothing()
    return Tracks(
        np.concatenate([np.full(len(ids), frame, dtype=np.int64) for frame, ids, _, _ in parts]),
        np.concatenate([ids for _, ids, _, _ in parts]).astype(np.int64),
        np.concatenate([corners.reshape(-1, 4) for _, _, corners, _ in parts]).astype(np.float64),
        np.concatenate([scores for _, _, _, scores in parts]).astype(np.float64),
    )


def truth_of(clip: Clip, length: int | None = None) -> Truth:
    """What there is in the first `length` pictures of a clip (all of them, where none is given)."""
    pictures = len(clip) if length is None else min(length, len(clip))
    parts, roles = [], []
    for frame in range(pictures):
        boxes, aside = clip.boxes(frame), clip.aside(frame)
        unnamed = np.full(len(aside), -1, dtype=np.int64)
        ids = np.concatenate([boxes.tracks, unnamed])
        parts.append((frame, ids, np.concatenate([boxes.corners, aside]), np.ones(len(ids))))
        roles.append(np.concatenate([np.where(boxes.crowd, EXCUSED, COUNTED), np.full(len(aside), ASIDE)]))
    return Truth(clip.name, pictures, joined(parts), np.concatenate([*roles, np.zeros(0)]).astype(np.int64))
