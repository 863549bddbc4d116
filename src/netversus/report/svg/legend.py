"""The key of a chart: how each series looks, and its name, in as many lines as the width needs."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from netversus.report.svg.element import add, shortened, text_width
from netversus.report.svg.marker import Identity, bar, mark

_LINE = 20.0
_SAMPLE = 28.0
_GAP = 20.0


def legend_height(names: Sequence[str], width: float) -> float:
    """The height that the legend takes."""
    return _LINE * (max((line for _, line, _ in _places(names, width)), default=-1) + 1)


def draw_legend(root: Element, kind: str, names: Sequence[str], looks: Sequence[Identity], width: float) -> None:
    """Draw the legend of a chart of this kind at the top of the picture."""
    for (x, line, text), look in zip(_places(names, width), looks, strict=True):
        y = _LINE * line + _LINE / 2
        _draw_sample(root, kind, look, x, y)
        add(root, "text", text, x=x + _SAMPLE + 6, y=y + 4, class_="name")


def _draw_sample(root: Element, kind: str, look: Identity, x: float, y: float) -> None:
    if kind == "bar":
        bar(root, look, x, y - 6, _SAMPLE, 12)
        return
    if kind == "line":
        dash = look.dash or "none"
        add(root, "line", x1=x, x2=x + _SAMPLE, y1=y, y2=y, class_=f"line {look.colour}", stroke_dasharray=dash)
    mark(root, look, x + _SAMPLE / 2, y)


def _places(names: Sequence[str], width: float) -> list[tuple[float, int, str]]:
    """Where each entry begins, on which line, and its text."""
    places: list[tuple[float, int, str]] = []
    x, line = 0.0, 0
    for name in names:
        text = shortened(name, width - _SAMPLE - 6)
        wide = _SAMPLE + 6 + text_width(text)
        if x and x + wide > width:
            x, line = 0.0, line + 1
        places.append((x, line, text))
        x += wide + _GAP
    return places
