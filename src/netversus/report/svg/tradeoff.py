"""Contenders as points between cost and quality, a whisker either way, and the line through those that none beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from xml.etree.ElementTree import Element

from markupsafe import Markup

from netversus.quantities import amount
from netversus.report.svg.element import add, markup, picture, shortened, text_width
from netversus.report.svg.legend import draw_legend, legend_height
from netversus.report.svg.marker import Identity, mark
from netversus.report.svg.scale import Scale, fit_scale
from netversus.report.tradeoffs import Level, Point, TradeOff, label

_HEAD, _FOOT, _RIGHT = 30.0, 42.0, 18.0
_RING = 8.5


@dataclass(frozen=True, slots=True)
class _Plane:
    """The two scales in the numbers that are shown (percent, milliseconds), and what they are shown times."""

    x: Scale
    y: Scale
    per_x: float
    per_y: float

    def at(self, point: Point) -> tuple[float, float]:
        """Where a contender lies."""
        return self.x(self.per_x * point.cost.value), self.y(self.per_y * point.quality.value)


def draw_trade_off(plot: TradeOff, looks: Sequence[Identity], width: float, key: str) -> Markup:
    """The picture of a trade-off, `width` px wide. `looks` are those of its points."""
    names = [point.name for point in plot.points]
    top = legend_height(names, width) + _HEAD
    bottom = top + max(170.0, 0.42 * width)
    root = picture(width, bottom + _FOOT, plot.title, plot.description, key, "chart")
    draw_legend(root, "dot", names, looks, width)
    per_x, x_unit = _shown_in(plot.cost.unit, [point.cost.value for point in plot.points])
    per_y, y_unit = _shown_in(plot.quality.unit, [point.quality.value for point in plot.points])
    y = fit_scale(_ends([p.quality for p in plot.points], per_y), bottom, top)
    left = max(text_width(label) for label in y.labels()) + 8
    x = fit_scale(_ends([p.cost for p in plot.points], per_x), left, width - _RIGHT, about=max(3, int(width / 130)))
    plane = _Plane(x, y, per_x, per_y)
    _draw_axes(root, plane, label(plot.cost, x_unit), label(plot.quality, y_unit), width)
    _draw_front(root, plane, plot)
    for point, look in zip(plot.points, looks, strict=True):
        _draw_point(root, plane, plot, point, look)
    return markup(root)


def _shown_in(unit: str, values: Sequence[float]) -> tuple[float, str]:
    """What values are multiplied by to be shown, and the unit that they are then in."""
    if unit == "%":
        return 100.0, "%"
    most = max(map(abs, values), default=0.0)
    steps = {
        "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
        "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB")),
        "parameters": ((1e9, "G"), (1e6, "M"), (1e3, "k")),
        "MACs": ((1e12, "T"), (1e9, "G"), (1e6, "M")),
    }.get(unit, ())
    return next(((1 / size, name) for size, name in steps if most >= size), (1.0, unit))


def _ends(levels: Sequence[Level], per: float) -> Iterator[float]:
    for level in levels:
        yield from (per * end for end in (level.value, level.low, level.high) if end is not None and isfinite(end))


def _draw_axes(root: Element, plane: _Plane, x_label: str, y_label: str, width: float) -> None:
    bottom, left, right = plane.y.start, plane.x.start, plane.x.end
    add(root, "text", shortened(y_label, width), x=0, y=plane.y.end - 14, class_="axis")
    for tick, text in zip(plane.y.ticks, plane.y.labels(), strict=True):
        y = plane.y(tick)
        add(root, "line", x1=left, x2=right, y1=y, y2=y, class_="base" if tick == plane.y.low else "grid")
        add(root, "text", text, x=left - 6, y=y + 4, class_="tick", text_anchor="end")
    for tick, text in zip(plane.x.ticks, plane.x.labels(), strict=True):
        x = plane.x(tick)
        add(root, "line", x1=x, x2=x, y1=bottom, y2=bottom + 4, class_="base")
        add(root, "text", text, x=x, y=bottom + 17, class_="tick", text_anchor="middle")
    add(root, "text", shortened(x_label, width), x=right, y=bottom + 36, class_="axis", text_anchor="end")


def _draw_front(root: Element, plane: _Plane, plot: TradeOff) -> None:
    """A dotted line through those that no other beats, by cost; and a ring around each of them."""
    places = sorted(plane.at(point) for point in plot.points if point.front)
    if len(places) > 1:
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in places)
        add(root, "polyline", points=points, class_="line reference", stroke_dasharray="1 5")
    for x, y in places:
        add(root, "circle", cx=x, cy=y, r=_RING, class_="ring")


def _draw_point(root: Element, plane: _Plane, plot: TradeOff, point: Point, look: Identity) -> None:
    x, y = plane.at(point)
    low, high = point.quality.low, point.quality.high
    if low is not None and high is not None:
        lower, upper = plane.y(plane.per_y * low), plane.y(plane.per_y * high)
        path = f"M{x:.2f} {lower:.2f}V{upper:.2f}M{x - 4:.2f} {lower:.2f}h8M{x - 4:.2f} {upper:.2f}h8"
        add(root, "path", d=path, class_=f"line {look.colour}")
    low, high = point.cost.low, point.cost.high
    if low is not None and high is not None:
        left, right = plane.x(plane.per_x * low), plane.x(plane.per_x * high)
        path = f"M{left:.2f} {y:.2f}H{right:.2f}M{left:.2f} {y - 4:.2f}v8M{right:.2f} {y - 4:.2f}v8"
        add(root, "path", d=path, class_=f"line {look.colour}")
    values = (amount(point.quality.value, plot.quality.unit), amount(point.cost.value, plot.cost.unit))
    mark(root, look, x, y, 5.0, tip=f"{point.name}: {values[0]}, {values[1]}")
