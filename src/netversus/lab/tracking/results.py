"""Results in MOTChallenge's format: one SEQUENCE.txt a sequence, in a folder or a zip file. Loads no torch.

A line is: frame, id, left, top, width, height, confidence, and up to three more that are not looked at.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from netversus.errors import DataError, nearest
from netversus.lab.data.annotated import Clip
from netversus.lab.data.mot_rows import LARGEST_FILE, rows_of
from netversus.lab.data.names import escape
from netversus.lab.tracking.tracks import Tracks

SUFFIX = ".txt"
COLUMNS = range(7, 11)
MOST_FILES = 100_000
_ONE_DATE = (1980, 1, 1, 0, 0, 0)  # equal tracks give equal bytes


def looks_like_results(path: Path) -> bool:
    """Whether it is a folder or a zip file: a file of another kind holds no tracks."""
    return path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip")


def read_results(path: Path, clips: Sequence[Clip]) -> dict[str, Tracks]:
    """The tracks of each of the clips, by its name.

    Raises:
        DataError: a clip without a file, files about other data, or a line that is none; named by file and line.
    """
    files = files_of(path)
    names = [clip.name for clip in clips]
    if not set(names) & set(files):
        raise DataError(f"{path} is about other data: it has {_few(files)}, the data have {_few(names)}")
    lacking = [name for name in names if name not in files]
    if lacking:
        hint = nearest(lacking[0], files)
        raise DataError(f"{path} has no {lacking[0]}{SUFFIX} ({len(lacking)} of {len(names)} lack one)", hint=hint)
    return {clip.name: tracks_of(files[clip.name], f"{path}/{clip.name}{SUFFIX}", len(clip)) for clip in clips}


def tracks_of(content: bytes, name: str, length: int) -> Tracks:
    """The tracks that a file tells of a sequence of `length` pictures.

    Raises:
        DataError: a line that is none.
    """
    rows = rows_of(content, name, length=length, columns=COLUMNS, least_id=0, flat=True)
    order = np.argsort(rows.frames, kind="stable")
    return Tracks(rows.frames[order], rows.ids[order], rows.corners[order], rows.rest[order, 0])


def files_of(path: Path) -> Mapping[str, bytes]:
    """The text files of a folder or a zip file, by the names of their sequences.

    Raises:
        DataError: it cannot be read, is too large, or names a sequence twice.
    """
    try:
        found = list(_in_zip(path) if path.is_file() else _in_folder(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path} is no zip file that can be read: {error}") from None
    names = [name for name, _ in found]
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise DataError(f"{path} holds {twice}{SUFFIX} twice")
    if not found:
        raise DataError(f"{path} holds no SEQUENCE{SUFFIX}", hint="results are one text file a sequence")
    return dict(found)


def _in_folder(path: Path) -> Iterable[tuple[str, bytes]]:
    """The files of a folder, or of its folder "data", where TrackEval has them."""
    inside = path / "data" if (path / "data").is_dir() else path
    for file in sorted(inside.glob(f"*{SUFFIX}")):
        if file.stat().st_size > LARGEST_FILE:
            raise DataError(f"{file} is larger than {LARGEST_FILE >> 20} MiB")
        yield escape(file.stem), file.read_bytes()


def _in_zip(path: Path) -> Iterable[tuple[str, bytes]]:
    """The files of an archive, read in memory and never unpacked."""
    with zipfile.ZipFile(path) as archive:
        members = [one for one in archive.infolist() if one.filename.endswith(SUFFIX) and not one.is_dir()]
        if len(members) > MOST_FILES:
            raise DataError(f"{path} holds more than {MOST_FILES:,} files")
        for member in members:
            with archive.open(member) as file:
                content = file.read(LARGEST_FILE + 1)  # what an archive says of a size is not believed
            if len(content) > LARGEST_FILE:
                raise DataError(f"{path}, {member.filename}: larger than {LARGEST_FILE >> 20} MiB")
            yield escape(Path(member.filename).stem), content


def as_zip(texts: Mapping[str, str]) -> bytes:
    """A zip file of results, which any evaluator of MOTChallenge takes once it is unpacked."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(texts):
            archive.writestr(zipfile.ZipInfo(name + SUFFIX, _ONE_DATE), texts[name])
    return file.getvalue()


def from_zip(content: bytes) -> dict[str, str]:
    """The texts that `as_zip` wrote, by sequence."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name.removesuffix(SUFFIX): archive.read(name).decode() for name in archive.namelist()}


def as_text(tracks: Tracks) -> str:
    """The lines of one sequence."""
    rows = zip(tracks.frames, tracks.ids, tracks.corners, tracks.scores, strict=True)
    return "".join(
        f"{frame + 1},{track},{left + 1:.8g},{top + 1:.8g},{right - left:.8g},{bottom - top:.8g},{score:.6g},-1,-1,-1\n"
        for frame, track, (left, top, right, bottom), score in rows
    )


def _few(names: Iterable[str]) -> str:
    every = sorted(names)
    return ", ".join(every[:3]) + (", ..." if len(every) > 3 else "")
