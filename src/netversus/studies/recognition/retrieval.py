"""Ranks, average precision and verification from cosines, a few queries at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
Labels = NDArray[np.int64]

AT_ONCE = 256  # queries whose cosines to the whole gallery are held


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for each of n queries.

    Attributes:
        rank: place of the nearest gallery image of the query's class, from 1, shape (n,).
        precision: average precision over the whole ranking, in (0, 1], shape (n,).
        verified: the share of all pairs of one image of the class and one of another whose first is nearer: the area
            under the ROC curve of the query's pairs, ties counted half, shape (n,).
    """

    rank: NDArray[np.int64]
    precision: Array
    verified: Array


def unit_length(features: Floats) -> Floats:
    """Features of length 1, shape (n, width); what is all zero stays so."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def find(queries: Floats, gallery: Floats, labels: Labels, truth: Labels) -> Found:
    """Rank the gallery for every query by cosine; ties fall to the earlier image.

    Args:
        queries: of length 1, shape (n, width).
        gallery: of length 1, shape (m, width).
        labels: of the gallery, shape (m,); each query's class is among them, and not alone.
        truth: of the queries, shape (n,).
    """
    parts = [_found(queries[part], gallery, labels, truth[part]) for part in _slices(len(queries))]
    return Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in Found.__dataclass_fields__))


def _slices(n: int) -> Iterator[slice]:
    return (slice(start, start + AT_ONCE) for start in range(0, n, AT_ONCE))


def _found(queries: Floats, gallery: Floats, labels: Labels, truth: Labels) -> Found:
    cosines = queries @ gallery.T
    order = np.argsort(-cosines, axis=1, kind="stable")
    right = labels[order] == truth[:, None]
    hits = np.cumsum(right, axis=1)
    places = np.arange(1, right.shape[1] + 1)
    wanted = right.sum(axis=1)
    alike = labels[None] == truth[:, None]
    return Found(
        rank=right.argmax(axis=1) + 1,
        precision=np.where(right, hits / places, 0).sum(axis=1) / wanted,
        verified=_areas(cosines, alike),
    )


def _areas(cosines: Floats, alike: NDArray[np.bool_]) -> Array:
    """Mann and Whitney's statistic of each row: the share of (alike, different) pairs in order, ties counted half."""
    areas = []
    for row, same in zip(cosines, alike, strict=True):
        different = np.sort(row[~same])
        below = np.searchsorted(different, row[same], side="left")
        up_to = np.searchsorted(different, row[same], side="right")
        areas.append((below + up_to).mean() / (2 * len(different)))
    return np.array(areas, dtype=np.float64)


def pairs(queries: Floats, gallery: Floats, labels: Labels, truth: Labels, seed: int) -> tuple[Array, Array]:
    """The cosine of each query to one gallery image of its class and to one of another, both drawn at random: shapes
    (n,). Arguments as for `find`."""
    rng = np.random.default_rng(seed)
    same, other = (np.empty(len(queries)) for _ in range(2))
    for place, (query, label) in enumerate(zip(queries, truth, strict=True)):
        alike = labels == label
        for out, members in ((same, np.flatnonzero(alike)), (other, np.flatnonzero(~alike))):
            out[place] = query @ gallery[members[rng.integers(len(members))]]
    return same, other


def roc(scores: Array, same: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The ROC curve of pairs: false and true positive rates at each distinct score, from (0, 0) to (1, 1).

    Args:
        scores: higher means more alike, shape (n,).
        same: whether a pair is of one class, shape (n,); both kinds occur.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], same[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, True))
    true, false = np.cumsum(hits)[ends], np.cumsum(~hits)[ends]
    return np.append(0, false / (~same).sum()), np.append(0, true / same.sum())


def true_rate_at(false: Array, true: Array, rate: float) -> float:
    """The largest true positive rate whose false positive rate is at most `rate`."""
    return float(true[false <= rate].max())
