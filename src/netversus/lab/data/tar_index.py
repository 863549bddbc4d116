"""What lies in one tar shard, found by reading its headers and labels and passing over the images.

A sample is a run of neighbouring members with one key, as WebDataset has it: `n01/0001.jpg` and `n01/0001.cls` make the
sample `n01/0001`. What is found is where an image's bytes lie, so that any image can be had without its neighbours.
"""

from __future__ import annotations

import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from netversus.errors import DataError
from netversus.lab.data.names import escape
from netversus.lab.data.places import LocalPlace, Place, Window
from netversus.lab.data.verify import LARGEST_FILE
from netversus.records import SkippedFile

VERSION: Final = 1  # raised when shards are understood differently
BLOCK: Final = tarfile.BLOCKSIZE
LARGEST_HEADER: Final = 2**22
LARGEST_LABEL: Final = 2**20
_AHEAD_REMOTE: Final = 2**12  # the next headers and a label come with one request
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstandard"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which members are a sample's image and label, by what follows the key. `field` is a name in a JSON label."""

    images: frozenset[str]
    label: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An image in a shard: key, suffix, where its bytes lie, the CRC-32 of the header before them, label."""

    key: str
    suffix: str
    offset: int
    size: int
    mark: int
    label: int | str


@dataclass
class _Sample:
    """The members of a key that were met so far. `trouble` is the first thing that is wrong with it."""

    key: str
    images: list[tuple[str, tarfile.TarInfo, int]] = field(default_factory=list)
    labels: list[bytes] = field(default_factory=list)
    trouble: str = ""


def index_shard(place: Place, name: str, wanted: Wanted) -> tuple[list[Found], list[SkippedFile]]:
    """The samples of a shard that can be used, in order, and those that cannot, each with its reason.

    `name` is how the shard is called in what is skipped. A shard that is damaged somewhere gives what lies before the
    damage, and is itself named: how many samples were lost cannot be known.

    Raises:
        DataError: it cannot be read at all.
    """
    found: list[Found] = []
    skipped: list[SkippedFile] = []
    seen: set[str] = set()
    try:
        for sample in _samples(place, wanted):
            one = _judged(sample, wanted, seen)
            seen.add(sample.key)
            if isinstance(one, Found):
                found.append(one)
            else:
                skipped.append(SkippedFile(f"{name}/{escape(sample.key)}", one))
    except _DamagedError as damage:
        skipped.append(SkippedFile(name, f"{damage} after {len(found)} usable samples"))
    return found, skipped


class _DamagedError(Exception):
    """The shard ends in the middle, or is no tar file from some place on."""


def _samples(place: Place, wanted: Wanted) -> Iterator[_Sample]:
    """The samples as they come; the last one of a damaged shard is not among them, for it may lack a member."""
    current: _Sample | None = None
    for info, mark, window in _members(place):
        key, suffix = _key(info.name)
        if not key:
            continue
        if current is None or current.key != key:
            if current is not None:
                yield current
            current = _Sample(key)
        _add(current, suffix, info, mark, window, wanted)
    if current is not None:
        yield current


def _members(place: Place) -> Iterator[tuple[tarfile.TarInfo, int, Window]]:
    """Every member with the CRC-32 of its header, and what reads on from there."""
    if place.size < BLOCK:
        raise _DamagedError("not a tar file")
    window = Window(place, BLOCK if isinstance(place, LocalPlace) else _AHEAD_REMOTE, LARGEST_HEADER)
    try:
        with tarfile.open(fileobj=cast("Any", window), mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep them all
                if info.offset_data + info.size > place.size:
                    raise _DamagedError("cut off")
                window.seek(info.offset_data - BLOCK)
                yield info, zlib.crc32(window.read(BLOCK)), window
            end = tar.offset
    except tarfile.ReadError as error:
        raise _DamagedError(_why(place, error)) from None
    except (DataError, tarfile.TarError, ValueError, OverflowError) as error:
        if isinstance(error, DataError) and "cannot read" in error.message:
            raise
        raise _DamagedError(f"damaged ({error})") from None
    _check_end(place, end)


def _check_end(place: Place, end: int) -> None:
    """A whole tar file ends with zeros. The reader stops without a word at a header that is none."""
    block = place.read(end, end + BLOCK)
    if not block:
        raise _DamagedError("without an end mark: cut off")
    if any(block):
        raise _DamagedError(f"damaged at byte {end}")


def _why(place: Place, error: tarfile.ReadError) -> str:
    head = place.read(0, 2)
    if head in _COMPRESSED:
        return f"compressed with {_COMPRESSED[head]}: no image can be had by itself; an uncompressed tar is needed"
    return "cut off" if "unexpected end" in str(error) else "not a tar file"


def _key(name: str) -> tuple[str, str]:
    """What comes before the first dot of a name's last part, and what comes after it; nothing where it is hidden."""
    folder, slash, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return (f"{folder}{slash}{stem}", suffix.lower()) if stem and suffix else ("", "")


def _add(sample: _Sample, suffix: str, info: tarfile.TarInfo, mark: int, window: Window, wanted: Wanted) -> None:
    """Take in a member; what is neither image nor label is passed over."""
    if suffix not in wanted.images and suffix != wanted.label:
        return
    if not info.isreg() or info.issparse():
        sample.trouble = sample.trouble or f"its {suffix} is not a plain file"
    elif suffix == wanted.label:
        if info.size > LARGEST_LABEL:
            sample.trouble = sample.trouble or f"its label has over {LARGEST_LABEL >> 20} MiB"
            return
        window.seek(info.offset_data)
        sample.labels.append(window.read(info.size))
    else:
        sample.images.append((suffix, info, mark))


def _judged(sample: _Sample, wanted: Wanted, seen: set[str]) -> Found | str:
    """The sample as it can be used, or why it cannot."""
    trouble = sample.trouble or _miscounted(sample, wanted) or ("its key appears again" if sample.key in seen else "")
    if trouble:
        return trouble
    suffix, info, mark = sample.images[0]
    if not info.size:
        return "empty file"
    if info.size > LARGEST_FILE:
        return f"too large: over {LARGEST_FILE >> 20} MiB"
    try:
        label = _label(sample.labels[0], wanted.field)
    except ValueError as error:
        return str(error)
    return Found(sample.key, suffix, info.offset_data, info.size, mark, label)


def _miscounted(sample: _Sample, wanted: Wanted) -> str:
    if not sample.images:
        return "no image"
    if not sample.labels:
        return f"no label: it has no member .{wanted.label}"
    if len(sample.images) > 1:
        return f"several images: {', '.join(suffix for suffix, _, _ in sample.images)}"
    return "several labels" if len(sample.labels) > 1 else ""


def _label(content: bytes, name: str) -> int | str:
    """A class as a number or a name.

    Raises:
        ValueError: it is neither; the message is the reason.
    """
    try:
        value = _in_json(content, name) if name else content.decode().strip()
    except (UnicodeDecodeError, RecursionError):
        raise ValueError("its label is not text") from None
    if value == "":
        raise ValueError("its label is empty")
    if isinstance(value, bool) or not isinstance(value, int | str):
        kind = type(value).__name__
        raise ValueError(f"its label is neither a number nor a name but {kind}")  # noqa: TRY004  it is the user's data
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) else escape(value)


def _in_json(content: bytes, name: str) -> object:
    try:
        record = json.loads(content)
    except json.JSONDecodeError:
        raise ValueError("its label is not JSON") from None
    if not isinstance(record, dict) or name not in record:
        raise ValueError(f"its label has no field {name!r}")
    return record[name]
