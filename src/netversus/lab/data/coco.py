"""`coco`: pictures with boxes in COCO's format (Lin et al. 2014).

    coco:FOLDER                                 annotations/instances_{train,val,test}*.json, folders of pictures beside
    coco:ANNOTATIONS.json?images=FOLDER          a file of test pictures; &train=FILE&train_images=FOLDER to learn from

Ground truth is taken as pycocotools takes it: boxes without area stay objects that nobody finds, boxes that reach over
the edge stay as they are, crowds excuse what lies on them; all of that is counted in the card. A box that lies wholly
outside its picture is refused. A picture whose file is missing, unreadable or of another size than the file says is
left out and named, with its boxes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated as Declared

import numpy as np
from PIL import Image
from pydantic import Field

from netversus.errors import DataError
from netversus.lab.data.annotated import Boxes, FrameSet, typical_side
from netversus.lab.data.coco_rows import Annotated, Annotation, Entry, read_annotations, read_file
from netversus.lab.data.dataset import Dataset
from netversus.lab.data.decode import decode
from netversus.lab.data.kind import Kind, Opening
from netversus.lab.data.names import escape
from netversus.lab.data.verify import Verified, memory_file, stamp, verify
from netversus.messages import noted
from netversus.records import DataCard, SkippedFile, digest
from netversus.study import Options

_FILES = re.compile(r"instances_((train|val|test)[\w-]*)\.json", re.ASCII)
_DIGITS = 12  # of COCO's own file names
_OVER = 1.0  # px by which a box may reach over the edge before it is counted: COCO's are rounded
_NAMED = 3


class CocoOptions(Options):
    """What can be set about COCO data."""

    images: Declared[str | None, Field(description="Folder of the pictures; none: as the layout has it.")] = None
    train: Declared[
        str | None, Field(description="Annotation file of the train pictures, beside one for the test.")
    ] = None
    train_images: Declared[str | None, Field(description="Folder of the train pictures; none: that of the test.")] = (
        None
    )
    megapixels: Declared[float, Field(gt=0, le=178, description="Pictures of more million pixels are not decoded.")] = (
        50.0
    )


@dataclass(frozen=True, slots=True)
class _Photo:
    """A picture that can be used: what the file says of it, where it lies, what was found of its file, its objects."""

    entry: Entry
    path: Path
    found: Verified
    size: tuple[int, int]
    objects: tuple[Annotation, ...]


@dataclass(frozen=True)
class _Side:
    """One side: its file, what is in it, and its pictures."""

    path: Path
    sha256: str
    annotated: Annotated
    photos: tuple[_Photo, ...]
    skipped: tuple[SkippedFile, ...]


class CocoFrames(FrameSet):
    """The pictures of one side in the order of their ids. Files are read when asked for, and refused when they have
    changed."""

    def __init__(self, side: str, content: _Side, megapixels: float) -> None:
        digits = max([_DIGITS, *(len(str(photo.entry.id)) for photo in content.photos)])
        self.ids = tuple(f"{side}/{photo.entry.id:0{digits}d}" for photo in content.photos)
        self.categories = content.annotated.categories
        self._photos = content.photos
        self._megapixels = megapixels
        self._decoded = lru_cache(maxsize=8)(self._read)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The ids that the annotation file gives the pictures."""
        return tuple(photo.entry.id for photo in self._photos)

    def image(self, index: int) -> Image.Image:
        """The picture at `index`, a copy of its own."""
        return self._decoded(range(len(self))[index]).copy()

    def boxes(self, index: int) -> Boxes:
        """The objects of the picture at `index`, in the order of the file."""
        objects = self._photos[range(len(self))[index]].objects
        boxes = np.array([one.box for one in objects], dtype=np.float64).reshape(-1, 4)
        return Boxes(
            corners=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
            labels=np.array([one.label for one in objects], dtype=np.int64),
            areas=np.array([one.area for one in objects], dtype=np.float64),
            crowd=np.array([one.crowd for one in objects], dtype=np.bool_),
            tracks=np.full(len(objects), -1, dtype=np.int64),
        )

    def _read(self, index: int) -> Image.Image:
        photo = self._photos[index]
        try:
            now, content = stamp(photo.path), photo.path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {photo.path} any more: {error.strerror}") from None
        if now != photo.found.stamp and hashlib.sha256(content).hexdigest() != photo.found.sha256:
            raise DataError(
                f"{photo.path} changed since the data were opened",
                hint="start a new run with the data as they are",
            )
        return decode(content, suffix=photo.path.suffix, megapixels=self._megapixels).image


