"""A grid of numbers, each field darker the higher its number, and the number written in it."""

from __future__ import annotations

from math import ceil, isfinite
from typing import Any
from xml.etree.ElementTree import Element

from markupsafe import Markup

from netversus.exhibits import Heatmap
from netversus.messages import say
from netversus.quantities import MINUS
from netversus.report.svg.element import FONT, add, markup, picture, shortened, text_width
from netversus.report.svg.scale import number_text

MOST_FIELDS = 24  # rows or columns that a picture can show; the table beside it holds them all
_WIDEST_FIELD, _HEIGHT = 92.0, 30.0
_WIDEST_LABEL = 0.34  # of the picture
_DEEPEST = 0.5  # opacity of the highest: the number must be legible on it, in light and in dark
_LINE = 18.0


def draw_heatmap(heatmap: Heatmap, *, width: float, key: str) -> Markup:
    """The picture of a heat map, `width` px wide; empty where it holds no finite number."""
    finite = [v for row in heatmap.values for v in row if v is not None and isfinite(v)]
    if not finite:
        return Markup("")
    rows, columns = heatmap.rows[:MOST_FIELDS], heatmap.columns[:MOST_FIELDS]
    labels = min(max(map(text_width, rows)) + 12, _WIDEST_LABEL * width)
    field = min(_WIDEST_FIELD, (width - labels - 2) / len(columns))
    numbered = all(text_width(name) <= field - 6 for name in columns)
    key_lines = 0 if numbered else len(columns)
    top = 2 * _LINE + 10
    height = top + _HEIGHT * len(rows) + 8 + _LINE * key_lines
    root = picture(width, height, heatmap.title, heatmap.description, key, "chart heatmap")
    add(root, "text", shortened(f"{heatmap.x_label} →", width - labels), x=labels, y=FONT, class_="axis")
    add(root, "text", shortened(f"{heatmap.y_label} ↓", labels - 8), x=0, y=FONT + _LINE, class_="axis")
    step = 1 if numbered else ceil((text_width(str(len(columns))) + 4) / field)  # narrow fields share a number
    for place in range(0, len(columns), step):
        said = columns[place] if numbered else str(place + 1)
        x = labels + (place + 0.5) * field
        add(root, "text", said, x=x, y=FONT + _LINE, class_="name", text_anchor="middle")
    for number, name in enumerate(rows):
        y = top + number * _HEIGHT
        add(root, "text", shortened(name, labels - 8), x=0, y=y + _HEIGHT / 2 + 4, class_="name")
        for place, column in enumerate(columns):
            _draw_field(root, heatmap, (number, place), f"{name}, {column}", labels + place * field, y, field)
    for place, name in enumerate(columns if key_lines else ()):
        y = top + _HEIGHT * len(rows) + 8 + _LINE * place + FONT
        add(root, "text", shortened(f"{place + 1}: {name}", width - labels), x=labels, y=y, class_="tick")
    return markup(root)


def left_out(heatmap: Heatmap) -> str:
    """What the picture leaves out, in words; empty where it shows all."""
    longest = max(len(heatmap.rows), len(heatmap.columns))
    if longest <= MOST_FIELDS:
        return ""
    return say("The picture shows the first {n} of {rows}; the table holds all.", n=MOST_FIELDS, rows=f"{longest:,}")


def _draw_field(
    root: Element, heatmap: Heatmap, where: tuple[int, int], names: str, x: float, y: float, width: float
) -> None:
    """One field. A number beyond the ends of the scale is as light or as dark as they are."""
    value = heatmap.values[where[0]][where[1]]
    known = value is not None and isfinite(value)
    share = (value - heatmap.low) / (heatmap.high - heatmap.low) if value is not None and known else 0.0
    box: dict[str, Any] = {"x": x + 0.5, "y": y + 0.5, "width": width - 1, "height": _HEIGHT - 1}
    text = format(value, heatmap.format).replace("-", MINUS) if known else number_text(value)
    opacity = _DEEPEST * max(0.0, min(1.0, share))
    whole = add(root, "rect", **box, fill_opacity=opacity, class_="field")
    add(whole, "title", f"{names}: {text}")
    if text_width(text) <= width:
        add(root, "text", text, x=x + width / 2, y=y + _HEIGHT / 2 + 4, class_="name", text_anchor="middle")
