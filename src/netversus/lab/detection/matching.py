"""Detections matched to objects as pycocotools matches them, all pictures and classes at once. Loads no torch.

Source: `COCOeval.evaluateImg` of pycocotools. Its rule: of a picture and class the detections choose one after
another, the surest first, at each threshold of IoU: the object nobody has yet that they overlap most, if enough; of
those that are equally good the last. Objects that do not count (a crowd, another size) are chosen only where no other
is left, and a crowd may be chosen again and again; what has chosen one does not count either, nor does what has chosen
nothing and is of another size itself.

Groups (a picture and a class) that hold objects and detections do not touch each other. So the first detections of all
groups choose together, then the second ones, and so on; groups of about as many objects are padded to the same length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
NOBODY = -1


@dataclass(frozen=True, slots=True, eq=False)
class Things:
    """Boxes of many pictures: `groups` tells picture and class as one number, shape (n,); `boxes` are left, top, width
    and height, (n, 4); `areas` (n,) decide over their size; `crowd` (n,)."""

    groups: Places
    boxes: Array
    areas: Array
    crowd: Flags

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What d detections have chosen, for s sizes and t thresholds: `objects` (s, t, d), their places, -1 for none, and
    `ignored` (s, t, d), whether a detection does not count."""

    objects: Places
    ignored: Flags


def surest(groups: Places, scores: Array, most: int) -> Places:
    """The places of the `most` surest detections of each group, group by group, the surest first; of equal scores the
    one that stands first."""
    order = np.lexsort((-scores, groups))
    return order[_rank(groups[order]) < most]


def choose(found: Things, truth: Things, sizes: Array, thresholds: Array) -> Chosen:
    """Match detections, which stand as `surest` gives them, to objects.

    Args:
        found: d detections.
        truth: m objects, in the order of the annotations.
        sizes: least and largest area of each size, both included, shape (s, 2).
        thresholds: of the IoU, shape (t,).
    """
    shape = (len(sizes), len(thresholds), len(found))
    objects = np.full(shape, NOBODY, dtype=np.int64)
    ignored = np.zeros(shape, dtype=np.bool_)
    apart = np.stack([truth.crowd | ~_inside(truth.areas, size) for size in sizes])
    order = np.argsort(truth.groups, kind="stable")
    begins, ends = (np.searchsorted(truth.groups[order], found.groups, side=side) for side in ("left", "right"))
    counts, ranks = ends - begins, _rank(found.groups)
    width = 1
    while width <= 2 * counts.max(initial=0):
        chosen = np.flatnonzero((counts > width // 2) & (counts <= width))
        if len(chosen):
            table = begins[chosen][:, None] + np.arange(width)
            there = np.arange(width) < counts[chosen][:, None]
            held = order[np.where(there, table, 0)]
            _in_turn(_Bucket(found, truth, apart, thresholds, chosen, held, there, ranks), objects, ignored)
        width *= 2
    for place, size in enumerate(sizes):
        ignored[place] |= (objects[place] == NOBODY) & ~_inside(found.areas, size)
    return Chosen(objects, ignored)


@dataclass(frozen=True, slots=True, eq=False)
class _Bucket:
    """The detections `chosen` (k,) whose groups have at most w objects: `held` (k, w) are their places, as far as they
    are `there`. `apart` (s, m) tells which objects do not count."""

    found: Things
    truth: Things
    apart: Flags
    thresholds: Array
    chosen: Places
    held: Places
    there: Flags
    ranks: Places


def _in_turn(bucket: _Bucket, objects: Places, ignored: Flags) -> None:
    """Let the detections of a bucket choose, rank by rank."""
    chosen, held = bucket.chosen, bucket.held
    overlap = np.where(bucket.there, _overlap(bucket.found.boxes[chosen], bucket.truth, held), -1.0)
    group = np.cumsum(bucket.ranks[chosen] == 0) - 1
    sizes, thresholds = len(bucket.apart), bucket.thresholds
    taken = np.zeros((sizes, len(thresholds), group[-1] + 1, held.shape[1]), dtype=np.bool_)
    for rank in range(int(bucket.ranks[chosen].max()) + 1):
        here = np.flatnonzero(bucket.ranks[chosen] == rank)
        # Without an object that overlaps enough for the least threshold there is nothing to choose.
        here = here[overlap[here].max(axis=1) >= thresholds.min()]
        if not len(here):
            continue
        mine, groups = held[here], group[here]
        good = overlap[here] >= thresholds[:, None, None]
        for size in range(sizes):
            apart = bucket.apart[size][mine]
            free = good & (~taken[size][:, groups] | bucket.truth.crowd[mine])
            first = np.where(free & ~apart, overlap[here], -1.0)
            other = np.where(free & apart, overlap[here], -1.0)
            best, second = _last_best(first), _last_best(other)
            counts = np.take_along_axis(first, best[..., None], axis=2)[..., 0] >= 0
            some = counts | (np.take_along_axis(other, second[..., None], axis=2)[..., 0] >= 0)
            which = np.where(counts, best, second)
            at = np.nonzero(some)
            taken[size][at[0], groups[at[1]], which[at]] = True
            objects[size][at[0], chosen[here[at[1]]]] = mine[at[1], which[at]]
            ignored[size][:, chosen[here]] = some & ~counts


def _last_best(worth: Array) -> Places:
    """Where the largest of the last axis stands; of equal ones the last."""
    return np.asarray(worth.shape[-1] - 1 - worth[..., ::-1].argmax(axis=-1))


def _overlap(boxes: Array, truth: Things, held: Places) -> Array:
    """IoU of each box (k, 4) with the objects at `held` (k, w), as pycocotools rounds it; of a crowd the
    part of the box that lies on it. Shape (k, w)."""
    own, theirs = boxes[:, None, :], truth.boxes[held]
    sides = np.minimum(own[..., :2] + own[..., 2:], theirs[..., :2] + theirs[..., 2:]) - np.maximum(
        own[..., :2], theirs[..., :2]
    )
    shared = np.where((sides > 0).all(axis=-1), sides[..., 0] * sides[..., 1], 0.0)
    area, other = own[..., 2] * own[..., 3], theirs[..., 2] * theirs[..., 3]
    whole = np.where(truth.crowd[held], area, area + other - shared)
    return np.asarray(np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0))


def _inside(areas: Array, size: Array) -> Flags:
    return np.asarray((areas >= size[0]) & (areas <= size[1]))


def _rank(groups: Places) -> Places:
    """The place of each within its group, from 0, where groups stand one after another."""
    starts = np.flatnonzero(np.diff(groups, prepend=NOBODY - 1))
    return np.asarray(np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups)))))
