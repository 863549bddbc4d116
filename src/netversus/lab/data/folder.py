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
from netversus.lab.data.decode import Fast, decode
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
from netversus.lab.data.verify import Stamp, memory_file, stamp, verify
from netversus.lab.data.walk import Candidate, Walk, is_hidden
from netversus.records import SkippedFile
from netversus.study import Options


class FolderOptions(Options):
    """What can be set about an image folder."""

    val: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description=f"Share held out for the test of a folder that is not divided ({DEFAULT_VAL}); 1: all.",
        ),
    ] = None
    test: Annotated[
        str | None,
        Field(description="Subfolder to measure on; else test, then val, where there are several."),
    ] = None
    megapixels: Annotated[float, Field(gt=0, le=178, description="Images of more million pixels are not decoded.")] = (
        50.0
    )


@dataclass(frozen=True, slots=True)
class FilePhoto(Photo):
    """An image that is a file of its own."""

    path: Path
    stamp: Stamp


class FolderImages(ImageSet):
    """One split of an image folder. Files are read when asked for, and refused when they have changed."""

    def __init__(self, photos: Sequence[FilePhoto], megapixels: float) -> None:
        self.ids = tuple(photo.id for photo in photos)
        self.labels = np.array([photo.label for photo in photos], dtype=np.int64)
        self.factors: Mapping[str, tuple[str, ...]] = {}
        self._photos = tuple(photos)
        self._megapixels = megapixels

    def image(self, index: int) -> Image.Image:
        """The image at `index`, decoded, upright, mode RGB."""
        return self._decoded(index, None)

    def read(self, index: int, fast: Fast) -> Image.Image:
        """The same, decoded by `fast` where it is a plain JPEG."""
        return self._decoded(index, fast)

    def content(self, index: int) -> bytes:
        """The bytes of the file of the image at `index`."""
        photo = self._photos[index]
        try:
            now, content = stamp(photo.path), photo.path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {photo.id} any more: {error.strerror}") from None
        # A new time alone is no change: the content decides.
        if now != photo.stamp and hashlib.sha256(content).hexdigest() != photo.sha256:
            raise DataError(
                f"{photo.id} changed since the data were opened",
                hint="start a new run with the data as they are",
            )
        return content

    def _decoded(self, index: int, fast: Fast | None) -> Image.Image:
        suffix = self._photos[index].path.suffix
        return decode(self.content(index), suffix=suffix, megapixels=self._megapixels, fast=fast).image


def open_folder(opening: Opening) -> Dataset:
    """An image folder, every file of it looked at."""
    options: FolderOptions = opening.options
    root = _root(opening.target)
    sides = _sides(root, options)
    walk = Walk(root)
    candidates = [(side, one) for side, path in sides.items() for one in walk.visit(path)]
    if not walk.classes:
        raise DataError(
            f"{root} holds no class folders",
            hint="expected FOLDER/CLASS/IMAGE, or train and val folders of such",
        )
    classes = sorted(walk.classes)
    photos, skipped = _look_at(candidates, classes, options.megapixels, memory_file(root, options.megapixels))
    how_divided = said_of_sides({side: path.name for side, path in sides.items()})
    if "whole" in sides:
        share = options.val or DEFAULT_VAL
        photos = divide(photos, share, opening.seed)
        how_divided = said_of_seed(share, opening.seed)
    card = describe_photos(
        name=root.name,
        spec=opening.spec,
        classes=classes,
        photos=photos,
        skipped=walk.skipped + skipped,
        how_divided=how_divided,
        unused=_unused(root, sides),
        ignored=walk.ignored,
        strict=opening.strict,
    )
    splits = {side: FolderImages(several, options.megapixels) for side, several in by_side(photos).items()}
    return Dataset(card, splits)


def _look_at(
    candidates: Sequence[tuple[str, Candidate]], classes: Sequence[str], megapixels: float, memory: Path
) -> tuple[list[FilePhoto], list[SkippedFile]]:
    """Every candidate with its side: those that can be used, and those that cannot."""
    label = {name: index for index, name in enumerate(classes)}
    findings = verify([one.path for _, one in candidates], megapixels=megapixels, memory=memory)
    photos: list[FilePhoto] = []
    skipped: list[SkippedFile] = []
    for (side, one), found in zip(candidates, findings, strict=True):
        if found.reason:
            skipped.append(SkippedFile(one.id, found.reason))
        else:
            photos.append(
                FilePhoto(one.id, found.sha256, found.notes, label[one.class_name], side, one.path, found.stamp)
            )
    return photos, skipped


def _root(target: str) -> Path:
    try:
        root = Path(target).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise DataError(f"there is no folder {target}") from None
    if not root.is_dir():
        raise DataError(f"{target} is not a folder", hint="give the folder that holds the class folders")
    return root


def _sides(root: Path, options: FolderOptions) -> dict[str, Path]:
    """The subfolders for "train" and "test" where the folder is divided, else the root as "whole"."""
    inside = _subfolders(root)
    train = next((inside[name] for name in TRAIN_NAMES if name in inside), None)
    test = next((inside[name] for name in TEST_NAMES if name in inside), None)
    if options.test is not None:
        test = inside.get(options.test.lower())
        if test is None or test == train:
            raise DataError(f"{root} has no subfolder {options.test!r} to measure on")
    if train is None and test is None:
        return {"whole": root}
    if options.val is not None:
        raise DataError(f"{root} is divided already, by its subfolders", hint="leave val out")
    if test is None:
        raise DataError(
            f"{root} has a train folder but none of {', '.join(TEST_NAMES)}",
            hint=f"to divide it, give {train}",
        )
    return {"train": train, "test": test} if train is not None else {"test": test}


def _unused(root: Path, sides: Mapping[str, Path]) -> list[str]:
    """Subfolders beside train and test, such as val where there is a test."""
    if "whole" in sides:
        return []
    return sorted(escape(path.name) for path in _subfolders(root).values() if path not in sides.values())


def _subfolders(root: Path) -> dict[str, Path]:
    """By their names in lower case."""
    try:
        return {
            path.name.lower(): path
            for path in sorted(root.iterdir(), reverse=True)
            if path.is_dir() and not path.is_symlink() and not is_hidden(path.name)
        }
    except OSError as error:
        raise DataError(f"cannot list the folder {root}: {error.strerror}") from None


KIND = Kind(
    name="folder",
    summary="your own images: one subfolder a class, below train and val or divided by seed",
    options=FolderOptions,
    open=open_folder,
    target="PATH",
)
