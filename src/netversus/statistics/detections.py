"""What one contender detected, matched once to what there is: all that average precisions and errors are computed from.

The pictures' matches are kept in one file (`Matches.dumped`), which NumPy alone reads; a picture of them is a `Seen`,
and an array of those is what the estimators of `netversus.statistics.estimators` take as the records of the units.

Sizes are COCO's: small under 32 x 32 pixels of area, large from 96 x 96 on. The kinds of error are those of TIDE (Bolya
et al., ECCV 2020), at an IoU of 0.5, with 0.1 as the least that tells a place from the background:

    class        on an object of another class (IoU >= 0.5)
    location     near an object of its class (0.1 <= IoU < 0.5)
    both         near an object of another class
    duplicate    on an object of its class that a surer detection has
    background   near nothing
    missed       an object that no detection has, and that no error of class or location is about
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netversus.errors import StatisticsError
from netversus.statistics.average_precision import AveragePrecision, ClassMatches

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]
Records = NDArray[np.object_]

THRESHOLDS: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
SIZES: Final = ("all", "small", "medium", "large")
ERRORS: Final = ("class", "location", "both", "duplicate", "background")
MISSED: Final = "missed"
NO_ERROR: Final = -1
_ALL, _AT_HALF = 0, 0
_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The d detections of one contender on n pictures with objects of c classes, matched at t thresholds of IoU.

    Attributes:
        units: the pictures' unit ids, n.
        classes: the classes' names, c.
        pictures: index of each detection's picture, shape (d,), in ascending order.
        labels: index of its class, shape (d,).
        scores: shape (d,), finite.
        matched: whether it was matched to an object, for each of `SIZES` and `THRESHOLDS`, shape (4, t, d).
        ignored: whether it does not count there (a crowd, another size), shape (4, t, d).
        truths: how many objects, crowds left out, each picture holds of each class and size, shape (4, n, c).
        errors: which of `ERRORS` it is at an IoU of 0.5, -1 for none, shape (d,).
        repaired: the class in which it is right once its error of class or location is mended, else -1, shape (d,).
        missed: objects of each picture and class that are missed, shape (n, c).
    """

    units: tuple[str, ...]
    classes: tuple[str, ...]
    pictures: Places
    labels: Places
    scores: Array
    matched: Flags
    ignored: Flags
    truths: Places
    errors: Places
    repaired: Places
    missed: Places

    def __post_init__(self) -> None:
        d, n, c = len(self.scores), len(self.units), len(self.classes)
        wanted = {
            "pictures": (d,),
            "labels": (d,),
            "scores": (d,),
            "matched": (len(SIZES), len(THRESHOLDS), d),
            "ignored": (len(SIZES), len(THRESHOLDS), d),
            "truths": (len(SIZES), n, c),
            "errors": (d,),
            "repaired": (d,),
            "missed": (n, c),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise StatisticsError(f"expected {name} of shape {shape}, got {getattr(self, name).shape}")

    @property
    def records(self) -> Records:
        """A record for each picture, shape (n,)."""
        made = np.empty(len(self.units), dtype=np.object_)
        made[:] = [Seen(self, place) for place in range(len(self.units))]
        return made

    def holds(self, size: str) -> bool:
        """Whether there is any object of this size: without one there is no average precision, which is not 0."""
        return bool(self.truths[SIZES.index(size)].any())

    def without(self, error: str) -> Matches:
        """The same matches once an error is mended, where all sizes and the IoU of 0.5 are looked at, and nothing else.

        As TIDE does it: a detection with an error of class or location is made right where nothing else has its object,
        and is else taken away, as one with any other error is; a missed object is no longer asked for.
        """
        if error == MISSED:
            truths = self.truths.copy()
            truths[_ALL] -= self.missed
            return replace(self, truths=truths)
        wrong = self.errors == ERRORS.index(error)
        mended = wrong & (self.repaired >= 0)
        matched, ignored = self.matched.copy(), self.ignored.copy()
        matched[_ALL, _AT_HALF, mended] = True
        ignored[_ALL, _AT_HALF, wrong & ~mended] = True
        return replace(self, labels=np.where(mended, self.repaired, self.labels), matched=matched, ignored=ignored)

    def dumped(self) -> bytes:
        """The file that keeps them; equal matches give equal bytes."""
        head = {"version": _VERSION, "units": self.units, "classes": self.classes}
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in head}
        file = io.BytesIO()
        np.savez_compressed(file, head=np.frombuffer(json.dumps(head).encode(), dtype=np.uint8), **columns)
        return file.getvalue()


