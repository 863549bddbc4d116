"""`folder`: images in one subfolder a class, divided into train and test by subfolders or by a recorded seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import Field

from netversus.errors import DataError
from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.data.decode import decode
from netversus.lab.data.kind import Kind, Opening
from netversus.lab.data.split import held_out
from netversus.lab.data.verify import Stamp, Verified, memory_file, stamp, verify
from netversus.lab.data.walk import Candidate, Walk
from netversus.records import DataCard, SkippedFile, digest
from netversus.study import Options

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")
DEFAULT_VAL = 0.2
EXAMPLES = 3


class FolderOptions(Options):
    """What can be set about an image folder."""

    val: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description=f"Share held out for the test where the folder is not divided ({DEFAULT_VAL}); 1: all.",
        ),
    ] = None
    test: Annotated[
        str | None, Field(description="Subfolder to measure on: test, else val, where both exist.")
    ] = None
    megapixels: Annotated[
        float, Field(gt=0, le=178, description="Images with more million pixels are not decoded.")
    ] = 50.0


@dataclass(frozen=True, slots=True)
class Photo:
    """One usable file, and the side it is on."""

    candidate: Candidate
    verified: Verified
    label: int
    side: str


class FolderImages(ImageSet):
    """One split of an image folder. Files are read when asked for, and refused when they have changed."""

    def __init__(self, photos: Sequence[Photo], megapixels: float) -> None:
        self.ids = tuple(photo.candidate.id for photo in photos)
        self.labels = np.array([photo.label for photo in photos], dtype=np.int64)
        self.factors: Mapping[str, tuple[str, ...]] = {}
        self._photos = tuple(photos)
        self._megapixels = megapixels

    def image(self, index: int) -> Image.Image:
        """The image at `index`, decoded, upright, mode RGB."""
        photo = self._photos[index]
        path = photo.candidate.path
        try:
            now, content = stamp(path), path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {photo.candidate.id} any more: {error.strerror}") from None
        if _changed(now, content, photo.verified):
            raise DataError(
                f"{photo.candidate.id} changed since the data were opened", hint="start a new run on the new data"
            )
        return decode(content, suffix=path.suffix, megapixels=self._megapixels).image


def _changed(now: Stamp, content: bytes, verified: Verified) -> bool:
    """A new time alone is no change: the content decides."""
    return now != verified.stamp and hashlib.sha256(content).hexdigest() != verified.sha256


def open_folder(opening: Opening) -> Dataset:
    """An image folder, every file of it looked at."""
    options: FolderOptions = opening.options
    root = _root(opening.target)
    walk = Walk(root)
    sides = _sides(root, options)
    candidates = {side: walk.visit(path) for side, path in sides.items()}
    findings = verify(
        [candidate.path for candidate in walk.candidates],
        megapixels=options.megapixels,
        memory=memory_file(root, options.megapixels),
    )
    verified = {one.id: finding for one, finding in zip(walk.candidates, findings, strict=True)}
    skipped = walk.skipped + [
        SkippedFile(name, one.reason) for name, one in verified.items() if one.reason
    ]
    skipped.sort(key=lambda one: one.path)
    classes = tuple(sorted(walk.classes))
    photos = _photos(candidates, verified, classes)
    if "whole" in sides:
        photos = _divide(photos, options.val or DEFAULT_VAL, opening.seed)
    empty = _empty_classes(classes, photos)
    _check(root, photos, classes, skipped, empty, strict=opening.strict)
    splits = {
        side: FolderImages([photo for photo in photos if photo.side == side], options.megapixels)
        for side in ("train", "test")
        if any(photo.side == side for photo in photos)
    }
    card = DataCard(
        name=root.name,
        spec=opening.spec,
        digest=_digest(photos, classes),
        classes=classes,
        splits={side: len(images) for side, images in splits.items()},
        image_size=None,
        skipped=tuple(skipped),
        notes=(
            _how_divided(sides, options, opening.seed),
            *_absent_classes(classes, photos, empty),
            *_oddities(photos),
            *_repeats(photos),
            *_ignored(walk.ignored),
        ),
    )
    return Dataset(card, splits)


def _root(target: str) -> Path:
    given = Path(target).expanduser()
    try:
        root = given.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise DataError(f"there is no folder {target}") from None
    if not root.is_dir():
        raise DataError(f"{target} is not a folder", hint="give the folder that holds the class folders")
    return root


def _sides(root: Path, options: FolderOptions) -> dict[str, Path]:
    """The subfolders for "train" and "test" where the folder is divided, else the root as "whole"."""
    inside = {entry.name.lower(): entry for entry in _subfolders(root)}
    train = next((inside[name] for name in TRAIN_NAMES if name in inside), None)
    if options.test is not None:
        if options.test.lower() not in inside:
            raise DataError(f"{root} has no subfolder {options.test!r} to measure on")
        test: Path | None = inside[options.test.lower()]
    else:
        test = next((inside[name] for name in TEST_NAMES if name in inside), None)
    if train is None and test is None:
        return {"whole": root}
    if options.val is not None:
        raise DataError(f"{root} is divided already, by its subfolders", hint="leave val out")
    if test is None:
        raise DataError(
            f"{root} has a {train.name if train else 'train'} subfolder but none of {', '.join(TEST_NAMES)}",
            hint=f"to divide it by seed give {train}",
        )
    return {"train": train, "test": test} if train is not None else {"test": test}


def _subfolders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError as error:
        raise DataError(f"cannot list the folder {root}: {error.strerror}") from None


def _photos(
    candidates: Mapping[str, Sequence[Candidate]], verified: Mapping[str, Verified], classes: Sequence[str]
) -> list[Photo]:
    label = {name: index for index, name in enumerate(classes)}
    return [
        Photo(candidate, verified[candidate.id], label[candidate.class_name], side)
        for side, several in candidates.items()
        for candidate in several
        if not verified[candidate.id].reason
    ]


def _divide(photos: Sequence[Photo], share: float, seed: int) -> list[Photo]:
    """The same photos, on the sides that the seed gives them. Copies of one picture stay on one side."""
    test = held_out(
        [photo.label for photo in photos],
        [photo.verified.sha256 for photo in photos],
        round(share * len(photos)),
        seed,
    )
    return [
        Photo(photo.candidate, photo.verified, photo.label, "test" if held else "train")
        for photo, held in zip(photos, test, strict=True)
    ]


def _empty_classes(classes: Sequence[str], photos: Sequence[Photo]) -> list[str]:
    used = {photo.label for photo in photos}
    return [name for label, name in enumerate(classes) if label not in used]


def _check(
    root: Path,
    photos: Sequence[Photo],
    classes: Sequence[str],
    skipped: Sequence[SkippedFile],
    empty: Sequence[str],
    *,
    strict: bool,
) -> None:
    if strict and skipped:
        raise DataError(
            f"{len(skipped)} of the files in {root} cannot be used, first {skipped[0].path}: {skipped[0].reason}",
            hint="mend or remove them, or do without strict",
        )
    if strict and empty:
        raise DataError(f"{_count(empty, 'class has', 'classes have')} no usable image: {_some(empty)}")
    if not classes:
        raise DataError(f"{root} holds no class folders", hint="expected FOLDER/CLASS/IMAGE, or train and val of it")
    if not any(photo.side == "test" for photo in photos):
        why = f"; first of {len(skipped)} skipped: {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"{root} holds no usable image to measure on{why}")
    if len(classes) - len(empty) < 2:
        raise DataError(f"{root} holds images of one class only ({classes[photos[0].label]}); a comparison needs two")


def _digest(photos: Sequence[Photo], classes: Sequence[str]) -> str:
    rows = sorted((one.candidate.id, one.verified.sha256, one.label, one.side) for one in photos)
    return digest("folder", classes, rows)


def _how_divided(sides: Mapping[str, Path], options: FolderOptions, seed: int) -> str:
    if "whole" in sides:
        return f"divided by class with seed {seed}: {options.val or DEFAULT_VAL:g} of the images for the test"
    named = ", ".join(f"{side} from {path.name}" for side, path in sides.items())
    return f"divided by its subfolders: {named}"


def _absent_classes(classes: Sequence[str], photos: Sequence[Photo], empty: Sequence[str]) -> list[str]:
    notes = []
    if empty:
        notes.append(f"{_count(empty, 'class has', 'classes have')} no usable image: {_some(empty)}")
    for side in sorted({photo.side for photo in photos}):
        here = {photo.label for photo in photos if photo.side == side}
        absent = [name for i, name in enumerate(classes) if i not in here and name not in empty]
        if absent:
            notes.append(f"{_count(absent, 'class is', 'classes are')} absent from {side}: {_some(absent)}")
    return notes


def _oddities(photos: Sequence[Photo]) -> list[str]:
    """What was unusual about images that are used, counted, with examples."""
    seen: dict[str, list[str]] = {}
    for photo in photos:
        for note in photo.verified.notes:
            seen.setdefault(note, []).append(photo.candidate.id)
    return [f"{_count(ids, 'image', 'images')}: {note} ({_some(ids)})" for note, ids in sorted(seen.items())]


def _repeats(photos: Sequence[Photo]) -> list[str]:
    """Copies of a picture that make a test easier (train and test) or impossible (two classes)."""
    copies: dict[str, list[Photo]] = {}
    for photo in photos:
        copies.setdefault(photo.verified.sha256, []).append(photo)
    leaked = [p.candidate.id for c in copies.values() if len({p.side for p in c}) > 1 for p in c if p.side == "test"]
    torn = [p.candidate.id for c in copies.values() if len({p.label for p in c}) > 1 for p in c]
    notes = []
    if leaked:
        notes.append(f"{_count(leaked, 'test image is', 'test images are')} in train too: {_some(leaked)}")
    if torn:
        notes.append(f"{_count(torn, 'image has', 'images have')} a copy in another class: {_some(torn)}")
    return notes


def _ignored(names: Sequence[str]) -> list[str]:
    return [f"{_count(names, 'hidden or system entry', 'hidden or system entries')} ignored: {_some(sorted(names))}"][
        : len(names)
    ]


def _count(things: Sequence[str], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")


KIND = Kind(
    name="folder",
    summary="your own images: one subfolder a class, below train and val or divided by seed",
    options=FolderOptions,
    open=open_folder,
    target="PATH",
)
