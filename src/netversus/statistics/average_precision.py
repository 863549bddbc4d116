"""COCO's average precision as a function of weights on the images, from detections that were matched once.

Matching detections to the ground truth costs nearly all the time of an evaluation and does not depend on the weights:
a bootstrap matches once and only reweights. The definition is pycocotools' (Lin et al., ECCV 2014): precision made
monotone from the right, read at 101 recalls, averaged over the classes that have ground truth; where all weights are
equal its numbers come out.

    a, b = AveragePrecision(matches_of_a), AveragePrecision(matches_of_b)
    draws = bootstrap(lambda weights: b(weights) - a(weights), images, seed=0)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from netversus.errors import StatisticsError

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

RECALLS = np.linspace(0.0, 1.0, 101)
_DRAWS = 256  # handled at once: the running sums of a class at its hits then stay in the cache
_TINY = float(np.finfo(np.float64).tiny)  # where nothing has any weight yet, precision is 0 and not 0/0


@dataclass(frozen=True, slots=True, eq=False)
class ClassMatches:
    """What one contender detected of one class, matched to the ground truth at t thresholds of IoU.

    Attributes:
        scores: of the d detections, shape (d,).
        images: index of each detection's image, from 0, shape (d,).
        matched: whether it was matched to an object at each threshold, shape (t, d).
        ignored: whether it does not count at a threshold (a crowd, outside the area range), shape (t, d).
        truths: how many objects of the class, without ignored ones, each of the n images holds, shape (n,).

    Detections of equal score are ranked in the order given. One area range and one limit of detections an image
    are one `ClassMatches`: another range has other flags and other truths.
    """

    scores: ArrayLike
    images: ArrayLike
    matched: ArrayLike
    ignored: ArrayLike
    truths: ArrayLike


class AveragePrecision:
    """The average precision of one contender: call it with weights on the images.

    Raises:
        StatisticsError: no classes, arrays that do not fit each other, or more matches on an image than objects.
    """

    def __init__(self, classes: Sequence[ClassMatches]) -> None:
        if not classes:
            raise StatisticsError("an average precision needs at least one class")
        self._classes = tuple(_ranked(one) for one in classes)
        sizes = {(len(one.truths), len(one.hits)) for one in self._classes}
        if len(sizes) > 1:
            raise StatisticsError(f"all classes need the same images and thresholds, got (images, thresholds) {sizes}")
        ((self.images, self.thresholds),) = sizes

    def __call__(self, weights: Array) -> Array:
        """The mean over classes and thresholds in [0, 1], for weights of shape (n,) or (k, n): a float or shape (k,).

        A class without ground truth under the weights is left out of the mean.

        Raises:
            StatisticsError: weights of another shape, negative ones, or no ground truth at all under them.
        """
        return np.asarray(self.by_threshold(weights).mean(axis=-1))

    def by_threshold(self, weights: Array) -> Array:
        """The mean over classes at each threshold, shape (t,) or (k, t): AP50 is the one at IoU 0.5."""
        table = self._table(np.atleast_2d(weights))
        present = ~np.isnan(table[..., :1])
        if not present.any(axis=1).all():
            raise StatisticsError("no image with any ground truth has a weight: there is no average precision")
        means = np.where(present, table, 0.0).sum(axis=1) / present.sum(axis=1)
        return np.asarray(means if np.ndim(weights) == 2 else means[0])

    def by_class(self, weights: Array) -> Array:
        """The mean over thresholds of each class, shape (c,) or (k, c); NaN for a class without ground truth."""
        means = self._table(np.atleast_2d(weights)).mean(axis=2)
        return np.asarray(means if np.ndim(weights) == 2 else means[0])

    def _table(self, weights: Array) -> Array:
        """Every class at every threshold, shape (k, c, t); NaN for a class without ground truth."""
        if weights.ndim != 2 or weights.shape[1] != self.images:
            raise StatisticsError(f"expected weights of shape (k, {self.images}), got {weights.shape}")
        if not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise StatisticsError("weights must be finite and not negative")
        table = np.empty((len(weights), len(self._classes), self.thresholds))
        for start in range(0, len(weights), _DRAWS):
            part = np.ascontiguousarray(weights[start : start + _DRAWS].T, dtype=np.float64)
            for place, one in enumerate(self._classes):
                table[start : start + _DRAWS, place] = one.precisions(part)
        return table


@dataclass(frozen=True, eq=False)
class _Ranked:
    """A class's detections, best score first: `images` (d,), `hits` and `counted` (t, d); `truths` (n,)."""

    images: Places
    hits: Flags
    counted: Flags
    truths: Array

    @cached_property
    def _lists(self) -> tuple[_Counting, ...]:
        """One for the thresholds, one after another, that count the same detections: mostly one for all."""
        lists: list[_Counting] = []
        for hits, counted in zip(self.hits, self.counted, strict=True):
            if not lists or not np.array_equal(lists[-1].counted, counted):
                lists.append(_Counting(self.images, counted, [], len(self.truths)))
            lists[-1].hits.append(hits)
        return tuple(lists)

    @cached_property
    def _with_truths(self) -> Places:
        return np.flatnonzero(self.truths)

    def precisions(self, weights: Array) -> Array:
        """The average precision at each threshold for weights of shape (n, k): shape (k, t)."""
        objects = self.truths[self._with_truths] @ weights[self._with_truths]
        present = objects > 0
        safe = np.where(present, objects, 1.0)
        columns = [
            _interpolated(found, seen, safe, whole=len(found) == self.truths.sum())
            for found, seen in self._running(weights)
        ]
        return np.asarray(np.where(present[:, None], np.stack(columns, axis=1), np.nan))

    def _running(self, weights: Array) -> Iterator[tuple[Array, Array]]:
        """At each hit of each threshold, the weight of the hits and of all that counts so far, shapes (h, k)."""
        for one in self._lists:
            seen = np.cumsum(one.between @ weights, axis=0)
            for hits in one.hits:
                rows = np.searchsorted(one.places, np.flatnonzero(hits[one.counted]))
                yield np.cumsum(weights[self.images[hits]], axis=0), seen[rows]