def open_coco(opening: Opening) -> Dataset:
    """COCO data, every record and every picture of them looked at."""
    options: CocoOptions = opening.options
    places = _places(Path(opening.target).expanduser(), options)
    sides = {side: _opened(path, images, options.megapixels) for side, (path, images) in places.items()}
    test = sides["test"]
    for side in sides.values():
        _refuse_other_categories(test, side)
        _refuse_too_little(side)
        if side.skipped and opening.strict:
            first = side.skipped[0]
            raise DataError(
                f"{len(side.skipped):,} pictures of {side.path} cannot be used, first {first.path}: {first.reason}",
                hint="mend or remove them, or do without strict",
            )
    frames = {name: CocoFrames(name, side, options.megapixels) for name, side in sides.items()}
    rows = [(name, s.sha256, [(p.entry.id, p.found.sha256) for p in s.photos]) for name, s in sorted(sides.items())]
    card = DataCard(
        name=Path(opening.target).stem,
        spec=opening.spec,
        digest=digest("coco", rows),
        classes=(),
        splits={},
        image_size=None,
        skipped=tuple(one for side in sides.values() for one in side.skipped),
        notes=tuple(note for name, side in sides.items() for note in _notes(name, side)),
        frames={name: len(one) for name, one in frames.items()},
        box_classes=test.annotated.classes,
        frame_side=typical_side(photo.size for side in sides.values() for photo in side.photos),
    )
    return Dataset(card, {}, dict(frames))


def _places(target: Path, options: CocoOptions) -> dict[str, tuple[Path, Path]]:
    """The annotation file and the folder of pictures of each side."""
    if target.is_dir():
        if options.images or options.train or options.train_images:
            raise DataError(
                f"{target} is a folder in COCO's layout, where the pictures' places are known",
                hint="name the annotation file to say images= and train=",
            )
        return _found(target)
    if not target.is_file():
        raise DataError(f"there is no file or folder {target}")
    if options.images is None:
        raise DataError(f"{target} does not say where its pictures lie", hint=f"coco:{target}?images=FOLDER")
    images = _folder(options.images)
    places = {"test": (target, images)}
    if options.train is not None:
        places["train"] = (
            Path(options.train).expanduser(),
            images if options.train_images is None else _folder(options.train_images),
        )
    elif options.train_images is not None:
        raise DataError("train_images= goes with train=, the file of their annotations")
    return places


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            return path
    except (OSError, ValueError):
        pass
    raise DataError(f"there is no folder of pictures {text}")


def _found(root: Path) -> dict[str, tuple[Path, Path]]:
    """The sides of a folder in COCO's layout: what is measured is its test, or else its val."""
    files: dict[str, list[tuple[str, Path]]] = {}
    folder = root / "annotations"
    for path in sorted(folder.glob("instances_*.json")) if folder.is_dir() else []:
        if named := _FILES.fullmatch(path.name):
            files.setdefault(named[2], []).append((named[1], path))
    places: dict[str, tuple[Path, Path]] = {}
    for side, names in (("test", ("test", "val")), ("train", ("train",))):
        several = next((files[name] for name in names if name in files), [])
        if len(several) > 1:
            raise DataError(
                f"{folder} has several files for {side}: {', '.join(path.name for _, path in several)}",
                hint=f"name one: coco:{several[0][1]}?images={root / several[0][0]}",
            )
        for name, path in several:
            places[side] = (path, _pictures(root, name))
    if "test" not in places:
        raise DataError(
            f"{root} has no annotations/instances_test*.json and no annotations/instances_val*.json",
            hint="or name the file: coco:ANNOTATIONS.json?images=FOLDER",
        )
    return places


def _pictures(root: Path, name: str) -> Path:
    for path in (root / name, root / "images" / name, root / "images"):
        if path.is_dir():
            return path
    raise DataError(f"{root} has neither a folder {name} nor a folder images with the pictures of {name}")


def _opened(path: Path, images: Path, megapixels: float) -> _Side:
    """One side, its records read and its pictures decoded once."""
    content = read_file(path)
    annotated = read_annotations(content, str(path))
    files = [images / entry.file_name for entry in annotated.entries]
    root = images.resolve()
    findings = verify(files, megapixels=megapixels, memory=memory_file(root, megapixels))
    photos: list[_Photo] = []
    skipped: list[SkippedFile] = []
    for entry, file, found in zip(annotated.entries, files, findings, strict=True):
        reason, size = _looked_at(entry, file, found, root)
        if reason:
            skipped.append(SkippedFile(escape(entry.file_name), reason))
        else:
            objects = annotated.objects[entry.id]
            _refuse_outside(objects, size)
            photos.append(_Photo(entry, file, found, size, objects))
    return _Side(path, hashlib.sha256(content).hexdigest(), annotated, tuple(photos), tuple(skipped))


