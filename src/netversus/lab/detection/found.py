"""What was detected on a picture, and COCO result files, read strictly. Loads no torch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.errors import DataError
from netversus.lab.data.annotated import FrameSet

LARGEST_RESULTS = 4 * 2**30
_SHOWN = 120  # characters of a value that is refused
_KEYS = ("image_id", "category_id", "bbox", "score")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The k detections on one picture.

    Attributes:
        corners: left, top, right, bottom in pixels of the picture, float64, shape (k, 4).
        labels: index into the box classes, int64, shape (k,).
        scores: float64, shape (k,).
    """

    corners: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.labels)


def nothing() -> Found:
    """No detection."""
    return Found(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), np.zeros(0))


def categories_of(frames: FrameSet, classes: int) -> tuple[int, ...]:
    """The COCO ids of the box classes: the data's own, or from 1."""
    return frames.categories or tuple(range(1, classes + 1))


def as_results(frames: FrameSet, classes: int, found: Mapping[int, Found]) -> list[dict[str, Any]]:
    """Detections by index of the picture, as the records of a COCO result file, sorted by picture."""
    numbers, categories = frames.numbers, categories_of(frames, classes)
    return [
        {
            "image_id": numbers[index],
            "category_id": categories[label],
            "bbox": [left, top, right - left, bottom - top],
            "score": score,
        }
        for index in sorted(found)
        for (left, top, right, bottom), label, score in zip(
            found[index].corners.tolist(), found[index].labels.tolist(), found[index].scores.tolist(), strict=True
        )
    ]


def check_results(path: Path) -> None:
    """See that a file looks like COCO results of boxes, by its first record.

    Raises:
        DataError: it does not.
    """
    records = _records(path)
    if records:
        _fields(str(path), 0, records[0])


def read_results(path: Path, frames: FrameSet, classes: int) -> list[Found]:
    """The detections that a COCO result file tells of each picture, in the order of the frames.

    Raises:
        DataError: see `from_results`.
    """
    return from_results(_records(path), str(path), frames, classes)


def from_results(records: Sequence[Any], path: str, frames: FrameSet, classes: int) -> list[Found]:
    """The detections that the records of a COCO result file tell of each picture, in the order of the frames; `path`
    is for messages.

    Boxes may reach over the picture's edge, as COCO allows.

    Raises:
        DataError: a record that is none, that is about other pictures or classes than these, or whose box or score is
            no number; named by its place in the file.
    """
    places = {number: index for index, number in enumerate(frames.numbers)}
    labels = {category: label for label, category in enumerate(categories_of(frames, classes))}
    rows: list[list[tuple[list[float], int, float]]] = [[] for _ in frames.ids]
    _refuse_other_data(path, records, places)
    for place, record in enumerate(records):
        image, category, box, score = _fields(path, place, record)
        if image not in places:
            raise DataError(f"{path}, record {place}: the data have no picture with the id {image}")
        if category not in labels:
            raise DataError(f"{path}, record {place}: the data have no category with the id {category}")
        rows[places[image]].append((box, labels[category], score))
    return [_found(several) for several in rows]


def _found(rows: Sequence[tuple[list[float], int, float]]) -> Found:
    if not rows:
        return nothing()
    corners = np.array([box for box, _, _ in rows], dtype=np.float64)
    corners[:, 2:] += corners[:, :2]
    return Found(
        corners,
        np.array([label for _, label, _ in rows], dtype=np.int64),
        np.array([score for _, _, score in rows], dtype=np.float64),
    )


def _records(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > LARGEST_RESULTS:
            raise DataError(f"{path} is larger than {LARGEST_RESULTS >> 30} GiB")
        records = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(records, list):
        raise DataError(
            f"{path} is no file of COCO results: expected a list of detections, got {type(records).__name__}",
            hint="annotations are data: coco:FILE?images=FOLDER" if isinstance(records, dict) else "",
        )
    return records


def _refuse_other_data(path: str, records: Sequence[Any], places: Mapping[int, int]) -> None:
    """A file about other pictures altogether is said to be that, and not blamed for its first record."""
    named = {record.get("image_id") for record in records if isinstance(record, dict)} - {None}
    try:
        strange = named and not named & places.keys()
    except TypeError:
        return  # an id that is a list: its own record says so
    if strange:
        raise DataError(f"{path} is about other data: none of its {len(named):,} picture ids is among the data's")


def _fields(path: str, place: int, record: Any) -> tuple[int, int, list[float], float]:
    """A record's picture, category, box (x, y, width, height) and score."""
    where = f"{path}, record {place}"
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected an object with {', '.join(_KEYS)}, got {type(record).__name__}")
    lacking = [key for key in _KEYS if key not in record]
    if lacking:
        what = " (results of masks or key points cannot be compared)" if lacking == ["bbox"] else ""
        raise DataError(f"{where} has no {lacking[0]}{what}")
    image, category, score = record["image_id"], record["category_id"], record["score"]
    for key, value in (("image_id", image), ("category_id", category)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise DataError(f"{where}: {key} must be a whole number, got {_short(value)}")
    if not _number(score):
        raise DataError(f"{where}: the score must be a finite number, got {_short(score)}")
    return image, category, _box(where, record["bbox"]), float(score)


def _box(where: str, box: Any) -> list[float]:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_number, box)):
        raise DataError(f"{where}: bbox must be four finite numbers (x, y, width, height), got {_short(box)}")
    if min(box[2:]) < 0:
        raise DataError(f"{where}: a box has a width and a height of 0 at least, got {_short(box)}")
    return [float(value) for value in box]


def _short(value: Any) -> str:
    """A value as a line can show it."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
