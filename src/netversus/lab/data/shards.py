"""`webdataset`: images in tar shards, on this machine's disk or behind an address, of which no copy is made.

A shard's headers tell where each image lies, so that images are read one by one in any order: in the recorded shuffle,
in which a test may stop early, and no further than it needs. A buffer of a stream that is shuffled as it passes, as
training has it, would be no random sample of the whole, and no verdict about the whole could rest on it.

What is behind an address is known by its headers and labels alone (`check=headers`); what lies here is read through
once (`check=full`), holding a few images at a time. The findings are remembered until a shard changes.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import PIL
from PIL import Image
from pydantic import Field

from netversus.errors import DataError, UnreadableError
from netversus.files import is_remote, write_atomic
from netversus.lab.data.cache import cache_folder
from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.data.decode import SUFFIXES, Fast, decode
from netversus.lab.data.kind import Kind, Opening
from netversus.lab.data.names import escape
from netversus.lab.data.photos import (
    DEFAULT_VAL,
    TEST_NAMES,
    TRAIN_NAMES,
    Photo,
    by_side,
    describe_photos,
    divide,
    said_of_seed,
    said_of_sides,
)
from netversus.lab.data.places import Place, common_folder, matching, open_place, refuse_secrets, trace_of
from netversus.lab.data.tar_index import BLOCK, VERSION, Found, Wanted, index_shard
from netversus.lab.data.verify import THREADS
from netversus.records import SkippedFile, digest
from netversus.study import Options

MOST_CLASSES: Final = 200_000
SHARDS_AT_ONCE: Final = 16
_CHUNK: Final = 64
_IMAGE_SUFFIXES: Final = frozenset(suffix[1:] for suffixes in SUFFIXES.values() for suffix in suffixes)

NOT_LOOKED_AT: Final = (
    "images were not decoded when the data were opened: the digest covers names, places, sizes and labels, not pixels; "
    "an image that turns out to be unreadable is named and left out when it is read"
)


class ShardOptions(Options):
    """What can be set about tar shards."""

    val: Annotated[
        float | None,
        Field(gt=0, le=1, description=f"Share held out for the test of shards not divided ({DEFAULT_VAL}); 1: all."),
    ] = None
    train: Annotated[str | None, Field(description="Shards to train on; the others are then to measure on.")] = None
    image: Annotated[str | None, Field(description="Suffix of the images, where a sample has several.")] = None
    label: Annotated[str, Field(description="Suffix of the labels; json:FIELD for a field of a JSON member.")] = "cls"
    classes: Annotated[str | None, Field(description="File with the classes' names, one a line, from 0 on.")] = None
    check: Annotated[
        Literal["full", "headers"] | None,
        Field(description="What is looked at on opening; full (decode all) on this disk, headers at an address."),
    ] = None
    megapixels: Annotated[float, Field(gt=0, le=178, description="Images of more million pixels are not decoded.")] = (
        50.0
    )


@dataclass(frozen=True, slots=True)
class ShardPhoto(Photo):
    """An image in a shard. `sha256` is that of its bytes, or of its id and header where those were not read."""

    shard: int
    suffix: str
    offset: int
    size: int
    mark: int


class ShardImages(ImageSet):
    """One split of a set of shards. Images are read by range when asked for, and refused when they have changed."""

    def __init__(
        self, photos: Sequence[ShardPhoto], places: Sequence[Place], megapixels: float, looked: _Looked
    ) -> None:
        self.ids = tuple(photo.id for photo in photos)
        self.labels = np.array([photo.label for photo in photos], dtype=np.int64)
        self.factors: Mapping[str, tuple[str, ...]] = {}
        self.checked = looked.whole
        self.trace = "" if looked.whole else trace_of(places)
        self._photos = tuple(photos)
        self._places = places
        self._megapixels = megapixels
        self._strict = looked.strict

    def image(self, index: int) -> Image.Image:
        """The image at `index`, decoded, upright, mode RGB."""
        return self._decoded(index, None)

    def read(self, index: int, fast: Fast) -> Image.Image:
        """The same, decoded by `fast` where it is a plain JPEG."""
        return self._decoded(index, fast)

    def content(self, index: int) -> bytes:
        """The bytes of the image at `index`."""
        photo = self._photos[index]
        content = _content(self._places[photo.shard], photo)
        if content is None or (self.checked and hashlib.sha256(content).hexdigest() != photo.sha256):
            raise DataError(
                f"{photo.id} changed since the data were opened", hint="start a new run with the data as they are"
            )
        return content

    def _decoded(self, index: int, fast: Fast | None) -> Image.Image:
        photo, content = self._photos[index], self.content(index)
        try:
            return decode(content, suffix=f".{photo.suffix}", megapixels=self._megapixels, fast=fast).image
        except DataError as error:
            kind = DataError if self.checked or self._strict else UnreadableError
            raise kind(f"{photo.id}: {error}", hint="check=full finds all such images before anything is run") from None


@dataclass(frozen=True, slots=True)
class _Looked:
    """How the images were looked at on opening."""

    whole: bool
    strict: bool


def open_shards(opening: Opening) -> Dataset:
    """Tar shards, their headers read, and every image decoded once where that was asked for."""
    options: ShardOptions = opening.options
    sides = _sides(opening.target, options)
    names = [name for several in sides.values() for name in several]
    whole = options.check == "full" or (options.check is None and not any(is_remote(name) for name in names))
    root = common_folder(names)
    places, indexed = _index(names, root, options, whole)
    classes, labels = _classes(indexed, options)
    photos, skipped = _photos(sides, names, indexed, labels)
    how_divided = said_of_sides({side: _folder_of(several, root) for side, several in sides.items()})
    if "whole" in sides:
        share = options.val or DEFAULT_VAL
        photos = divide(photos, share, opening.seed)
        how_divided = said_of_seed(share, opening.seed)
    card = describe_photos(
        name=_title(opening.target),
        spec=opening.spec,
        classes=classes,
        photos=photos,
        skipped=skipped,
        how_divided=how_divided,
        notes=(_said_of_shards(places), *(() if whole else (NOT_LOOKED_AT,))),
        strict=opening.strict,
    )
    looked = _Looked(whole, opening.strict)
    splits = {
        side: ShardImages(several, places, options.megapixels, looked) for side, several in by_side(photos).items()
    }
    return Dataset(card, splits)


def _sides(target: str, options: ShardOptions) -> dict[str, list[str]]:
    """The shards of "train" and "test", or of "whole" where they are not divided."""
    if options.train is not None:
        if options.val is not None:
            raise DataError("these shards are divided already, by train=", hint="leave val out")
        sides = {"train": matching(options.train), "test": matching(target)}
        if twice := set(sides["train"]) & set(sides["test"]):
            raise DataError(f"{min(twice)} is among the shards to train on and among those to measure on")
        return sides
    refuse_secrets(target)
    if is_remote(target) or not Path(target).expanduser().is_dir():
        return {"whole": matching(target)}
    return _sides_of_folder(Path(target).expanduser().absolute(), options)


def _sides_of_folder(root: Path, options: ShardOptions) -> dict[str, list[str]]:
    """The shards of a folder: its own, or those of its subfolders for train and test."""
    inside = {path.name.lower(): path for path in sorted(root.iterdir(), reverse=True) if path.is_dir()}
    train = next((inside[name] for name in TRAIN_NAMES if name in inside), None)
    test = next((inside[name] for name in TEST_NAMES if name in inside), None)
    if test is None:
        return {"whole": _tars(root)}
    if options.val is not None:
        raise DataError(f"{root} is divided already, by its subfolders", hint="leave val out")
    return {"train": _tars(train), "test": _tars(test)} if train is not None else {"test": _tars(test)}


def _tars(folder: Path) -> list[str]:
    found = sorted(str(path) for path in folder.glob("*.tar"))
    if not found:
        raise DataError(f"{folder} holds no .tar files", hint="give the folder of the shards, or a pattern of them")
    return found


def _index(
    names: Sequence[str], root: str, options: ShardOptions, whole: bool
) -> tuple[list[Place], list[tuple[list[_Seen], list[SkippedFile]]]]:
    """Every shard opened, and what is in it."""
    wanted = _wanted(options)

    def one(name: str) -> tuple[Place, tuple[list[_Seen], list[SkippedFile]]]:
        place = open_place(name)
        return place, _remembered(place, escape(name[len(root) :]), wanted, options.megapixels, whole)

    # Shard by shard: threads wait for headers that come from afar, while what is decoded here has threads of its own.
    with warnings.catch_warnings(), ThreadPoolExecutor(1 if whole else SHARDS_AT_ONCE) as pool:
        warnings.simplefilter("ignore")
        done = list(pool.map(one, names))
    return [place for place, _ in done], [seen for _, seen in done]


@dataclass(frozen=True, slots=True)
class _Seen:
    """An image that was found, the SHA-256 by which it is known, and what is unusual about it."""

    found: Found
    id: str
    sha256: str
    notes: tuple[str, ...] = ()


def _wanted(options: ShardOptions) -> Wanted:
    images = _IMAGE_SUFFIXES if options.image is None else frozenset({options.image.lower().lstrip(".")})
    label, _, field = options.label.partition(":")
    return Wanted(images, label.lower().lstrip("."), field)


def _remembered(
    place: Place, name: str, wanted: Wanted, megapixels: float, whole: bool
) -> tuple[list[_Seen], list[SkippedFile]]:
    """What is in a shard, from the memory where it did not change since."""
    key = digest(VERSION, place.name, place.trace, name, sorted(wanted.images), wanted.label, wanted.field, whole)
    pixels = digest(PIL.__version__, megapixels) if whole else ""
    memory = cache_folder() / f"shard-{digest(key, pixels)[:32]}.json" if place.trace else None
    if memory is not None and (known := _recall(memory)) is not None:
        return known
    found, skipped = index_shard(place, name, wanted)
    looked = _look(place, name, found, megapixels) if whole else (_by_header(name, each) for each in found)
    seen: list[_Seen] = []
    for each in looked:
        if isinstance(each, SkippedFile):
            skipped.append(each)
        else:
            seen.append(each)
    _remember(memory, seen, skipped)
    return seen, skipped


def _by_header(name: str, found: Found) -> _Seen:
    """An image that was not read: known by where it lies and how its header reads."""
    unit = f"{name}/{escape(found.key)}"
    return _Seen(found, unit, digest("header", unit, found.size, found.mark))


def _look(place: Place, name: str, found: Sequence[Found], megapixels: float) -> Iterator[_Seen | SkippedFile]:
    """Every image of a shard read, hashed and decoded once, in order, a few at a time in memory."""

    def look(one: Found) -> _Seen | SkippedFile:
        unit = f"{name}/{escape(one.key)}"
        content = place.read(one.offset, one.offset + one.size)
        try:
            notes = decode(content, suffix=f".{one.suffix}", megapixels=megapixels).notes
        except DataError as error:
            return SkippedFile(unit, str(error))
        return _Seen(one, unit, hashlib.sha256(content).hexdigest(), notes)

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(found), _CHUNK):
            yield from pool.map(look, found[start : start + _CHUNK])


def _recall(memory: Path) -> tuple[list[_Seen], list[SkippedFile]] | None:
    """What is remembered of a shard; None where that is missing or damaged."""
    try:
        stored = json.loads(memory.read_bytes())
        seen = [_Seen(Found(*found), str(unit), str(sha), tuple(notes)) for found, unit, sha, notes in stored["seen"]]
        return seen, [SkippedFile(str(path), str(reason)) for path, reason in stored["skipped"]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _remember(memory: Path | None, seen: Sequence[_Seen], skipped: Sequence[SkippedFile]) -> None:
    if memory is None:
        return
    rows: dict[str, Any] = {
        "seen": [
            [[f.key, f.suffix, f.offset, f.size, f.mark, f.label], one.id, one.sha256, one.notes]
            for one in seen
            for f in (one.found,)
        ],
        "skipped": [[one.path, one.reason] for one in skipped],
    }
    with suppress(OSError):
        write_atomic(memory, json.dumps(rows, separators=(",", ":")).encode())


def _classes(
    indexed: Iterable[tuple[Sequence[_Seen], Sequence[SkippedFile]]], options: ShardOptions
) -> tuple[list[str], Callable[[int | str], int | None]]:
    """The names of the classes, and the class of a label; None where it has none.

    Numbers are the classes themselves, so that they mean what a trained network's outputs mean; names are put in order.
    """
    told = {one.found.label for seen, _ in indexed for one in seen}
    if options.classes is not None:
        names = _names_in(Path(options.classes).expanduser())
        places = {name: place for place, name in enumerate(names)}
        return names, lambda label: places.get(label) if isinstance(label, str) else _within(label, len(names))
    numbers = [label for label in told if isinstance(label, int)]
    words = sorted(label for label in told if isinstance(label, str))
    if numbers and words:
        raise DataError(
            f"some labels are numbers and some are names, such as {numbers[0]} and {words[0]}",
            hint="say classes=FILE, with the names from 0 on",
        )
    if words:
        places = {name: place for place, name in enumerate(words)}
        return words, lambda label: places.get(str(label))
    most = max(numbers, default=-1)
    if most >= MOST_CLASSES:
        raise DataError(f"the label {most} is no number of a class: there would be over {MOST_CLASSES:,}")
    return [str(number) for number in range(most + 1)], lambda label: _within(int(label), most + 1)


def _within(label: int, count: int) -> int | None:
    return label if 0 <= label < count else None


def _names_in(path: Path) -> list[str]:
    try:
        names = [escape(line.strip()) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the names of the classes in {path}: {error}") from None
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"{path} names the class {twice!r} twice")
    return names


def _photos(
    sides: Mapping[str, Sequence[str]],
    names: Sequence[str],
    indexed: Sequence[tuple[Sequence[_Seen], Sequence[SkippedFile]]],
    labels: Callable[[int | str], int | None],
) -> tuple[list[ShardPhoto], list[SkippedFile]]:
    """Every image with its side and its class, and what cannot be used."""
    side_of = {name: side for side, several in sides.items() for name in several}
    photos: list[ShardPhoto] = []
    skipped: list[SkippedFile] = []
    for shard, (name, (seen, bad)) in enumerate(zip(names, indexed, strict=True)):
        skipped += bad
        for one in seen:
            label, f = labels(one.found.label), one.found
            if label is None:
                skipped.append(SkippedFile(one.id, f"the label {f.label} is no class"))
            else:
                where = (shard, f.suffix, f.offset, f.size, f.mark)
                photos.append(ShardPhoto(one.id, one.sha256, one.notes, label, side_of[name], *where))
    return photos, skipped


def _content(place: Place, photo: ShardPhoto) -> bytes | None:
    """The bytes of an image; None where the header before them is no longer what it was."""
    content = place.read(photo.offset - BLOCK, photo.offset + photo.size)
    whole = len(content) == BLOCK + photo.size and zlib.crc32(content[:BLOCK]) == photo.mark
    return content[BLOCK:] if whole else None


def _folder_of(names: Sequence[str], root: str) -> str:
    """The folder of some shards below the root, for people."""
    return escape(common_folder(list(names))[len(root) :].rstrip("/") or posixpath.basename(root.rstrip("/")) or root)


def _title(target: str) -> str:
    """The name of the data: the last part of the target that is no pattern."""
    parts = [part for part in target.rstrip("/").split("/") if part and not set(part) & set("{}*[]")]
    return escape(parts[-1]) if parts else "shards"


def _said_of_shards(places: Sequence[Place]) -> str:
    size = sum(place.size for place in places) / 2**20
    return f"{len(places)} {'shard' if len(places) == 1 else 'shards'}, {size:,.1f} MiB, read by range, not copied"


KIND = Kind(
    name="webdataset",
    summary="images in tar shards, on this disk or behind an address, larger than any disk",
    options=ShardOptions,
    open=open_shards,
    target="FOLDER_OR_PATTERN",
)