def _looked_at(entry: Entry, file: Path, found: Verified, root: Path) -> tuple[str, tuple[int, int]]:
    """Why a picture cannot be used, empty where it can; and its size, upright."""
    if found.reason:
        return found.reason, (0, 0)
    try:
        if not file.resolve().is_relative_to(root):
            return "a link that leads out of the folder of pictures", (0, 0)
        with Image.open(file) as image:
            size = image.size if image.getexif().get(_ORIENTATION, 1) < _SIDEWAYS else image.size[::-1]
    except (OSError, ValueError) as error:
        return f"cannot be read: {error}", (0, 0)
    if entry.size not in (None, size):
        assert entry.size is not None
        return f"it is {size[0]}x{size[1]}, the annotations say {entry.size[0]}x{entry.size[1]}", size
    return "", size


_ORIENTATION, _SIDEWAYS = 0x0112, 5  # EXIF: from 5 on rows and columns are exchanged


def _refuse_outside(objects: Sequence[Annotation], size: tuple[int, int]) -> None:
    for one in objects:
        left, top, width, height = one.box
        if left >= size[0] or top >= size[1] or left + width < 0 or top + height < 0:
            raise DataError(
                f"{one.where}: the box {[left, top, width, height]} lies outside its picture of {size[0]}x{size[1]}",
                hint="boxes are x, y, width, height in pixels",
            )


def _refuse_other_categories(test: _Side, side: _Side) -> None:
    one, two = test.annotated, side.annotated
    if (one.categories, one.classes) != (two.categories, two.classes):
        raise DataError(f"{side.path} has other categories than {test.path}")


def _refuse_too_little(side: _Side) -> None:
    if not side.photos:
        first = side.skipped[0]
        raise DataError(
            f"not one of the {len(side.skipped):,} pictures of {side.path} can be used, first {first.path}: "
            f"{first.reason}",
            hint="images= names their folder",
        )
    if not any(not one.crowd for photo in side.photos for one in photo.objects):
        raise DataError(f"{side.path} has no object on any picture that can be used: nothing can be found")


def _notes(name: str, side: _Side) -> Iterator[str]:
    """What a reader should know of one side, counted."""
    objects = [(photo, one) for photo in side.photos for one in photo.objects]
    yield noted(
        "{side}: {pictures} pictures with {objects} objects from {file}",
        side=name,
        pictures=f"{len(side.photos):,}",
        objects=f"{len(objects):,}",
        file=escape(side.path.name),
    )
    if crowds := sum(one.crowd for _, one in objects):
        yield noted("{side}: crowds excuse what lies on them ({n} of the boxes)", side=name, n=f"{crowds:,}")
    if flat := [one for _, one in objects if not (one.box[2] and one.box[3])]:
        yield noted(
            "{side}: boxes without area count as objects that nobody finds ({n}; {names})",
            side=name,
            n=f"{len(flat):,}",
            names=_named(flat),
        )
    if over := [one for photo, one in objects if _reaches_over(one, photo.size)]:
        yield noted(
            "{side}: boxes that reach over the edge are taken as they are ({n}; {names})",
            side=name,
            n=f"{len(over):,}",
            names=_named(over),
        )
    if empty := sum(not photo.objects for photo in side.photos):
        yield noted("{side}: pictures without any object ({n})", side=name, n=f"{empty:,}")
    if lost := sum(len(o) for o in side.annotated.objects.values()) - len(objects):
        yield noted("{side}: boxes on pictures that were left out ({n})", side=name, n=f"{lost:,}")
    yield from _absent(name, side)


def _absent(name: str, side: _Side) -> Iterator[str]:
    seen = {one.label for photo in side.photos for one in photo.objects if not one.crowd}
    absent = [escape(word) for label, word in enumerate(side.annotated.classes) if label not in seen]
    if absent:
        names = ", ".join(absent[:_NAMED]) + (", ..." if len(absent) > _NAMED else "")
        yield noted("{side}: classes without any object ({n}; {names})", side=name, n=len(absent), names=names)


def _named(several: Sequence[Annotation]) -> str:
    places = [one.where.rpartition(", ")[2] for one in several]
    return ", ".join(places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")


def _reaches_over(one: Annotation, size: tuple[int, int]) -> bool:
    left, top, width, height = one.box
    return min(left, top) < -_OVER or left + width > size[0] + _OVER or top + height > size[1] + _OVER


KIND = Kind(
    name="coco",
    summary="pictures with boxes in COCO's format: a folder of its layout, or an annotation file and its pictures",
    options=CocoOptions,
    open=open_coco,
    target="PATH",
)
