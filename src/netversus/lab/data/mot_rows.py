"""The lines of MOTChallenge's text files, read strictly: ground truth and results. Loads no torch.

A line holds numbers between commas: frame, id, left, top, width, height, then what the file is about. Frames, ids and
pixels count from 1; here frames count from 0 and corners are left, top, right, bottom in pixels from 0.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netversus.errors import DataError

LARGEST_FILE = 256 * 2**20
_LARGEST_NUMBER = 1e9
_OF_A_BOX = 6  # frame, id, left, top, width, height

Array = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The n lines of a file, in the order in which they stand.

    Attributes:
        name: what a message calls the file.
        lines: which line each is, from 1, int64, shape (n,).
        frames: from 0, int64, shape (n,).
        ids: int64, shape (n,).
        corners: float64, shape (n, 4).
        rest: the columns after them, float64, shape (n, c).
    """

    name: str
    lines: Places
    frames: Places
    ids: Places
    corners: Array
    rest: Array

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, place: int) -> str:
        """File and line of a row, for a message."""
        return f"{self.name}, line {self.lines[place]}"

    def refuse(self, wrong: NDArray[np.bool_], said: Callable[[int], str]) -> None:
        """Raise at the first row that is wrong; `said` makes the message of its place.

        Raises:
            DataError: a row is wrong.
        """
        if wrong.any():
            place = int(wrong.argmax())
            raise DataError(f"{self.where(place)}: {said(place)}")


def rows_of(content: bytes, name: str, *, length: int, columns: range, least_id: int, flat: bool = False) -> Rows:
    """The rows of a file; empty lines are passed over.

    Args:
        content: the file's bytes.
        name: what a message calls the file.
        length: how many pictures the sequence has.
        columns: how many columns a line may have; what goes beyond the fewest is not looked at.
        least_id: the smallest id.
        flat: whether a box may have a side of 0.

    Raises:
        DataError: a line that is none, a frame outside the sequence, a box without a size, or an id that is twice in a
            frame; the message names file and line.
    """
    text = _text(content, name)
    lines = np.array([number for number, line in enumerate(text.splitlines(), 1) if line.strip()], dtype=np.int64)
    table = _fast(text, columns)
    if table is None or len(table) != len(lines):  # they may differ in what ends a line
        table = _line_by_line(text, name, columns)
    _check(name, lines, table, length, least_id, flat=flat)
    sides = table[:, 4:_OF_A_BOX]
    rows = Rows(
        name=name,
        lines=lines,
        frames=table[:, 0].astype(np.int64) - 1,
        ids=table[:, 1].astype(np.int64),
        corners=np.concatenate([table[:, 2:4] - 1, table[:, 2:4] - 1 + sides], axis=1),
        rest=table[:, _OF_A_BOX:],
    )
    _refuse_twice(rows)
    return rows


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name} is no text") from None


def _fast(text: str, columns: range) -> Array | None:
    """The numbers of a file without a fault, shape (n, fewest columns); None where it is to be read line by line."""
    if not text.strip():
        return np.zeros((0, columns[0]))
    try:
        table = np.loadtxt(io.StringIO(text), delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return None
    return table[:, : columns[0]] if table.shape[1] in columns else None


def _line_by_line(text: str, name: str, columns: range) -> Array:
    return np.array(list(_lines(text, name, columns)), dtype=np.float64).reshape(-1, columns[0])


def _lines(text: str, name: str, columns: range) -> Iterator[list[float]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            where = f"{name}, line {number}"
            parts = line.strip().removesuffix(",").split(",")
            if len(parts) not in columns:
                raise DataError(f"{where}: expected {_said(columns)} columns, got {len(parts)}")
            yield [_number(where, part) for part in parts][: columns[0]]


def _said(columns: range) -> str:
    return str(columns[0]) if len(columns) == 1 else f"{columns[0]} to {columns[-1]}"


def _number(where: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"{where}: {text.strip()[:40]!r} is no number") from None


def _check(name: str, lines: Places, table: Array, length: int, least_id: int, *, flat: bool) -> None:
    """Refuse the first line whose numbers cannot be meant."""
    frame, track, sides = table[:, 0], table[:, 1], table[:, 4:_OF_A_BOX]
    endless = ~np.isfinite(table) | (np.abs(np.nan_to_num(table)) > _LARGEST_NUMBER)
    broken = (frame != np.floor(frame)) | (track != np.floor(track))
    outside = (frame < 1) | (frame > length)
    small = (sides < 0).any(axis=1) | (not flat and (sides == 0).any(axis=1))
    wrong = endless.any(axis=1) | broken | outside | (track < least_id) | small
    if not wrong.any():
        return
    place = int(wrong.argmax())
    where, row = f"{name}, line {lines[place]}", table[place]
    if endless[place].any():
        value = float(row[int(endless[place].argmax())])
        raise DataError(f"{where}: expected a finite number, got {value:g}")
    if broken[place]:
        raise DataError(f"{where}: frame and id are whole numbers, got {row[0]:g} and {row[1]:g}")
    if outside[place]:
        within = f"1 to {length}"
        raise DataError(f"{where}: frame {math.trunc(row[0])} lies outside the sequence, whose frames are {within}")
    if row[1] < least_id:
        raise DataError(f"{where}: an id is {least_id} at least, got {math.trunc(row[1])}")
    raise DataError(f"{where}: a box has a width and a height, got {row[4]:g} x {row[5]:g}")


def _refuse_twice(rows: Rows) -> None:
    """Refuse an id that is twice in a frame."""
    order = np.lexsort((rows.lines, rows.ids, rows.frames))
    same = (np.diff(rows.frames[order]) == 0) & (np.diff(rows.ids[order]) == 0)
    if same.any():
        # Of all that are there already, the one that stands first in the file is named.
        later = order[1:][same]
        first = int(np.flatnonzero(same)[later.argmin()])
        before, place = order[first], order[first + 1]
        raise DataError(
            f"{rows.where(place)}: id {rows.ids[place]} is in frame {rows.frames[place] + 1} already, "
            f"in line {rows.lines[before]}"
        )
