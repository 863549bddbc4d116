"""What is common to all data made of somebody's files: what is used, on which side, and what the card says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from netversus.errors import DataError
from netversus.lab.data.split import held_out
from netversus.messages import noted, template
from netversus.records import DataCard, SkippedFile, digest

DEFAULT_VAL = 0.2
TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")
SIDES = ("train", "test")

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Photo:
    """One usable image: its unit id, the SHA-256 of its file, what is unusual about it, its class and its side."""

    id: str
    sha256: str
    notes: tuple[str, ...]
    label: int
    side: str


P = TypeVar("P", bound=Photo)


def divide(photos: Sequence[P], share: float, seed: int) -> list[P]:
    """The same photos, on the sides that the seed gives them. Copies of one picture stay on one side, and some
    photo stays in train unless the share is 1."""
    count = round(share * len(photos))
    test = held_out(
        [photo.label for photo in photos],
        [photo.sha256 for photo in photos],
        count if share == 1 else min(count, len(photos) - 1),
        seed,
    )
    return [replace(photo, side="test" if held else "train") for photo, held in zip(photos, test, strict=True)]


def by_side(photos: Sequence[P]) -> dict[str, list[P]]:
    """The photos of each side that has any."""
    sides = {side: [photo for photo in photos if photo.side == side] for side in SIDES}
    return {side: several for side, several in sides.items() if several}


def describe_photos(
    *,
    name: str,
    spec: str,
    classes: Sequence[str],
    photos: Sequence[Photo],
    skipped: Sequence[SkippedFile],
    how_divided: str,
    unused: Sequence[str] = (),
    ignored: Sequence[str] = (),
    notes: Sequence[str] = (),
    strict: bool,
) -> DataCard:
    """The card: everything that was left out or is unusual is named or counted in it.

    `unused` names whole parts of the data that are on neither side, `ignored` what is no image, `notes` what else is to
    be said.

    Raises:
        DataError: nothing to measure on, one class only, or with `strict` anything that cannot be used.
    """
    used = {photo.label for photo in photos}
    empty = [one for label, one in enumerate(classes) if label not in used]
    skipped = sorted(skipped, key=lambda one: one.path)
    if strict:
        _refuse_blemishes(name, skipped, empty)
    _refuse_too_little(name, classes, photos, skipped)
    rows = sorted((photo.id, photo.sha256, photo.label, photo.side) for photo in photos)
    notes = (
        how_divided,
        *notes,
        *([noted("not used: {names}", names=", ".join(unused))] if unused else []),
        *_empty_classes(empty),
        *_absent_classes(classes, photos, empty),
        *_oddities(photos),
        *_copies(photos),
        *_ignored(ignored),
    )
    return DataCard(
        name=name,
        spec=spec,
        digest=digest("photos", list(classes), rows),
        classes=tuple(classes),
        splits={side: len(several) for side, several in by_side(photos).items()},
        image_size=None,
        skipped=tuple(skipped),
        notes=notes,
    )


def _refuse_blemishes(name: str, skipped: Sequence[SkippedFile], empty: Sequence[str]) -> None:
    if skipped:
        raise DataError(
            f"{_count(skipped, 'file', 'files')} of {name} cannot be used, "
            f"first {skipped[0].path}: {skipped[0].reason}",
            hint="mend or remove them, or do without strict",
        )
    if empty:
        raise DataError(f"{name}: {_empty_classes(empty)[0]}", hint="remove them, or do without strict")


def _refuse_too_little(
    name: str, classes: Sequence[str], photos: Sequence[Photo], skipped: Sequence[SkippedFile]
) -> None:
    if not any(photo.side == "test" for photo in photos):
        first = f"; {len(skipped)} skipped, first {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"{name} holds no usable image to measure on{first}")
    if len({photo.label for photo in photos}) < 2:
        raise DataError(f"{name} has images of the class {classes[photos[0].label]} only; at least two are needed")


def _empty_classes(empty: Sequence[str]) -> list[str]:
    one, many = template("1 class has no usable image: {names}"), template("{n} classes have no usable image: {names}")
    return [_of_some(one, many, empty)] if empty else []


def _absent_classes(classes: Sequence[str], photos: Sequence[Photo], empty: Sequence[str]) -> list[str]:
    """Classes with images on one side only: they cannot be learnt, or are not measured."""
    notes = []
    for side, several in by_side(photos).items():
        here = {photo.label for photo in several}
        absent = [one for label, one in enumerate(classes) if label not in here and one not in empty]
        if absent:
            one = template("1 class is absent from {side}: {names}")
            many = template("{n} classes are absent from {side}: {names}")
            notes.append(_of_some(one, many, absent, side=side))
    return notes


def _oddities(photos: Sequence[Photo]) -> list[str]:
    """What was unusual about images that are used, counted, with examples."""
    seen: dict[str, list[str]] = {}
    for photo in photos:
        for note in photo.notes:
            seen.setdefault(note, []).append(photo.id)
    one, many = template("1 image: {oddity} ({names})"), template("{n} images: {oddity} ({names})")
    return [_of_some(one, many, ids, oddity=note) for note, ids in sorted(seen.items())]


def _copies(photos: Sequence[Photo]) -> list[str]:
    """Copies of a picture that make a test easier (train and test) or impossible to pass (two classes)."""
    groups: dict[str, list[Photo]] = {}
    for photo in photos:
        groups.setdefault(photo.sha256, []).append(photo)
    leaked = [one.id for group in groups.values() if _sides(group) == 2 for one in group if one.side == "test"]
    torn = [one.id for group in groups.values() if len({one.label for one in group}) > 1 for one in group]
    notes = []
    if leaked:
        one = template("1 test image is in train too: {names}")
        notes.append(_of_some(one, template("{n} test images are in train too: {names}"), leaked))
    if torn:
        one = template("1 image has a copy in another class: {names}")
        notes.append(_of_some(one, template("{n} images have a copy in another class: {names}"), torn))
    return notes


def _sides(group: Sequence[Photo]) -> int:
    return len({photo.side for photo in group})


def _ignored(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    one = template("1 entry beside the images ignored: {names}")
    return [_of_some(one, template("{n} entries beside the images ignored: {names}"), sorted(names))]


def _count(things: Sequence[object], one: str, many: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else many}"


def _of_some(one: str, many: str, names: Sequence[str], **values: object) -> str:
    """A sentence on so many things, naming some of them."""
    return noted(one if len(names) == 1 else many, n=len(names), names=_some(names), **values)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_EXAMPLES]) + (", ..." if len(names) > _EXAMPLES else "")


def said_of_seed(share: float, seed: int) -> str:
    """The sentence of a card whose images were divided here."""
    return noted("divided by class with seed {n}: {share} of the images for the test", n=seed, share=f"{share:g}")


def said_of_sides(sides: Mapping[str, str]) -> str:
    """The sentence of a card whose images came divided."""
    where = ", ".join(f"{side} from {origin}" for side, origin in sides.items())
    return noted("divided already: {where}", where=where)
