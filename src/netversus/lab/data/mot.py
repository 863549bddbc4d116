"""`mot`: sequences in MOTChallenge's layout (Milan et al. 2016): SEQUENCE/{img1,gt/gt.txt,seqinfo.ini}.

A folder that is divided holds train and test folders of sequences; else all sequences are for the test. A labels.txt
beside them (as `netversus export-data --format mot` writes it) names the classes, and all of them count. Without one
the rules are MOT17's: pedestrians (class 1) count, distractors (2 person on a vehicle, 7 static person, 8 distractor,
12 reflection) excuse what is matched to them, all else is set aside, and so is what is marked 0.
"""

from __future__ import annotations

import configparser
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from netversus.errors import DataError
from netversus.lab.data.annotated import Boxes, Clip, typical_side
from netversus.lab.data.dataset import Dataset
from netversus.lab.data.decode import decode
from netversus.lab.data.kind import Kind, Opening
from netversus.lab.data.mot_rows import LARGEST_FILE, Rows, rows_of
from netversus.lab.data.names import escape
from netversus.lab.data.photos import TEST_NAMES, TRAIN_NAMES
from netversus.lab.data.verify import Verified, memory_file, stamp, verify
from netversus.lab.data.walk import is_hidden
from netversus.messages import noted
from netversus.records import DataCard, SkippedFile, digest
from netversus.study import Options

PEDESTRIAN = "pedestrian"
COUNTED_CLASS = 1
DISTRACTORS = frozenset({2, 7, 8, 12})
MOT_CLASSES = 13  # of MOT20, whose thirteenth is MOT17's crowd of vehicles
DETECTORS = ("DPM", "FRCNN", "SDP")
LONGEST, LONGEST_NUMBER = 1_000_000, 12  # pictures; digits
_COLUMNS = range(9, 10)
_UNKNOWN = -1.0  # a visibility that nobody looked at
_MARK, _CLASS, _VISIBILITY = range(3)  # of the columns after the box
_COUNTED, _EXCUSED, _ASIDE = range(3)


class MotOptions(Options):
    """What can be set about sequences in files."""

    megapixels: Annotated[
        float, Field(gt=0, le=178, description="Pictures of more million pixels are not decoded.")
    ] = 50.0


@dataclass(frozen=True, slots=True)
class _Info:
    """What seqinfo.ini says."""

    name: str
    images: str
    length: int
    width: int
    height: int
    suffix: str


@dataclass(frozen=True, eq=False)
class _Sequence:
    """A sequence's folder, on its side, read and not yet looked at picture by picture."""

    folder: Path
    side: str
    info: _Info
    rows: Rows
    truth: str
    found: tuple[Verified, ...] = field(default=())

    @cached_property
    def pictures(self) -> tuple[Path, ...]:
        return tuple(
            self.folder / self.info.images / f"{number:06d}{self.info.suffix}"
            for number in range(1, self.info.length + 1)
        )


