"""How sure a detector must be of a box for it to be tracked: as sure as makes its boxes best on pictures with known
objects. Loads no torch.

Detectors differ in how high their scores are, the more so the less they were trained: one score for all would compare
the scores and not the boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from netversus.lab.data.annotated import Boxes
from netversus.lab.detection.matching import NOBODY, Flags, Places, Things, choose, surest
from netversus.lab.tracking.given import Shown
from netversus.lab.tracking.tracks import Array

OVERLAP: Final = 0.5  # IoU from which a box is right
TRIED: Final = 64  # pictures at most on which a detector is tried


@dataclass(frozen=True, slots=True)
class Best:
    """The score from which on a detector's boxes have the highest F1, and that F1 with what it is made of, in [0, 1]:
    precision, the share of the boxes that are right, and recall, the share of the objects that have one."""

    score: float
    f1: float
    precision: float
    recall: float


def best_score(found: Sequence[Shown], true: Sequence[Boxes]) -> Best | None:
    """The best of the scores of the boxes `found` on some pictures, where the objects are `true`; of scores that are
    equally good the highest. None where no box is right at all.

    A box is right where it has an object to itself, of whatever class, by an IoU of `OVERLAP`; the surest box of a
    picture chooses first. Because it does, what is left of the pairs when unsure boxes are dropped is what would have
    been paired without them, so that one matching serves all scores. Boxes on a crowd are neither right nor wrong.
    """
    pictures, scores = _pictures([len(one) for one in found]), np.concatenate([[], *(one.scores for one in found)])
    order = surest(pictures, scores, len(scores))
    boxes = Things(pictures, _sized([one.corners for one in found]), np.zeros(len(scores)), np.zeros(len(scores), bool))
    objects = _objects(true)
    anything = np.array([[0.0, np.inf]])
    chosen = choose(_only(boxes, order), objects, anything, np.array([OVERLAP]))
    counted = ~chosen.ignored[0, 0]
    right = (chosen.objects[0, 0] != NOBODY)[counted]
    return _best(scores[order][counted], right, int((~objects.crowd).sum()))


def _best(scores: Array, right: Flags, objects: int) -> Best | None:
    """The best of the scores, from whether each box is right."""
    if not right.any():
        return None
    down = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[down], append=-np.inf))  # of each score the last box: they come together
    boxes, pairs = last + 1, np.cumsum(right[down])[last]
    f1 = 2 * pairs / (objects + boxes)
    place = int(f1.argmax())
    return Best(
        score=float(scores[down][last[place]]),
        f1=float(f1[place]),
        precision=float(pairs[place] / boxes[place]),
        recall=float(pairs[place] / objects),
    )


def _objects(true: Sequence[Boxes]) -> Things:
    """The objects, without those that have no area, which no box can be on."""
    boxes = _sized([one.corners for one in true])
    crowd = np.concatenate([np.zeros(0, dtype=np.bool_), *(one.crowd for one in true)])
    every = Things(_pictures([len(one) for one in true]), boxes, np.zeros(len(boxes)), crowd)
    return _only(every, np.flatnonzero((boxes[:, 2:] > 0).all(axis=1)))


def _only(things: Things, places: Places) -> Things:
    return Things(things.groups[places], things.boxes[places], things.areas[places], things.crowd[places])


def _pictures(counts: Sequence[int]) -> Places:
    """Of each box the place of its picture."""
    return np.repeat(np.arange(len(counts)), np.array(counts, dtype=np.int64))


def _sized(corners: Sequence[Array]) -> Array:
    """Left, top, width and height of boxes of several pictures."""
    joined = np.concatenate([np.zeros((0, 4)), *corners])
    return np.concatenate([joined[:, :2], joined[:, 2:] - joined[:, :2]], axis=1)
