"""`hf`: a Hugging Face data set, from a local folder or file or from the hub, through the package `datasets`.

With `streaming=true` nothing is downloaded: see `hf_stream`. Images are then not looked at when the data are opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import Field

from netversus.errors import DataError, MissingExtraError, UnreadableError, nearest
from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.data.decode import Fast, decode
from netversus.lab.data.hf_stream import Streamed, streamed_splits
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
from netversus.lab.data.verify import THREADS
from netversus.records import SkippedFile
from netversus.study import Options

_IMAGE_NAMES = ("image", "img", "picture", "photo")
_LABEL_NAMES = ("label", "labels", "class", "category", "target")
_CHUNK = 256

NOT_LOOKED_AT = (
    "images were not decoded when the data were opened: the digest covers the labels and the files' footers (rows, "
    "sizes, places), not pixels; an image that turns out to be unreadable is named and left out when it is read"
)


class HfOptions(Options):
    """What can be set about a Hugging Face data set."""

    split: Annotated[
        str | None,
        Field(description="Split to measure on; else test, then validation, where there are several."),
    ] = None
    val: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description=f"Share of the split held out by seed; {DEFAULT_VAL} where there is one split only.",
        ),
    ] = None
    image: Annotated[str | None, Field(description="Column of the images, where it is not plain.")] = None
    label: Annotated[str | None, Field(description="Column of the labels, where it is not plain.")] = None
    config: Annotated[str | None, Field(description="Configuration of the data set, where it has several.")] = None
    revision: Annotated[str | None, Field(description="Commit, tag or branch on the hub.")] = None
    streaming: Annotated[
        bool, Field(description="Download nothing: read the parquet files a row group at a time, as needed.")
    ] = False
    megapixels: Annotated[float, Field(gt=0, le=178, description="Images of more million pixels are not decoded.")] = (
        50.0
    )


@dataclass(frozen=True, slots=True)
class RowPhoto(Photo):
    """An image that is a row of a table."""

    split: str
    row: int


@dataclass(frozen=True)
class _Table:
    """One split: undecoded images, and each row's label or None. `marks` tell the rows of a stream apart, and
    `trace` its files from what they were (see `ImageSet.trace`)."""

    cell: Callable[[int], Any]
    labels: Sequence[int | None]
    marks: Sequence[str] = ()
    said: str = ""
    trace: str | None = ""

    def content(self, row: int) -> bytes:
        """The bytes of an image, from the table or from the file that it names."""
        cell = self.cell(row)
        if isinstance(cell, bytes):
            return cell
        if cell is None or (cell.get("bytes") is None and not cell.get("path")):
            raise DataError("no image")
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        if self.marks:
            raise DataError("its bytes are not in the table")
        path = Path(cell["path"])
        if not path.is_file():  # never an address, never a pipe
            raise DataError(f"its file {escape(str(path))} is missing")
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"its file cannot be read: {error.strerror}") from None


class HfImages(ImageSet):
    """One side of a Hugging Face data set. Rows are read when asked for."""

    def __init__(
        self, photos: Sequence[RowPhoto], tables: Mapping[str, _Table], megapixels: float, *, strict: bool = False
    ) -> None:
        self.ids = tuple(photo.id for photo in photos)
        self.labels = np.array([photo.label for photo in photos], dtype=np.int64)
        self.factors: Mapping[str, tuple[str, ...]] = {}
        self._photos = tuple(photos)
        self.checked = not any(table.marks for table in tables.values())
        traces = [table.trace for table in tables.values()]
        self.trace = None if None in traces else "".join(trace for trace in traces if trace)
        self._tables = tables
        self._megapixels = megapixels
        self._strict = strict

    def image(self, index: int) -> Image.Image:
        """The image at `index`, decoded, upright, mode RGB."""
        return self._decoded(index, None)

    def read(self, index: int, fast: Fast) -> Image.Image:
        """The same, decoded by `fast` where it is a plain JPEG."""
        return self._decoded(index, fast)

    def content(self, index: int) -> bytes | None:
        """The bytes of the image at `index`; None of a stream, which reads a whole group of rows for it."""
        return self._content(self._photos[index]) if self.checked else None

    def _content(self, photo: RowPhoto) -> bytes:
        try:
            content = self._tables[photo.split].content(photo.row)
        except DataError as error:
            raise DataError(f"cannot read {photo.id} any more: {error}") from None
        if hashlib.sha256(content).hexdigest() != photo.sha256:
            raise DataError(f"{photo.id} changed since the data were opened")
        return content

    def _decoded(self, index: int, fast: Fast | None) -> Image.Image:
        photo = self._photos[index]
        if not self.checked:
            return self._unchecked(photo, fast)
        return decode(self._content(photo), suffix="", megapixels=self._megapixels, fast=fast).image

    def _unchecked(self, photo: RowPhoto, fast: Fast | None) -> Image.Image:
        """An image that is looked at for the first time."""
        cell = self._tables[photo.split].cell(photo.row)  # what the network does is no fault of the image
        try:
            content = replace(self._tables[photo.split], cell=lambda _: cell).content(photo.row)
            return decode(content, suffix="", megapixels=self._megapixels, fast=fast).image
        except DataError as error:
            raise (DataError if self._strict else UnreadableError)(f"{photo.id}: {error}") from None


def open_hf(opening: Opening) -> Dataset:
    """A Hugging Face data set, every image of the chosen splits looked at."""
    options: HfOptions = opening.options
    splits = _streamed(opening.target, options) if options.streaming else _load(opening.target, options)
    sides = _sides(opening.target, list(splits), options)
    classes, tables = _tables({name: splits[name] for name in sides.values()}, options)
    photos: list[RowPhoto] = []
    skipped: list[SkippedFile] = []
    for side, split in sides.items():
        for one in _look_at(tables[split], split, side, options.megapixels):
            if isinstance(one, SkippedFile):
                skipped.append(one)
            else:
                photos.append(one)
    how_divided = said_of_sides(sides)
    if "whole" in sides:
        share = options.val or DEFAULT_VAL
        photos = divide(photos, share, opening.seed)
        how_divided = said_of_seed(share, opening.seed)
    card = describe_photos(
        name=Path(opening.target).name,
        spec=opening.spec,
        classes=classes,
        photos=photos,
        skipped=skipped,
        how_divided=how_divided,
        unused=sorted(set(splits) - set(sides.values())),
        notes=_said_of_stream(tables),
        strict=opening.strict,
    )
    several = by_side(photos).items()
    return Dataset(
        card,
        {side: HfImages(some, tables, options.megapixels, strict=opening.strict) for side, some in several},
    )


def _said_of_stream(tables: Mapping[str, _Table]) -> list[str]:
    said = list(dict.fromkeys(table.said for table in tables.values() if table.said))
    return [*said, NOT_LOOKED_AT] if said else []


def _streamed(target: str, options: HfOptions) -> dict[str, Streamed]:
    """The splits by name, of which nothing but the footers was read."""
    _need_datasets()
    try:
        return streamed_splits(target, options.config, options.revision)
    except DataError:
        raise
    except ConnectionError:
        raise _unreachable(target) from None
    except Exception as error:  # noqa: BLE001  a builder raises as many kinds of error as there are data sets
        raise DataError(f"cannot load the data set {target}: {type(error).__name__}: {error}") from None


def _need_datasets() -> None:
    try:
        import datasets  # noqa: F401
    except ImportError:
        raise MissingExtraError("datasets", "hf", "Hugging Face data") from None


def _unreachable(target: str) -> DataError:
    return DataError(
        f"the data set {target} is not on this machine and the hub cannot be reached",
        hint="on a machine with a network: datasets.load_dataset(NAME).save_to_disk(FOLDER), "
        "then copy it here and give hf:FOLDER",
    )


def _load(target: str, options: HfOptions) -> dict[str, Any]:
    """The splits by name, whatever form the data set has."""
    _need_datasets()
    import datasets

    local = Path(target).expanduser()
    if not local.exists() and (target.startswith((".", "/", "~")) or target.count("/") > 1):
        raise DataError(f"there is no folder or file {target}")
    kind = _format_of(local) if local.is_file() else ""
    try:
        if kind:
            loaded = datasets.load_dataset(kind, data_files=str(local))
        elif (local / "state.json").exists() or (local / "dataset_dict.json").exists():
            loaded = datasets.load_from_disk(str(local))
        else:
            name = str(local) if local.exists() else target
            loaded = datasets.load_dataset(name, options.config, revision=options.revision)
    except ConnectionError:
        raise _unreachable(target) from None
    except Exception as error:  # noqa: BLE001  readers of a dozen formats raise as many kinds of error
        raise DataError(f"cannot load the data set {target}: {type(error).__name__}: {error}") from None
    return dict(loaded) if isinstance(loaded, dict) else {str(loaded.split or "data"): loaded}


def _format_of(path: Path) -> str:
    known = {".parquet": "parquet", ".arrow": "arrow"}
    if path.suffix not in known:
        raise DataError(f"cannot tell the format of {path.name}", hint=f"expected {' or '.join(known)}")
    return known[path.suffix]


def _sides(target: str, names: Sequence[str], options: HfOptions) -> dict[str, str]:
    """Which split is "train" and which "test"; one split that is to be divided is "whole"."""
    if options.split is not None and options.split not in names:
        hint = nearest(options.split, names) or f"it has {', '.join(names)}"
        raise DataError(f"{target} has no split {options.split!r}", hint=hint)
    train = next((name for name in TRAIN_NAMES if name in names), None)
    test = options.split or next((name for name in TEST_NAMES if name in names), None)
    if options.val is not None or (options.split is None and len(names) == 1):
        return {"whole": options.split or train or names[0]}
    if test is None:
        raise DataError(
            f"{target} has the splits {', '.join(names)} and no {' or '.join(TEST_NAMES)}",
            hint="say split=NAME, and val=SHARE to divide it",
        )
    return {"train": train, "test": test} if train is not None and train != test else {"test": test}


def _tables(splits: Mapping[str, Any], options: HfOptions) -> tuple[tuple[str, ...], dict[str, _Table]]:
    """The class names, and each split with its columns found and its images left undecoded."""
    first = next(iter(splits.values()))
    image = _image_column(first.features, options.image)
    label = _label_column(first.features, options.label)
    for split, rows in splits.items():
        for column in (image, label):
            if column not in rows.column_names:
                raise DataError(f"the split {split} has no column {column!r}, unlike the others")
    raw = {split: _column(rows, label) for split, rows in splits.items()}
    names = getattr(first.features[label], "names", None)
    if names is None:
        values = sorted({value for column in raw.values() for value in column if value is not None})
        index: dict[Any, int] = {value: number for number, value in enumerate(values)}
        names = [escape(str(value)) for value in values]
    else:
        index = {number: number for number in range(len(names))}
    tables = {split: _table(rows, image, [index.get(value) for value in raw[split]]) for split, rows in splits.items()}
    return tuple(names), tables


def _column(rows: Any, name: str) -> Sequence[Any]:
    column: Sequence[Any] = rows.column(name) if isinstance(rows, Streamed) else rows[name]
    return column


def _table(rows: Any, image: str, labels: Sequence[int | None]) -> _Table:
    """A split with its column of images, which are left undecoded."""
    import datasets

    if isinstance(rows, Streamed):
        return _Table(rows.cells(image).__getitem__, labels, rows.marks(), rows.said_of_groups(image), rows.trace)
    undecoded = rows.cast_column(image, datasets.Image(decode=False))
    return _Table(lambda row: undecoded[row][image], labels)


def _image_column(features: Mapping[str, Any], told: str | None) -> str:
    """The column of images: typed as such, or bytes under a usual name."""
    if told is not None:
        return _told_column(features, told, "images", _holds_images)
    typed = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    if len(typed) == 1:
        return typed[0]
    named = [name for name in typed or features if name.lower() in _IMAGE_NAMES and _holds_images(features[name])]
    return _only(named, features, "image")


def _label_column(features: Mapping[str, Any], told: str | None) -> str:
    """The column of labels: typed as classes, or whole numbers or text under a usual name."""
    if told is not None:
        return _told_column(features, told, "classes", _holds_classes)
    typed = [name for name, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    if len(typed) == 1:
        return typed[0]
    named = [name for name in typed or features if name.lower() in _LABEL_NAMES and _holds_classes(features[name])]
    return _only(named, features, "label")


def _holds_images(feature: Any) -> bool:
    """Images, or their bytes; text that names files is not followed."""
    stored = isinstance(feature, dict) and "bytes" in feature
    return type(feature).__name__ == "Image" or stored or getattr(feature, "dtype", "") in ("binary", "large_binary")


def _holds_classes(feature: Any) -> bool:
    kind = str(getattr(feature, "dtype", ""))
    return type(feature).__name__ in ("ClassLabel", "Value") and kind.startswith(("int", "uint", "string", "bool"))


def _told_column(features: Mapping[str, Any], told: str, what: str, fits: Callable[[Any], bool]) -> str:
    if told not in features:
        hint = nearest(told, features) or f"it has {', '.join(features)}"
        raise DataError(f"the data set has no column {told!r}", hint=hint)
    if not fits(features[told]):
        raise DataError(f"the column {told!r} holds no {what}, but {features[told]}")
    return told


def _only(found: Sequence[str], features: Mapping[str, Any], what: str) -> str:
    if len(found) != 1:
        raise DataError(
            f"cannot tell which column holds the {what}s; there are {', '.join(features)}",
            hint=f"say {what}=COLUMN",
        )
    return found[0]


def _look_at(table: _Table, split: str, side: str, megapixels: float) -> list[RowPhoto | SkippedFile]:
    """Every row, hashed and decoded once, in order; those of a stream are taken as they are."""

    def look(job: tuple[int, bytes | DataError]) -> RowPhoto | SkippedFile:
        row, content = job
        name, label = f"{split}/{row:06d}", table.labels[row]
        if label is None:
            return SkippedFile(name, "no label")
        if table.marks:
            return RowPhoto(name, table.marks[row], (), label, side, split, row)
        if isinstance(content, DataError):
            return SkippedFile(name, str(content))
        try:
            notes = decode(content, suffix="", megapixels=megapixels).notes
        except DataError as error:
            return SkippedFile(name, str(error))
        return RowPhoto(name, hashlib.sha256(content).hexdigest(), notes, label, side, split, row)

    found: list[RowPhoto | SkippedFile] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(table.labels), _CHUNK):  # so that only a chunk's bytes lie in memory
            rows = range(start, min(start + _CHUNK, len(table.labels)))
            found += pool.map(look, [(row, b"" if table.marks else _content(table, row)) for row in rows])
    return found


def _content(table: _Table, row: int) -> bytes | DataError:
    try:
        return table.content(row)
    except DataError as error:
        return error


KIND = Kind(
    name="hf",
    summary="a Hugging Face data set: a local folder or file, or a name on the hub",
    options=HfOptions,
    open=open_hf,
    target="NAME_OR_PATH",
)