class MotClip(Clip):
    """One sequence of files. Pictures are read when asked for, and refused when they have changed."""

    def __init__(self, sequence: _Sequence, labelled: int, megapixels: float) -> None:
        self.name = escape(sequence.folder.name)
        self.ids = tuple(f"{self.name}/{number:06d}" for number in range(1, sequence.info.length + 1))
        self._sequence = sequence
        self._labelled = labelled
        self._megapixels = megapixels
        self._decoded = lru_cache(maxsize=8)(self._read)

    def image(self, index: int) -> Image.Image:
        """The picture at the time `index`, a copy of its own."""
        return self._decoded(range(len(self))[index]).copy()

    def boxes(self, index: int) -> Boxes:
        """What counts in the picture at `index`; what excuses is marked as a crowd."""
        rows, places = self._sequence.rows, self._places(index)
        places = places[self._roles[places] != _ASIDE]
        corners = rows.corners[places]
        labels = rows.rest[places, _CLASS].astype(np.int64) - 1
        return Boxes(
            corners=corners,
            labels=labels if self._labelled else np.zeros_like(labels),
            areas=np.asarray((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])),
            crowd=self._roles[places] == _EXCUSED,
            tracks=rows.ids[places],
        )

    def aside(self, index: int) -> NDArray[np.float64]:
        """Corners of what neither counts nor excuses."""
        places = self._places(index)
        return np.asarray(self._sequence.rows.corners[places[self._roles[places] == _ASIDE]])

    @cached_property
    def _roles(self) -> NDArray[np.int64]:
        return _roles(self._sequence.rows, self._labelled)

    @cached_property
    def _order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows by picture, and where each picture begins."""
        frames = self._sequence.rows.frames
        order = np.argsort(frames, kind="stable")
        return order, np.searchsorted(frames[order], np.arange(len(self) + 1))

    def _places(self, index: int) -> NDArray[np.int64]:
        """The rows of the picture at `index`, in the order of the file."""
        order, starts = self._order
        frame = range(len(self))[index]
        return order[starts[frame] : starts[frame + 1]]

    def _read(self, index: int) -> Image.Image:
        path, known = self._sequence.pictures[index], self._sequence.found[index]
        try:
            now, content = stamp(path), path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot read {self.ids[index]} any more: {error.strerror}") from None
        if now != known.stamp and hashlib.sha256(content).hexdigest() != known.sha256:
            raise DataError(
                f"{self.ids[index]} changed since the data were opened",
                hint="start a new run with the data as they are",
            )
        return decode(content, suffix=path.suffix, megapixels=self._megapixels).image


def _roles(rows: Rows, labelled: int) -> NDArray[np.int64]:
    """What each row of the ground truth is for, where `labelled` classes are named, or by MOT17's rules; shape (n,)."""
    marked, labels = rows.rest[:, _MARK] != 0, rows.rest[:, _CLASS]
    if labelled:
        return np.where(marked, _COUNTED, _ASIDE)
    excused = np.isin(labels, list(DISTRACTORS))
    return np.where(excused, _EXCUSED, np.where(marked & (labels == COUNTED_CLASS), _COUNTED, _ASIDE))


def open_mot(opening: Opening) -> Dataset:
    """Sequences in files, every picture and every line of them looked at."""
    options: MotOptions = opening.options
    root = _root(opening.target)
    labels = _labels(root / "labels.txt")
    folders, skipped = _folders(root)
    sequences = [_opened(folder, side, len(labels)) for folder, side in folders]
    _unique(sequences)
    sequences, broken = _looked_at(sequences, root, options.megapixels)
    skipped += broken
    if skipped and opening.strict:
        raise DataError(f"{skipped[0].path}: {skipped[0].reason}", hint="leave out --strict to go on without it")
    if not any(one.side == "test" for one in sequences):
        why = f": {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DataError(f"{root} has no sequence to measure on{why}")
    clips = {
        side: tuple(MotClip(one, len(labels), options.megapixels) for one in sequences if one.side == side)
        for side in ("train", "test")
    }
    clips = {side: several for side, several in clips.items() if several}
    return Dataset(_card(root, opening, labels, sequences, skipped), {}, {}, clips)


def _card(
    root: Path, opening: Opening, labels: Sequence[str], sequences: Sequence[_Sequence], skipped: Sequence[SkippedFile]
) -> DataCard:
    content = [(one.side, one.folder.name, one.truth, [found.sha256 for found in one.found]) for one in sequences]
    sides = [one.side for one in sequences]
    return DataCard(
        name=root.name,
        spec=opening.spec,
        digest=digest("mot", labels, content),
        classes=(),
        splits={},
        image_size=None,
        skipped=tuple(skipped),
        notes=tuple(_notes(labels, sequences)),
        sequences={side: sides.count(side) for side in ("train", "test") if side in sides},
        box_classes=tuple(labels) or (PEDESTRIAN,),
        frame_side=typical_side((one.info.width, one.info.height) for one in sequences),
    )


