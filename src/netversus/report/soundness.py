"""Whether what a study's `exhibit` function gave can be shown at all: a study is somebody else's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from math import isfinite
from numbers import Real

from netversus.exhibits import Chart, Diagram, Gallery, Heatmap, Mark, Picture, Series, Table, Text
from netversus.report.gallery import format_of
from netversus.report.svg import KINDS
from netversus.report.svg.overlay import KINDS as MARKS


def flaw(exhibit: object) -> str:
    """What is wrong with an exhibit, in words; empty where nothing is."""
    match exhibit:
        case Text():
            found = _text(exhibit)
        case Table():
            found = _table(exhibit)
        case Chart():
            found = _chart(exhibit)
        case Heatmap():
            found = _heatmap(exhibit)
        case Diagram():
            found = _diagram(exhibit)
        case Gallery():
            found = _gallery(exhibit)
        case _:
            return f"expected a Text, Table, Chart, Heatmap, Diagram or Gallery, got {type(exhibit).__name__}"
    return next(found, "")


def _text(text: Text) -> Iterator[str]:
    if not isinstance(text.text, str):
        yield f"a Text holds a str, got {type(text.text).__name__}"


def _table(table: Table) -> Iterator[str]:
    for number, row in enumerate(table.rows, start=1):
        if len(row) != len(table.columns):
            yield f"row {number} of {table.title!r} has {len(row)} cells under {len(table.columns)} columns"
    if not all(cell is None or isinstance(cell, str | Real) for cell in chain.from_iterable(table.rows)):
        yield f"a cell of {table.title!r} is neither text nor a number"


def _chart(chart: Chart) -> Iterator[str]:
    if chart.kind not in KINDS:
        yield f"{chart.title!r} is a chart of kind {chart.kind!r}, known are {', '.join(KINDS)}"
    for series in chart.series:
        yield from _series(series)


def _series(series: Series) -> Iterator[str]:
    if len(series.y) != len(series.x):
        yield f"series {series.name!r} has {len(series.x)} x and {len(series.y)} y"
    if len(series.low) != len(series.high) or len(series.low) not in (0, len(series.x)):
        yield f"series {series.name!r} has {len(series.low)} and {len(series.high)} ends for {len(series.x)} values"
    if not _numbers((*series.y, *series.low, *series.high)) or not _numbers(x for x in series.x if type(x) is not str):
        yield f"series {series.name!r} holds what is no number"


def _heatmap(heatmap: Heatmap) -> Iterator[str]:
    lengths = {len(row) for row in heatmap.values}
    if len(heatmap.values) != len(heatmap.rows) or lengths - {len(heatmap.columns)}:
        yield (
            f"the values of {heatmap.title!r} are not {len(heatmap.rows)} rows of {len(heatmap.columns)}, "
            f"as its names are"
        )
    if not _numbers(value for row in heatmap.values for value in row if value is not None):
        yield f"{heatmap.title!r} holds what is no number"
    if not heatmap.low < heatmap.high:
        yield f"{heatmap.title!r} reaches from {heatmap.low} to {heatmap.high}"


def _diagram(diagram: Diagram) -> Iterator[str]:
    for _, blocks in diagram.rows:
        for block in blocks:
            if not isinstance(block.units, int) or block.units < 0 or block.marked < 0:
                yield f"block {block.label!r} of {diagram.title!r} has {block.units!r} units"


def _gallery(gallery: Gallery) -> Iterator[str]:
    count, across = len(gallery.pictures), len(gallery.columns)
    if across and count % across:
        yield f"{count} pictures of {gallery.title!r} do not fill rows of {across} columns"
    for number, picture in enumerate(gallery.pictures, start=1):
        wrong = next(_picture(picture), "")
        if wrong:
            yield f"picture {number} of {gallery.title!r} {wrong}"


def _picture(picture: Picture) -> Iterator[str]:
    if not isinstance(picture.content, bytes) or not format_of(picture.content):
        yield "is no PNG, JPEG, WebP or GIF file"
    if not picture.alt:
        yield "does not say what is to be seen (alt)"
    if picture.width < 1 or picture.height < 1:
        yield f"is {picture.width} x {picture.height} px"
    yield from (f"has a mark that is {flaw}" for flaw in map(_mark, picture.marks) if flaw)


def _mark(mark: Mark) -> str:
    if mark.kind not in MARKS:
        return f"of kind {mark.kind!r}, known are {', '.join(kind for kind in MARKS if kind)}"
    numbers = (mark.x, mark.y, mark.width, mark.height)
    if not all(isinstance(n, Real) and isfinite(n) for n in numbers) or mark.width < 0 or mark.height < 0:
        return f"no box: {numbers}"
    return ""


def _numbers(values: Iterable[object]) -> bool:
    return all(isinstance(value, Real) for value in values)
