"""Detections matched to what there is, and judged by hotcoco beside. Loads no torch.

What each detection is matched to is needed for the bootstrap and for the kinds of error. hotcoco finds it, but takes 40
times as long to hand it over as to find it; so it is found here again, and must give hotcoco's average precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.errors import CellError, MissingExtraError
from netversus.lab.data.annotated import Boxes
from netversus.lab.detection.errors import faults, intersection_over_union
from netversus.lab.detection.found import Found
from netversus.lab.detection.matching import NOBODY, Things, choose, surest
from netversus.statistics.detections import SIZES, THRESHOLDS, Matches, average_precision

MOST = 100  # detections of a picture and class that COCO looks at
_ROUNDING = 1e-9
_RANGES = {"all": (0.0, 1e10), "small": (0.0, 1024.0), "medium": (1024.0, 9216.0), "large": (9216.0, 1e10)}


@dataclass(frozen=True)
class Truth:
    """What there is on n pictures: `boxes` of each, in the order of `units`; `classes` are the names."""

    units: tuple[str, ...]
    classes: tuple[str, ...]
    boxes: Sequence[Boxes]

    @property
    def objects(self) -> tuple[int, ...]:
        """How many objects each picture holds, crowds left out."""
        return tuple(int((~one.crowd).sum()) for one in self.boxes)

    def counts(self) -> NDArray[np.int64]:
        """How many objects of each size and class each picture holds, crowds left out: shape (4, n, c)."""
        made = np.zeros((len(SIZES), len(self.units), len(self.classes)), dtype=np.int64)
        for area, size in enumerate(SIZES):
            low, high = _RANGES[size]
            for place, one in enumerate(self.boxes):
                inside = ~one.crowd & (one.areas >= low) & (one.areas <= high)
                made[area, place] = np.bincount(one.labels[inside], minlength=len(self.classes))
        return made

    def as_coco(self, numbers: Sequence[int] = (), categories: Sequence[int] = ()) -> dict[str, Any]:
        """As the annotations of a COCO file; pictures and categories are numbered from 1 in their order where no other
        ids are given."""
        numbers = numbers or range(1, len(self.units) + 1)
        categories = categories or range(1, len(self.classes) + 1)
        rows = _annotations(self.boxes, numbers, categories)
        return {
            "images": [{"id": number, "file_name": unit} for number, unit in zip(numbers, self.units, strict=True)],
            "categories": [{"id": one, "name": name} for one, name in zip(categories, self.classes, strict=True)],
            "annotations": [{"id": place + 1, **row} for place, row in enumerate(rows)],
        }


def _annotations(boxes: Sequence[Boxes], numbers: Sequence[int], categories: Sequence[int]) -> Iterable[dict[str, Any]]:
    for number, one in zip(numbers, boxes, strict=True):
        for corners, label, area, crowd in zip(
            one.corners.tolist(), one.labels.tolist(), one.areas.tolist(), one.crowd.tolist(), strict=True
        ):
            left, top, right, bottom = corners
            yield {
                "image_id": number,
                "category_id": categories[label],
                "bbox": [left, top, right - left, bottom - top],
                "area": area,
                "iscrowd": int(crowd),
            }


def evaluator(truth: Truth, found: Sequence[Found]) -> Any:
    """A hotcoco evaluator that has matched the detections of each picture.

    Raises:
        MissingExtraError: hotcoco is not installed.
    """
    try:
        from hotcoco import COCO, COCOeval
    except ImportError:
        raise MissingExtraError("hotcoco", "detection", "an average precision") from None
    data = COCO(truth.as_coco())
    made = COCOeval(data, data.load_res(_rows(found)), "bbox")
    made.evaluate()
    return made


def _rows(found: Sequence[Found]) -> NDArray[np.float64]:
    """Picture, x, y, width, height, score, category of each detection: shape (d, 7)."""
    rows = [
        np.column_stack(
            [
                np.full(len(one), place + 1),
                one.corners[:, :2],
                one.corners[:, 2:] - one.corners[:, :2],
                one.scores,
                one.labels + 1,
            ]
        )
        for place, one in enumerate(found)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, 7))


def match(truth: Truth, found: Sequence[Found]) -> Matches:
    """The detections matched to the objects, at every threshold and size, and what is wrong with those that were not.

    Of each picture and class the `MOST` surest detections are kept, as COCO has it.

    Raises:
        MissingExtraError: hotcoco is not installed.
        CellError: hotcoco gives another average precision.
    """
    rows = _rows(found)
    pictures, labels, scores = rows[:, 0].astype(np.int64) - 1, rows[:, 6].astype(np.int64) - 1, rows[:, 5]
    groups, sizes = pictures * len(truth.classes) + labels, np.prod(rows[:, 3:5], axis=1)
    asked = surest(groups, scores, MOST)
    detections = Things(groups[asked], rows[asked, 1:5], sizes[asked], np.zeros(len(asked), dtype=np.bool_))
    chosen = choose(detections, _things(truth), np.array(list(_RANGES.values())), np.array(THRESHOLDS))
    kept = np.zeros(len(rows), dtype=np.bool_)
    kept[asked] = True
    back = np.argsort(asked)  # to the order in which they were found
    objects, ignored = chosen.objects[..., back], chosen.ignored[..., back]
    counted = ~ignored[0, 0]
    judged = _Judged(pictures[kept], kept, counted, np.where(counted, objects[0, 0], NOBODY))
    wrong = _faults(truth, found, judged)
    made = Matches(
        units=truth.units,
        classes=truth.classes,
        pictures=pictures[kept],
        labels=labels[kept],
        scores=scores[kept],
        matched=objects != NOBODY,
        ignored=ignored,
        truths=truth.counts(),
        errors=wrong.errors,
        repaired=wrong.repaired,
        missed=wrong.missed,
    )
    _compare(made, evaluator(truth, found))
    return made


def _things(truth: Truth) -> Things:
    """All objects, in the order of the pictures."""
    counts = [len(one) for one in truth.boxes]
    pictures = np.repeat(np.arange(len(counts)), counts)
    corners, labels, areas, crowd = (
        np.concatenate([getattr(one, name) for one in truth.boxes] or [empty])
        for name, empty in (
            ("corners", np.zeros((0, 4))),
            ("labels", np.zeros(0, dtype=np.int64)),
            ("areas", np.zeros(0)),
            ("crowd", np.zeros(0, dtype=np.bool_)),
        )
    )
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return Things(pictures * len(truth.classes) + labels, boxes, areas, crowd)


def _compare(made: Matches, theirs: Any) -> None:
    """See that hotcoco's average precision is what the matches give."""
    theirs.accumulate()
    precision = np.asarray(theirs.eval["precision"])[..., 0, -1]  # of all sizes, the most detections
    held = precision[precision > -1]
    if not len(held) or not made.holds("all"):
        return
    ours = float(average_precision(made)(np.ones(len(made.units))))
    if abs(ours - float(held.mean())) > _ROUNDING:
        raise CellError(f"the matches give an AP of {ours:.6f}, hotcoco says {held.mean():.6f}: please report this")


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The detections that COCO looks at: `kept` of all. `pictures`, whether each is `counted`, and the number of the
    object that it has, -1 for none, have one entry for each that is kept."""

    pictures: NDArray[np.int64]
    kept: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    objects: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Wrong:
    errors: NDArray[np.int64]
    repaired: NDArray[np.int64]
    missed: NDArray[np.int64]


def _faults(truth: Truth, found: Sequence[Found], judged: _Judged) -> _Wrong:
    """What is wrong, picture by picture."""
    errors, repaired = (np.full(len(judged.pictures), -1, dtype=np.int64) for _ in range(2))
    missed = np.zeros((len(truth.units), len(truth.classes)), dtype=np.int64)
    starts = np.cumsum([0, *map(len, found)])
    numbers = np.cumsum([0, *map(len, truth.boxes)])
    ends = np.searchsorted(judged.pictures, np.arange(len(truth.units) + 1))
    for place, (boxes, one) in enumerate(zip(truth.boxes, found, strict=True)):
        part, kept = slice(ends[place], ends[place + 1]), judged.kept[starts[place] : starts[place + 1]]
        real = ~boxes.crowd
        at = np.cumsum(real) - 1  # of an object of the picture, its place among those that are no crowd
        own = judged.objects[part]
        said = faults(
            intersection_over_union(one.corners[kept], boxes.corners[real]),
            one.labels[kept],
            one.scores[kept],
            boxes.labels[real],
            judged.counted[part],
            np.where(own < 0, -1, at.take(own - numbers[place], mode="clip")) if len(at) else own,
        )
        errors[part], repaired[part] = said.kinds, said.repaired
        missed[place] = np.bincount(boxes.labels[real][said.missed], minlength=len(truth.classes))
    return _Wrong(errors, repaired, missed)