def _notes(labels: Sequence[str], sequences: Sequence[_Sequence]) -> Iterator[str]:
    """What a reader should know of the ground truth."""
    if labels:
        yield noted("all {n} classes of labels.txt count", n=len(labels))
    else:
        yield noted("MOT17's rules: pedestrians count, boxes on distractors are left out")
    roles = [_roles(one.rows, len(labels)) for one in sequences]
    total = sum(map(len, roles))
    if aside := sum(int((of == _ASIDE).sum()) for of in roles):
        yield noted("{n} of {total} true boxes are set aside", n=f"{aside:,}", total=f"{total:,}")
    filled = [np.unique(one.rows.frames[of == _COUNTED]) for one, of in zip(sequences, roles, strict=True)]
    pictures = sum(one.info.length for one in sequences)
    if empty := pictures - sum(map(len, filled)):
        yield noted("{n} of {total} pictures hold no object", n=f"{empty:,}", total=f"{pictures:,}")


def _root(target: str) -> Path:
    try:
        root = Path(target).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise DataError(f"there is no folder {target}") from None
    if not root.is_dir():
        raise DataError(f"{target} is not a folder", hint="give the folder that holds the sequences")
    return root


def _labels(path: Path) -> tuple[str, ...]:
    """The names of the classes, one a line; empty where there is no such file."""
    if not path.exists():
        return ()
    names = [line.strip() for line in _text(path).splitlines()]
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names, start=1):
        if not name or name in names[: number - 1]:
            raise DataError(f"{path}, line {number}: expected the name of a class, once, got {name!r}")
    if not names:
        raise DataError(f"{path} names no class")
    return tuple(names)


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text") from None


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise DataError(f"there is no file {path}")
        if path.stat().st_size > LARGEST_FILE:
            raise DataError(f"{path} is larger than {LARGEST_FILE >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None


def _folders(root: Path) -> tuple[list[tuple[Path, str]], list[SkippedFile]]:
    """The sequences' folders with their sides. The same video under another detector is a copy, and left out."""
    inside = {path.name.lower(): path for path in _subfolders(root)}
    train = next((inside[name] for name in TRAIN_NAMES if name in inside), None)
    test = next((inside[name] for name in TEST_NAMES if name in inside), None)
    if train is None and test is None:
        sides = {"test": root}
    else:
        sides = {side: path for side, path in (("train", train), ("test", test)) if path is not None}
    found, skipped = [], []
    for side, path in sides.items():
        videos: dict[str, str] = {}
        for folder in _subfolders(path):
            if not (folder / "seqinfo.ini").exists() and not (folder / "img1").is_dir():
                skipped.append(SkippedFile(escape(str(folder.relative_to(root))), "neither seqinfo.ini nor img1"))
                continue
            stem, _, detector = folder.name.rpartition("-")
            video = stem if detector in DETECTORS else folder.name
            if video in videos:
                name = escape(str(folder.relative_to(root)))
                skipped.append(SkippedFile(name, f"the same video as {videos[video]}: it would count twice"))
            else:
                videos[video] = folder.name
                found.append((folder, side))
    if not found:
        raise DataError(f"{root} holds no sequences", hint="expected SEQUENCE/img1, SEQUENCE/gt/gt.txt and seqinfo.ini")
    return found, skipped


def _subfolders(path: Path) -> list[Path]:
    try:
        return sorted(
            one for one in path.iterdir() if one.is_dir() and not one.is_symlink() and not is_hidden(one.name)
        )
    except OSError as error:
        raise DataError(f"cannot list the folder {path}: {error.strerror}") from None


def _unique(sequences: Sequence[_Sequence]) -> None:
    sides: dict[str, str] = {}
    for one in sequences:
        before = sides.setdefault(one.folder.name, one.side)
        if before != one.side:
            raise DataError(f"the sequence {one.folder.name} is both in train and in test")


def _opened(folder: Path, side: str, labelled: int) -> _Sequence:
    """A sequence with its ground truth, read strictly."""
    info = _info(folder / "seqinfo.ini")
    path = folder / "gt" / "gt.txt"
    if not path.exists():
        raise DataError(
            f"the sequence {folder} has no gt/gt.txt, without which nothing can be judged",
            hint="MOTChallenge publishes it for train sequences only" if side == "test" else "",
        )
    content = _bytes(path)
    rows = rows_of(content, str(path), length=info.length, columns=_COLUMNS, least_id=1)
    _check(rows, labelled)
    return _Sequence(folder, side, info, rows, hashlib.sha256(content).hexdigest())


def _check(rows: Rows, labelled: int) -> None:
    """Refuse a mark, a class or a visibility that there is none."""
    marks, labels, visible = rows.rest.T
    most = labelled or MOT_CLASSES
    rows.refuse(
        ~np.isin(marks, (0, 1)),
        lambda place: f"the seventh column is 1 for what counts and 0 for what does not, got {marks[place]:g}",
    )
    rows.refuse(
        (labels != np.floor(labels)) | (labels < 1) | (labels > most),
        lambda place: f"the class is a whole number from 1 to {most}, got {labels[place]:g}",
    )
    rows.refuse(
        ~(((visible >= 0) & (visible <= 1)) | (visible == _UNKNOWN)),
        lambda place: f"the visibility lies in 0 to 1, got {visible[place]:g}",
    )


def _info(path: Path) -> _Info:
    """What seqinfo.ini says.

    Raises:
        DataError: it cannot be read, or lacks what is needed.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(_text(path))
    except configparser.Error as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not parser.has_section("Sequence"):
        raise DataError(f"{path} has no section [Sequence]")
    held = parser["Sequence"]
    info = _Info(
        name=held.get("name", path.parent.name),
        images=held.get("imDir", "img1"),
        length=_whole(path, held, "seqLength"),
        width=_whole(path, held, "imWidth"),
        height=_whole(path, held, "imHeight"),
        suffix=held.get("imExt", ".jpg"),
    )
    odd = info.images in {"", ".", ".."} or not (info.images + info.suffix).isprintable()
    if odd or any(sign in info.suffix + info.images for sign in "/\\"):
        raise DataError(
            f"{path}: imDir and imExt name a folder beside it and a suffix, got {info.images!r} {info.suffix!r}"
        )
    return info


def _whole(path: Path, held: Mapping[str, str], key: str) -> int:
    text = held.get(key)
    if text is None:
        raise DataError(f"{path} does not say {key}")
    digits = text.strip()
    # Zeros before a number are no reason to read only its beginning: 000000000001999999999 is not 1.
    if not digits.isdecimal() or len(digits) > LONGEST_NUMBER or not 1 <= int(digits) <= LONGEST:
        raise DataError(f"{path}: {key} is a whole number from 1 to {LONGEST}, got {text[:40]!r}")
    return int(digits)


def _looked_at(
    sequences: Sequence[_Sequence], root: Path, megapixels: float
) -> tuple[list[_Sequence], list[SkippedFile]]:
    """Every picture of every sequence decoded; a sequence that lacks one is left out and named."""
    paths = [path for one in sequences for path in one.pictures]
    findings = iter(verify(paths, megapixels=megapixels, memory=memory_file(root, megapixels)))
    whole, skipped = [], []
    for one in sequences:
        found = tuple(next(findings) for _ in one.pictures)
        reason = _why_not(one, found)
        if reason:
            skipped.append(SkippedFile(escape(str(one.folder.relative_to(root))), reason))
        else:
            whole.append(_Sequence(one.folder, one.side, one.info, one.rows, one.truth, found))
    return whole, skipped


def _why_not(sequence: _Sequence, found: Sequence[Verified]) -> str:
    """Why a sequence cannot be used; empty where it can."""
    for path, one in zip(sequence.pictures, found, strict=True):
        if one.reason:
            return f"{path.name}: {one.reason}"
    folder = sequence.folder / sequence.info.images
    more = [path.name for path in folder.iterdir() if path.suffix == sequence.info.suffix]
    beyond = sorted(set(more) - {path.name for path in sequence.pictures})
    if beyond:
        return f"seqinfo.ini says {sequence.info.length} pictures, but there is {beyond[0]} too"
    with Image.open(sequence.pictures[0]) as first:
        if first.size != (sequence.info.width, sequence.info.height):
            said = f"{sequence.info.width}x{sequence.info.height}"
            return f"seqinfo.ini says {said}, but {sequence.pictures[0].name} is {first.size[0]}x{first.size[1]}"
    return ""


KIND = Kind(
    name="mot",
    summary="sequences in MOTChallenge's layout: pictures, ground truth and seqinfo.ini a sequence",
    options=MotOptions,
    open=open_mot,
    target="PATH",
)