@lru_cache(maxsize=8)  # each question of a study reads the same few files
def loaded(content: bytes) -> Matches:
    """The matches that `dumped` wrote.

    Raises:
        StatisticsError: it is no such file, or is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            head = json.loads(bytes(file["head"]))
            columns: dict[str, Any] = {name: file[name] for name in file.files if name != "head"}
        return Matches(units=tuple(head["units"]), classes=tuple(head["classes"]), **columns)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise StatisticsError(f"the kept matches cannot be read: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was detected on one picture: its place among the pictures of `matches`."""

    matches: Matches
    place: int


def class_matches(records: Sequence[Seen], size: str = "all", threshold: float | None = None) -> list[ClassMatches]:
    """The matches of some pictures, in their order, class by class.

    Args:
        records: pictures, of one contender or of several whose classes are the same.
        size: one of `SIZES`.
        threshold: one of `THRESHOLDS`; all of them where none is named.

    Raises:
        StatisticsError: no pictures, or other classes.
    """
    if not len(records):
        raise StatisticsError("an average precision needs at least one picture")
    classes = records[0].matches.classes
    parts = [_part(matches, records) for matches in dict.fromkeys(seen.matches for seen in records)]
    if any(part.matches.classes != classes for part in parts):
        raise StatisticsError("the contenders were judged on other classes")
    rows = slice(None) if threshold is None else slice(THRESHOLDS.index(threshold), THRESHOLDS.index(threshold) + 1)
    area = SIZES.index(size)
    return [_of_class(parts, label, area, rows, len(records)) for label in range(len(classes))]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Of `matches` the detections `chosen`, which lie on the asked-for pictures at `places`; `at` maps the asked-for
    places to pictures of `matches`, both shape (m,)."""

    matches: Matches
    chosen: Places
    places: Places
    wanted: Places
    origins: Places


def _part(matches: Matches, records: Sequence[Seen]) -> _Part:
    wanted = np.array([place for place, seen in enumerate(records) if seen.matches is matches], dtype=np.int64)
    origins = np.array([records[place].place for place in wanted], dtype=np.int64)
    where = np.full(len(matches.units), -1, dtype=np.int64)
    where[origins] = wanted
    places = where[matches.pictures]
    chosen = np.flatnonzero(places >= 0)
    return _Part(matches, chosen, places[chosen], wanted, origins)


def _of_class(parts: Sequence[_Part], label: int, area: int, rows: slice, pictures: int) -> ClassMatches:
    truths = np.zeros(pictures)
    scores, images, matched, ignored = [], [], [], []
    for part in parts:
        of_class = part.matches.labels[part.chosen] == label
        chosen = part.chosen[of_class]
        truths[part.wanted] = part.matches.truths[area, part.origins, label]
        scores.append(part.matches.scores[chosen])
        images.append(part.places[of_class])
        matched.append(part.matches.matched[area, rows][:, chosen])
        ignored.append(part.matches.ignored[area, rows][:, chosen])
    place = np.concatenate(images)
    order = np.argsort(place, kind="stable")  # of equal scores the one on the earlier picture is ranked first
    return ClassMatches(
        scores=np.concatenate(scores)[order],
        images=place[order],
        matched=np.concatenate(matched, axis=1)[:, order],
        ignored=np.concatenate(ignored, axis=1)[:, order],
        truths=truths,
    )


def average_precision(matches: Matches, size: str = "all", threshold: float | None = None) -> AveragePrecision:
    """The average precision of all pictures, as a function of weights on them."""
    return AveragePrecision(class_matches(tuple(matches.records), size, threshold))


def gained(matches: Matches) -> dict[str, float]:
    """How much AP50 would gain if an error did not happen, for each of `ERRORS` and "missed"; empty where there is no
    object at all. One error is mended at a time, so that the gains need not add up."""
    if not matches.holds("all"):
        return {}
    ones = np.ones(len(matches.units))
    now = float(average_precision(matches, threshold=0.5)(ones))
    found = {}
    for error in (*ERRORS, MISSED):
        mended = matches.without(error)
        # Where every object is missed, there is nothing left to ask for: all is then right.
        then = float(average_precision(mended, threshold=0.5)(ones)) if mended.holds("all") else 1.0
        found[error] = then - now
    return found


def precision_at_recalls(matches: Matches, recalls: Array, threshold: float = 0.5) -> Array | None:
    """The monotone precision at some recalls, shape (len(recalls),), averaged over the classes that have objects; None
    where none has."""
    curves = [_curve(one, recalls) for one in class_matches(tuple(matches.records), "all", threshold)]
    present = [curve for curve in curves if curve is not None]
    return np.mean(present, axis=0) if present else None


def _curve(one: ClassMatches, recalls: Array) -> Array | None:
    truths = float(np.sum(one.truths))
    if truths == 0:
        return None
    order = np.argsort(-np.asarray(one.scores), kind="stable")
    counted = ~np.asarray(one.ignored)[0, order]
    hits = (np.asarray(one.matched)[0, order] & counted)[counted]
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return np.asarray(envelope[np.searchsorted(found / truths, recalls, side="left")])
