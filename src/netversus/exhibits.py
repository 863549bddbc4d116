"""What a study wants shown, as data: the report decides how it looks in HTML, Markdown or CSV.

Every chart carries its numbers, so that a table can stand beside it and a reader without eyes or colours can follow.
"""

from __future__ import annotations

from dataclasses import dataclass

Scalar = str | int | float | None


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, in plain words."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. `formats` gives a Python format spec a column ("" leaves the value alone)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Scalar, ...], ...]
    formats: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A named line or set of bars. `low`/`high` are the ends of an interval around each `y`, where there is one."""

    name: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over numbers, or bars over categories, described for those who cannot see it."""

    title: str
    kind: str  # "line", "bar" or "dot"
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    description: str
    y_from_zero: bool = False


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Numbers between `low` and `high` in a grid, darker where they are higher, each written in its field.

    `values[i][j]` belongs to `rows[i]` and `columns[j]`; None where there is none.
    """

    title: str
    y_label: str
    x_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    description: str
    low: float = 0.0
    high: float = 1.0
    format: str = ".2f"


@dataclass(frozen=True, slots=True)
class Block:
    """One box of a block diagram: a stage of a network. `units` small boxes are drawn inside it."""

    label: str
    units: int
    detail: str = ""
    marked: int = 0  # how many of the units the other contenders do not have


@dataclass(frozen=True, slots=True)
class Diagram:
    """Networks drawn as rows of blocks, one row a contender, aligned stage by stage."""

    title: str
    rows: tuple[tuple[str, tuple[Block, ...]], ...]
    description: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A box drawn over a picture, in the picture's own pixels.

    `kind` is "right", "wrong", "missed" or "": each is drawn in its own colour and stroke.
    """

    x: float
    y: float
    width: float
    height: float
    label: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file (PNG, JPEG, WebP, or GIF where it moves) with what is drawn over it.

    `alt` says what is to be seen, for those who cannot see it. `width` and `height` are in pixels. A gallery can be
    filtered by `tags`.
    """

    content: bytes
    alt: str
    width: int
    height: int
    caption: str = ""
    marks: tuple[Mark, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures side by side. With `columns` they fill a grid row by row under these headings, one a contender."""

    title: str
    pictures: tuple[Picture, ...]
    columns: tuple[str, ...] = ()
    note: str = ""


Exhibit = Text | Table | Chart | Heatmap | Diagram | Gallery
