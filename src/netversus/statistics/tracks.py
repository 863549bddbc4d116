"""What the tracks of one contender are worth, sequence by sequence: the counts from which HOTA is computed.

Every score of a set of sequences is a function of sums of counts over them, so that a bootstrap only reweights the
sequences. The scores are those of TrackEval, combined over sequences as it combines them:

    hota   mean over 19 thresholds a of sqrt(DetA_a AssA_a) (Luiten et al., IJCV 2021)
    deta   mean over a of TP / (objects + boxes - TP)
    assa   mean over a of the association accuracy, averaged over the matched boxes
    idf1   2 IDTP / (objects + boxes) (Ristani et al., ECCV workshops 2016)
    mota   (TP - FP - switches) / objects at an IoU of 0.5 (Bernardin & Stiefelhagen 2008); may be negative
    idsw   switches an object and picture: how often the identity changes per 1 true box

The file that keeps the counts is JSON: anybody can add them up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netversus.errors import StatisticsError

Array = NDArray[np.float64]

THRESHOLDS: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))
_VERSION = 1
_SINGLES = ("objects", "boxes", "clear_matched", "switches", "id_matched")
_CURVES = ("matched", "linked")


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted on one sequence.

    Attributes:
        unit: the sequence's unit id.
        objects: true boxes, summed over the pictures.
        boxes: boxes that the tracker gave.
        matched: matched pairs (HOTA's TP) at each of `THRESHOLDS`.
        linked: over the matched pairs, the sum of how well their two tracks agree (HOTA's A(c)), at each threshold.
        clear_matched: matched pairs of CLEAR MOT, at an IoU of 0.5.
        switches: how often an object's track changes (IDSW).
        id_matched: boxes whose track is its object's (IDTP), under the best pairing of tracks and objects.
    """

    unit: str
    objects: int
    boxes: int
    matched: tuple[int, ...]
    linked: tuple[float, ...]
    clear_matched: int
    switches: int
    id_matched: int

    def __post_init__(self) -> None:
        for name in _CURVES:
            if len(getattr(self, name)) != len(THRESHOLDS):
                raise StatisticsError(f"expected {len(THRESHOLDS)} values of {name}, got {len(getattr(self, name))}")


def dumped(counts: Sequence[Counts]) -> bytes:
    """The file that keeps them; equal counts give equal bytes."""
    return json.dumps({"version": _VERSION, "sequences": [asdict(one) for one in counts]}).encode()


@lru_cache(maxsize=16)  # each question of a study reads the same few files
def loaded(content: bytes) -> tuple[Counts, ...]:
    """The counts that `dumped` wrote.

    Raises:
        StatisticsError: it is no such file, or is damaged.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(content)["sequences"]
        return tuple(Counts(**{**row, **{name: tuple(row[name]) for name in _CURVES}}) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise StatisticsError(f"the kept counts cannot be read: {type(error).__name__}") from None


def score(name: str, counts: Sequence[Counts], weights: Array) -> Array:
    """A score of some sequences under weights on them, shape (n,) or (k, n).

    Raises:
        StatisticsError: there is no such score, or no sequence.
    """
    if name not in SCORES:
        raise StatisticsError(f"there is no score {name!r}, only {', '.join(SCORES)}")
    if not len(counts):
        raise StatisticsError("a score of tracks needs at least one sequence")
    return SCORES[name](_Sums(counts, weights))


class _Sums:
    """Weighted sums over sequences: (), or (k,), and (19,) or (k, 19) of what has a threshold."""

    def __init__(self, counts: Sequence[Counts], weights: Array) -> None:
        for name in (*_SINGLES, *_CURVES):
            setattr(self, name, weights @ np.array([getattr(one, name) for one in counts], dtype=np.float64))

    objects: Array
    boxes: Array
    matched: Array
    linked: Array
    clear_matched: Array
    switches: Array
    id_matched: Array

    @property
    def detection(self) -> Array:
        """DetA at each threshold."""
        every = (self.objects + self.boxes)[..., None] - self.matched
        return _share(self.matched, every)

    @property
    def association(self) -> Array:
        """AssA at each threshold."""
        return _share(self.linked, self.matched)


def _share(part: Array, whole: Array) -> Array:
    """Part / whole, 0 of nothing (as TrackEval has it)."""
    return np.asarray(np.where(whole > 0, part, 0.0) / np.where(whole > 0, whole, 1.0))


def _hota(sums: _Sums) -> Array:
    return np.asarray(np.sqrt(sums.detection * sums.association).mean(axis=-1))


def _mota(sums: _Sums) -> Array:
    wrong = sums.boxes - sums.clear_matched
    return _share(sums.clear_matched - wrong - sums.switches, sums.objects)


SCORES: Final[Mapping[str, Callable[[_Sums], Array]]] = {
    "hota": _hota,
    "deta": lambda sums: np.asarray(sums.detection.mean(axis=-1)),
    "assa": lambda sums: np.asarray(sums.association.mean(axis=-1)),
    "idf1": lambda sums: _share(2 * sums.id_matched, sums.objects + sums.boxes),
    "mota": _mota,
    "idsw": lambda sums: _share(sums.switches, sums.objects),
}
