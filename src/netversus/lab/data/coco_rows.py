"""The records of a COCO annotation file, read strictly: pictures, categories, boxes (Lin et al. 2014). Loads no torch.

A record that cannot be right is refused, named by the list that holds it and its place there, from 0. What pycocotools
takes as it is (a box without area, one that reaches over the edge, a crowd) is taken here too, and counted by `coco`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from netversus.errors import DataError

LARGEST_FILE = 4 * 2**30
LARGEST_ID = 2**63 - 1  # more than 32 bits are fine, more than 64 are no number that other tools read
_LARGEST_SIDE = 1_000_000
_LARGEST_NUMBER = 1e9


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture that the file names. `size` is (width, height) where the file tells it."""

    where: str
    id: int
    file_name: str
    size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object: `box` is left, top, width, height in pixels; `label` is the place of its category."""

    where: str
    image: int
    label: int
    box: tuple[float, float, float, float]
    area: float
    crowd: bool


@dataclass(frozen=True, slots=True)
class Annotated:
    """A file: its categories in the order of their ids, its pictures in the order of theirs, and their objects."""

    categories: tuple[int, ...]
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    objects: Mapping[int, tuple[Annotation, ...]]


def read_annotations(content: bytes, name: str) -> Annotated:
    """What a COCO file of boxes holds; `name` is what a message calls the file.

    Raises:
        DataError: it is no such file, or a record cannot be right.
    """
    whole = _parsed(content, name)
    categories = _categories(whole["categories"], name)
    entries = _entries(whole["images"], name)
    labels = {number: label for label, number in enumerate(categories)}
    objects: dict[int, list[Annotation]] = {entry.id: [] for entry in entries}
    first: dict[int, str] = {}
    for place, record in enumerate(whole["annotations"]):
        where = f"{name}, annotations[{place}]"
        _once(first, _id(where, _object(where, record), "id"), where)
        one = _annotation(where, record, objects, labels)
        objects[one.image].append(one)
    return Annotated(
        categories=tuple(categories),
        classes=tuple(categories.values()),
        entries=entries,
        objects={number: tuple(several) for number, several in objects.items()},
    )


def _parsed(content: bytes, name: str) -> Mapping[str, list[Any]]:
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is no JSON: {str(error).splitlines()[0][:200]}") from None
    if not isinstance(whole, dict):
        hint = "a list of detections is a contender: results:FILE.json" if isinstance(whole, list) else ""
        raise DataError(f"{name} is no COCO file: expected an object, got {type(whole).__name__}", hint=hint)
    for key in ("images", "annotations", "categories"):
        if key not in whole:
            raise DataError(f"{name} has no {key}: it is no COCO file of boxes")
        if not isinstance(whole[key], list):
            raise DataError(f"{name}: {key} must be a list, got {type(whole[key]).__name__}")
    for key in ("images", "categories"):
        if not whole[key]:
            raise DataError(f"{name}: its list of {key} is empty")
    return whole


def _categories(records: Sequence[Any], name: str) -> dict[int, str]:
    """The names of the categories, in the order of their ids."""
    found: dict[int, str] = {}
    first: dict[int, str] = {}
    named: dict[str, str] = {}
    for place, record in enumerate(records):
        where = f"{name}, categories[{place}]"
        number = _id(where, _object(where, record), "id")
        _once(first, number, where)
        said = record.get("name")
        if not isinstance(said, str) or not said.strip():
            raise DataError(f"{where}: expected a name, got {_shown(said)}")
        if said in named:
            raise DataError(f"{where}: the name {_shown(said)} is that of {_short(named[said])} too")
        named[said] = where
        found[number] = said
    return dict(sorted(found.items()))


def _entries(records: Sequence[Any], name: str) -> tuple[Entry, ...]:
    """The pictures in the order of their ids."""
    entries: list[Entry] = []
    first: dict[int, str] = {}
    files: dict[str, str] = {}
    for place, record in enumerate(records):
        where = f"{name}, images[{place}]"
        number = _id(where, _object(where, record), "id")
        _once(first, number, where)
        file_name = _file_name(where, record.get("file_name"))
        if file_name in files:
            raise DataError(f"{where}: {_shown(file_name)} is the picture of {_short(files[file_name])} too")
        files[file_name] = where
        entries.append(Entry(where, number, file_name, _size(where, record)))
    return tuple(sorted(entries, key=lambda entry: entry.id))


def _file_name(where: str, value: Any) -> str:
    """A path that stays below the folder of the pictures."""
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: expected a file_name, got {_shown(value)}")
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value or not path.name:
        raise DataError(f"{where}: a file_name leads to a file below the folder of pictures, got {_shown(value)}")
    return value


def _size(where: str, record: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = [record.get(key) for key in ("width", "height")]
    if sides == [None, None]:
        return None
    for side in sides:
        if isinstance(side, bool) or not isinstance(side, int) or not 1 <= side <= _LARGEST_SIDE:
            raise DataError(f"{where}: width and height are whole numbers of pixels, got {_shown(sides)}")
    return (sides[0], sides[1])  # type: ignore[return-value]


def _annotation(
    where: str, record: Mapping[str, Any], objects: Mapping[int, object], labels: Mapping[int, int]
) -> Annotation:
    image, category = _id(where, record, "image_id"), _id(where, record, "category_id")
    if image not in objects:
        raise DataError(f"{where}: there is no picture with the id {image}")
    if category not in labels:
        raise DataError(f"{where}: there is no category with the id {category}")
    box = _box(where, record)
    crowd = record.get("iscrowd", 0)
    if isinstance(crowd, bool) or crowd not in (0, 1):
        raise DataError(f"{where}: iscrowd is 0 or 1, got {_shown(crowd)}")
    area = record.get("area", box[2] * box[3])
    if not _number(area) or area < 0:
        raise DataError(f"{where}: an area is a number from 0 on, got {_shown(area)}")
    return Annotation(where, image, labels[category], box, float(area), bool(crowd))


def _box(where: str, record: Mapping[str, Any]) -> tuple[float, float, float, float]:
    box = record.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_number, box)):
        raise DataError(f"{where}: bbox is four finite numbers (x, y, width, height), got {_shown(box)}")
    left, top, width, height = map(float, box)
    if width < 0 or height < 0:
        raise DataError(f"{where}: a box has no negative width or height, got {_shown(box)}")
    return left, top, width, height


def _object(where: str, record: Any) -> Mapping[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected an object, got {type(record).__name__}")
    return record


def _id(where: str, record: Mapping[str, Any], key: str) -> int:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_ID:
        raise DataError(f"{where}: {key} is a whole number from 0 to 2^63 - 1, got {_shown(value)}")
    return value


def _once(first: dict[int, str], number: int, where: str) -> None:
    before = first.setdefault(number, where)
    if before != where:
        raise DataError(f"{where}: the id {number} is that of {_short(before)} too")


def _short(where: str) -> str:
    """A place in the same file, without the file."""
    return where.rpartition(", ")[2]


def _number(value: Any) -> bool:
    """Whether it is a finite number that a pixel can have; whole ones of any length are compared, not converted."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER and math.isfinite(value)


def _shown(value: Any) -> str:
    """A value in a message, not longer than a line."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_ID:
        return "a number of more than 64 bits"
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_file(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        DataError: it is not there, cannot be read, or is too large.
    """
    try:
        if not path.is_file():
            raise DataError(f"there is no file {path}")
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{path} is larger than {LARGEST_FILE >> 30} GiB")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
