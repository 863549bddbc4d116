"""The lines of MOTChallenge's text files, read strictly: ground truth and results. Loads no torch.

A line holds numbers between commas: frame, id, left, top, width, height, then what the file is about. Frames, ids and
pixels count from 1; here frames count from 0 and corners are left, top, right, bottom in pixels from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from netversus.errors import DataError

LARGEST_FILE = 256 * 2**20
_LARGEST_NUMBER = 1e9


@dataclass(frozen=True, slots=True)
class Row:
    """One line: where it stands, for a message; the frame from 0, the id, the corners, and the columns after them."""

    where: str
    frame: int
    id: int
    corners: tuple[float, float, float, float]
    rest: tuple[float, ...]


def rows_of(content: bytes, name: str, *, length: int, columns: range, least_id: int, flat: bool = False) -> list[Row]:
    """The rows of a file, in the order in which they stand; empty lines are passed over.

    Args:
        content: the file's bytes.
        name: what a message calls the file.
        length: how many pictures the sequence has.
        columns: how many columns a line may have.
        least_id: the smallest id.
        flat: whether a box may have a side of 0.

    Raises:
        DataError: a line that is none, a frame outside the sequence, a box without a size, or an id that is twice in a
            frame; the message names file and line.
    """
    rows = [_row(where, fields, length, least_id, flat=flat) for where, fields in _lines(content, name, columns)]
    first: dict[tuple[int, int], str] = {}
    for row in rows:
        before = first.setdefault((row.frame, row.id), row.where)
        if before != row.where:
            line = before.rpartition(" ")[2]
            raise DataError(f"{row.where}: id {row.id} is in frame {row.frame + 1} already, in line {line}")
    return rows


def _lines(content: bytes, name: str, columns: range) -> Iterator[tuple[str, list[float]]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name} is no text") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            where = f"{name}, line {number}"
            parts = line.strip().rstrip(",").split(",") if "," in line else line.split()
            if len(parts) not in columns:
                raise DataError(f"{where}: expected {_said(columns)} columns, got {len(parts)}")
            yield where, [_number(where, part) for part in parts]


def _said(columns: range) -> str:
    return str(columns[0]) if len(columns) == 1 else f"{columns[0]} to {columns[-1]}"


def _number(where: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{where}: {text.strip()[:40]!r} is no number") from None
    if not math.isfinite(value) or abs(value) > _LARGEST_NUMBER:
        raise DataError(f"{where}: expected a finite number, got {text.strip()[:40]}")
    return value


def _row(where: str, fields: list[float], length: int, least_id: int, *, flat: bool) -> Row:
    frame, track, left, top, width, height, *rest = fields
    if frame != int(frame) or track != int(track):
        raise DataError(f"{where}: frame and id are whole numbers, got {frame:g} and {track:g}")
    if not 1 <= frame <= length:
        raise DataError(f"{where}: frame {int(frame)} lies outside the sequence, whose frames are 1 to {length}")
    if track < least_id:
        raise DataError(f"{where}: an id is {least_id} at least, got {int(track)}")
    if min(width, height) < 0 or (not flat and min(width, height) == 0):
        raise DataError(f"{where}: a box has a width and a height, got {width:g} x {height:g}")
    corners = (left - 1, top - 1, left - 1 + width, top - 1 + height)
    return Row(where, int(frame) - 1, int(track), corners, tuple(rest))