@dataclass(frozen=True, eq=False)
class _Counting:
    """Detections that count, best score first: `images` (d,) and whether each is `counted` (d,), with the `hits` (d,)
    of every threshold that counts them; `total` images there are."""

    images: Places
    counted: Flags
    hits: list[Flags]
    total: int

    @cached_property
    def places(self) -> Places:
        """Where any threshold has a hit, in the list of what counts."""
        return np.flatnonzero(np.logical_or.reduce(self.hits)[self.counted])

    @cached_property
    def between(self) -> Any:
        """How often each image (n) is counted from one of these places to the next, a sparse matrix of shape (h, n): a
        product with it is the weight there, without a row for each detection. What lies behind the last is left out."""
        images = self.images[self.counted]
        last = int(self.places[-1]) + 1 if len(self.places) else 0
        rows = np.searchsorted(self.places, np.arange(last))
        return csr_array((np.ones(last), (rows, images[:last])), shape=(len(self.places), self.total))


def _interpolated(found: Array, seen: Array, objects: Array, *, whole: bool) -> Array:
    """The mean over 101 recalls of the monotone precision, shape (k,), from running weights at the hits (h, k).

    Precision falls between one hit and the next, and recall rises at hits only: nothing else need be looked at. Each
    hit stands for the recalls that it is the first to reach. `whole`: every object was found.
    """
    if len(found) == 0:
        return np.zeros(found.shape[1])
    precision = found / (seen + _TINY)
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    reached = _recalls_reached(found / objects)
    if whole:
        reached[-1] = len(RECALLS)  # though two sums of the same weights may differ in their last digit
    reached[1:] -= reached[:-1].copy()
    return np.asarray(np.einsum("hk,hk->k", envelope, reached) / len(RECALLS))


def _recalls_reached(recall: Array) -> Array:
    """How many of `RECALLS` are at most `recall`: the nearest one decides, compared exactly as pycocotools does."""
    nearest = np.rint(recall * (len(RECALLS) - 1))
    return nearest + (RECALLS.take(nearest.astype(np.intp), mode="clip") <= recall)


def _ranked(one: ClassMatches) -> _Ranked:
    """The class with its detections sorted by score, as pycocotools sorts them.

    Raises:
        StatisticsError: shapes or values that do not fit.
    """
    scores, truths = np.asarray(one.scores, dtype=np.float64), np.asarray(one.truths, dtype=np.float64)
    images = np.asarray(one.images, dtype=np.intp)
    matched, ignored = np.asarray(one.matched, dtype=bool), np.asarray(one.ignored, dtype=bool)
    if scores.ndim != 1 or truths.ndim != 1 or images.shape != scores.shape:
        raise StatisticsError(
            f"expected scores (d,), images (d,) and truths (n,), got {scores.shape}, {images.shape}, {truths.shape}"
        )
    if matched.ndim != 2 or matched.shape[1:] != scores.shape or ignored.shape != matched.shape or not len(matched):
        raise StatisticsError(
            f"expected matched and ignored of shape (thresholds, {len(scores)}), got {matched.shape}, {ignored.shape}"
        )
    if not np.isfinite(scores).all():
        raise StatisticsError("a detection's score must be finite")
    if not (np.isfinite(truths).all() and (truths >= 0).all()):
        raise StatisticsError("an image holds a number of objects that is finite and not negative")
    if len(images) and not 0 <= images.min() <= images.max() < len(truths):
        raise StatisticsError(f"a detection's image must lie in 0..{len(truths) - 1}")
    order = np.argsort(-scores, kind="stable")
    ranked = _Ranked(images[order], (matched & ~ignored)[:, order], ~ignored[:, order], truths)
    for hits in ranked.hits:
        if (np.bincount(ranked.images[hits], minlength=len(truths)) > truths).any():
            raise StatisticsError("an image has more matched detections than objects of the class")
    return ranked
