"""Lines or dots over two axes, with the interval of each value as a band or a whisker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import TypeVar
from xml.etree.ElementTree import Element

from netversus.exhibits import Chart, Series
from netversus.report.svg.element import add, picture, shortened, text_width
from netversus.report.svg.legend import draw_legend, legend_height
from netversus.report.svg.marker import Identity, mark
from netversus.report.svg.scale import Scale, fit_scale, number_text

_MOST_MARKS = 40  # beyond this many points a line carries its markers at intervals
_HEAD = 30.0  # room for the label above the y axis
_FOOT = 42.0  # room for the ticks and the label under the x axis
_RIGHT = 14.0
_P = TypeVar("_P")


@dataclass(frozen=True, slots=True)
class _Axes:
    """Two scales, where the plane begins, and the words under the x axis where x are categories."""

    x: Scale
    y: Scale
    left: float
    words: tuple[str, ...]

    def place(self, value: float | str) -> float:
        """Where an x lies."""
        return self.x(self.words.index(str(value)) if self.words else float(value))

    def x_labels(self) -> list[tuple[float, str]]:
        """The places and texts of the ticks of x."""
        if self.words:
            return [(self.x(i), word) for i, word in enumerate(self.words)]
        return [(self.x(tick), text) for tick, text in zip(self.x.ticks, self.x.labels(), strict=True)]


def draw_plane(chart: Chart, looks: Sequence[Identity], width: float, key: str) -> Element:
    """The picture of a line chart, or of dots over numbers."""
    names = [series.name for series in chart.series]
    top = legend_height(names, width) + _HEAD
    bottom = top + max(160.0, min(260.0, 0.42 * width))
    root = picture(width, bottom + _FOOT, chart.title, chart.description, key, "chart")
    draw_legend(root, chart.kind, names, looks, width)
    axes = _axes(chart, width, top, bottom)
    _draw_axes(root, chart, axes, width)
    for series, look in zip(chart.series, looks, strict=True):
        _draw_intervals(root, chart.kind, series, look, axes)
    for series, look in zip(chart.series, looks, strict=True):
        _draw_values(root, chart.kind, series, look, axes)
    return root


def _axes(chart: Chart, width: float, top: float, bottom: float) -> _Axes:
    values = [v for series in chart.series for v in (*series.y, *series.low, *series.high)]
    y = fit_scale(values, bottom, top, zero=chart.y_from_zero)
    left, right = max(text_width(label) for label in y.labels()) + 8, width - _RIGHT
    xs = [x for series in chart.series for x in series.x]
    if any(isinstance(x, str) for x in xs):
        words = tuple(dict.fromkeys(str(x) for x in xs))
        inset = (right - left) / (2 * len(words))
        x = Scale(0.0, max(1.0, len(words) - 1.0), left + inset, right - inset, ticks=(0.0,))
        return _Axes(x, y, left, words)
    about = max(3, int((right - left) / 90))
    return _Axes(fit_scale((float(x) for x in xs), left, right, about=about), y, left, ())


def _draw_axes(root: Element, chart: Chart, axes: _Axes, width: float) -> None:
    bottom = axes.y.start
    add(root, "text", chart.y_label, x=0, y=axes.y.end - 14, class_="axis")
    for tick, text in zip(axes.y.ticks, axes.y.labels(), strict=True):
        y, css = axes.y(tick), "base" if tick == axes.y.low else "grid"
        add(root, "line", x1=axes.left, x2=width - _RIGHT, y1=y, y2=y, class_=css)
        add(root, "text", text, x=axes.left - 6, y=y + 4, class_="tick", text_anchor="end")
    labels = axes.x_labels()
    room = max(24.0, (width - _RIGHT - axes.left) / len(labels) - 4)
    for x, text in labels:
        add(root, "line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="base")
        add(root, "text", shortened(text, room), x=x, y=bottom + 17, class_="tick", text_anchor="middle")
    add(root, "text", chart.x_label, x=width - _RIGHT, y=bottom + 36, class_="axis", text_anchor="end")


def _draw_intervals(root: Element, kind: str, series: Series, look: Identity, axes: _Axes) -> None:
    """A band along a line, a whisker through a dot; an end without limit reaches the edge."""
    known = zip(series.x, series.low, series.high, strict=False)  # both ends are empty where there is none
    ends = ((axes.place(x), axes.y(lo), axes.y(hi)) if _is_known(x, lo, hi) else None for x, lo, hi in known)
    for part in _unbroken(ends):
        if kind == "line" and len(part) > 1:
            outline = [(x, high) for x, _, high in part] + [(x, low) for x, low, _ in reversed(part)]
            add(root, "polygon", points=_points(outline), class_=f"band {look.colour}")
            continue
        for x, low, high in part:
            whisker = f"M{x:.2f} {low:.2f}V{high:.2f}M{x - 4:.2f} {low:.2f}h8M{x - 4:.2f} {high:.2f}h8"
            add(root, "path", d=whisker, class_=f"line {look.colour}")


def _draw_values(root: Element, kind: str, series: Series, look: Identity, axes: _Axes) -> None:
    pairs = list(zip(series.x, series.y, strict=True))
    if kind == "line":
        dash = look.dash or "none"
        for part in _unbroken((axes.place(x), axes.y(y)) if _is_finite(x, y) else None for x, y in pairs):
            add(root, "polyline", points=_points(part), class_=f"line {look.colour}", stroke_dasharray=dash)
    every = max(1, -(-len(pairs) // _MOST_MARKS))
    for x, y in pairs[::every]:
        if _is_finite(x, y):
            tip = f"{series.name}: {number_text(y)} at {x if isinstance(x, str) else number_text(x)}"
            mark(root, look, axes.place(x), axes.y(y), tip=tip)


def _is_finite(x: float | str, y: float) -> bool:
    return isfinite(y) and (isinstance(x, str) or isfinite(x))


def _is_known(x: float | str, low: float, high: float) -> bool:
    return _is_finite(x, 0.0) and not isnan(low) and not isnan(high)


def _unbroken(places: Iterable[_P | None]) -> Iterator[list[_P]]:
    """The unbroken parts of a line: a value that is missing breaks it."""
    part: list[_P] = []
    for place in places:
        if place is not None:
            part.append(place)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
