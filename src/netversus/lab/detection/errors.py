"""What is wrong with each detection of a picture: TIDE's kinds of error. Loads no torch.

Source: Bolya, Foley, Hays and Hoffman, "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020,
section 2; the kinds are written out in `netversus.statistics.detections`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netversus.statistics.detections import ERRORS, NO_ERROR

FOREGROUND, BACKGROUND = 0.5, 0.1
CLASS, LOCATION, BOTH, DUPLICATE, NOTHING = range(len(ERRORS))


@dataclass(frozen=True, slots=True, eq=False)
class Faults:
    """Of k detections and m objects of one picture: `kinds` (k,), -1 for none; `repaired` (k,), the class in which it
    is right once mended, else -1; `missed` (m,), whether an object is missed."""

    kinds: NDArray[np.int64]
    repaired: NDArray[np.int64]
    missed: NDArray[np.bool_]


def faults(
    overlap: NDArray[np.float64],
    labels: NDArray[np.int64],
    scores: NDArray[np.float64],
    truths: NDArray[np.int64],
    counts: NDArray[np.bool_],
    matched: NDArray[np.int64],
) -> Faults:
    """What is wrong at an IoU of 0.5.

    Args:
        overlap: IoU of each detection with each object, crowds left out, shape (k, m).
        labels: of the detections, shape (k,).
        scores: of the detections, shape (k,).
        truths: labels of the objects, shape (m,).
        counts: whether a detection counts at all, shape (k,).
        matched: the object that a detection was matched to, -1 for none, shape (k,).
    """
    taken = np.zeros(len(truths), dtype=np.bool_)
    taken[matched[matched >= 0]] = True
    kinds = np.full(len(labels), NO_ERROR, dtype=np.int64)
    about = np.full(len(labels), -1, dtype=np.int64)
    for place in np.flatnonzero(counts & (matched < 0)):
        kinds[place], about[place] = _kind(overlap[place], truths == labels[place], taken)
    repaired, mended = np.full(len(labels), -1, dtype=np.int64), taken.copy()
    for place in sorted(np.flatnonzero(about >= 0), key=lambda at: -scores[at]):
        if not mended[about[place]]:
            mended[about[place]] = True
            repaired[place] = truths[about[place]]
    covered = np.zeros(len(truths), dtype=np.bool_)
    covered[about[about >= 0]] = True
    return Faults(kinds, repaired, ~taken & ~covered)


def _kind(overlap: NDArray[np.float64], own: NDArray[np.bool_], taken: NDArray[np.bool_]) -> tuple[int, int]:
    """The kind of error of an unmatched detection, and the object that it is about where it can be mended."""
    same, other = np.where(own, overlap, 0.0), np.where(own, 0.0, overlap)
    best_same, best_other = same.max(initial=0.0), other.max(initial=0.0)
    if BACKGROUND <= best_same < FOREGROUND:
        return LOCATION, int(same.argmax())
    if best_other >= FOREGROUND:
        return CLASS, int(other.argmax())
    if best_same >= FOREGROUND and taken[own & (overlap >= FOREGROUND)].any():
        return DUPLICATE, -1
    return (BOTH, -1) if max(best_same, best_other) >= BACKGROUND else (NOTHING, -1)


def intersection_over_union(corners: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of boxes (k, 4) with boxes (m, 4), as left, top, right, bottom: shape (k, m); 0 where both are empty."""
    ends = np.minimum(corners[:, None, 2:], others[None, :, 2:])
    shared = np.clip(ends - np.maximum(corners[:, None, :2], others[None, :, :2]), 0, None).prod(axis=2)
    own, theirs = ((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (corners, others))
    union = own[:, None] + theirs[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))
