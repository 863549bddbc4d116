"""A chart as a picture: lines or dots over numbers, or rows of bars or dots over categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from markupsafe import Markup

from netversus.errors import NetversusError
from netversus.exhibits import Chart, Series
from netversus.messages import say
from netversus.report.svg.element import markup
from netversus.report.svg.marker import identities
from netversus.report.svg.plane import draw_plane
from netversus.report.svg.rows import draw_rows

KINDS = ("line", "bar", "dot")
MOST_ROWS = 40  # categories that a picture can show; the table beside it holds them all
MOST_POINTS = 400  # points of a line


def draw_chart(chart: Chart, *, width: float, contenders: Sequence[str], key: str) -> Markup:
    """The picture of a chart, `width` px wide; empty where the chart holds no finite value.

    Raises:
        NetversusError: the chart is of no known kind.
    """
    if chart.kind not in KINDS:
        raise NetversusError(f"a chart is of kind {', '.join(KINDS)}; {chart.title!r} is {chart.kind!r}")
    if not any(isfinite(y) for series in chart.series for y in series.y):
        return Markup("")
    shown = _shown(chart)
    looks = identities([series.name for series in chart.series], contenders)
    draw = draw_rows if in_rows(chart) else draw_plane
    return markup(draw(shown, looks, width, key))


def in_rows(chart: Chart) -> bool:
    """Whether the chart is drawn as a row a category."""
    words = any(isinstance(x, str) for series in chart.series for x in series.x)
    return chart.kind == "bar" or (chart.kind == "dot" and words)


def drawn_part(chart: Chart) -> str:
    """What the picture leaves out, in words; empty where it shows all."""
    rows = len(categories(chart))
    if in_rows(chart) and rows > MOST_ROWS:
        return say("The picture shows the first {n} of {rows}; the table holds all.", n=MOST_ROWS, rows=f"{rows:,}")
    points = max((len(series.x) for series in chart.series), default=0)
    if not in_rows(chart) and points > MOST_POINTS:
        return say("The picture shows every {n}th point; the table holds all.", n=-(-points // MOST_POINTS))
    return ""


def categories(chart: Chart) -> tuple[float | str, ...]:
    """Every x of the chart once, in the order of first sight."""
    return tuple(dict.fromkeys(x for series in chart.series for x in series.x))


def _shown(chart: Chart) -> Chart:
    if in_rows(chart):
        kept = set(categories(chart)[:MOST_ROWS])
        return replace(chart, series=tuple(_only(s, [i for i, x in enumerate(s.x) if x in kept]) for s in chart.series))
    return replace(chart, series=tuple(_thinned(series) for series in chart.series))


def _thinned(series: Series) -> Series:
    step = -(-len(series.x) // MOST_POINTS) if series.x else 1
    return series if step == 1 else _only(series, sorted({*range(0, len(series.x), step), len(series.x) - 1}))


def _only(series: Series, places: Sequence[int]) -> Series:
    return replace(
        series,
        x=tuple(series.x[i] for i in places),
        y=tuple(series.y[i] for i in places),
        low=tuple(series.low[i] for i in places) if series.low else (),
        high=tuple(series.high[i] for i in places) if series.high else (),
    )
