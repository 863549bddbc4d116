"""A row a category: bars from zero, or dots, each with the whisker of its interval and its number beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from xml.etree.ElementTree import Element

from netversus.exhibits import Chart, Series
from netversus.report.svg.element import FONT, add, picture, shortened, text_width
from netversus.report.svg.legend import draw_legend, legend_height
from netversus.report.svg.marker import Identity, bar, mark
from netversus.report.svg.scale import Scale, fit_scale, number_text, number_texts

_BAR = 13.0
_STEP = 16.0  # from one series' bar to the next
_GAP = 10.0  # between categories
_FOOT = 42.0
_WIDEST_LABEL = 0.3  # of the picture; where labels are longer, each stands above its bars


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things lie: the values' scale, the labels' width (0: above their bars), the height of a category. And
    what is written beside each value."""

    scale: Scale
    labels: float
    pitch: float
    texts: Mapping[float, str]

    @property
    def lead(self) -> float:
        """From the top of a category to its first bar."""
        return 0.0 if self.labels else FONT + 6


def draw_rows(chart: Chart, looks: Sequence[Identity], width: float, key: str) -> Element:
    """The picture of a bar chart, or of dots over categories."""
    names = [series.name for series in chart.series]
    labels = tuple(dict.fromkeys(_label(x) for series in chart.series for x in series.x))
    layout = _layout(chart, labels, width)
    top = legend_height(names, width) + 10
    bottom = top + layout.pitch * len(labels)
    root = picture(width, bottom + _FOOT, chart.title, chart.description, key, "chart")
    draw_legend(root, chart.kind, names, looks, width)
    _draw_axis(root, chart, layout.scale, top, bottom, width)
    for place, label in enumerate(labels):
        _draw_category(root, chart, looks, layout, label, top + place * layout.pitch)
    return root


def _layout(chart: Chart, labels: Sequence[str], width: float) -> _Layout:
    widest = max(text_width(label) for label in labels)
    beside = widest + 12 if widest <= _WIDEST_LABEL * width else 0.0
    values = [v for series in chart.series for v in (*series.y, *series.low, *series.high)]
    heights = [y for series in chart.series for y in series.y if isfinite(y)]
    texts = dict(zip(heights, number_texts(heights), strict=True))
    numbers = max(map(text_width, texts.values())) + 12
    zero = chart.kind == "bar" or chart.y_from_zero
    scale = fit_scale(values, beside or 6.0, width - numbers, zero=zero, about=max(3, int(width / 130)))
    pitch = _STEP * len(chart.series) + _GAP + (0.0 if beside else FONT + 6)
    return _Layout(scale, beside, pitch, texts)


def _label(x: float | str) -> str:
    return x if isinstance(x, str) else number_text(x)


def _draw_axis(root: Element, chart: Chart, scale: Scale, top: float, bottom: float, width: float) -> None:
    for tick, text in zip(scale.ticks, scale.labels(), strict=True):
        css = "base" if tick == 0 else "grid"
        add(root, "line", x1=scale(tick), x2=scale(tick), y1=top, y2=bottom, class_=css)
        add(root, "text", text, x=scale(tick), y=bottom + 15, class_="tick", text_anchor="middle")
    add(root, "text", chart.y_label, x=width - 4, y=bottom + 35, class_="axis", text_anchor="end")


def _draw_category(
    root: Element, chart: Chart, looks: Sequence[Identity], layout: _Layout, label: str, top: float
) -> None:
    middle = top + _STEP * len(chart.series) / 2 + 4
    if layout.labels:
        add(root, "text", label, x=layout.labels - 8, y=middle, class_="name", text_anchor="end")
    else:
        add(root, "text", shortened(label, layout.scale.end), x=0, y=top + FONT, class_="name")
    for place, (series, look) in enumerate(zip(chart.series, looks, strict=True)):
        for i, x in enumerate(series.x):
            if _label(x) == label and isfinite(series.y[i]):
                y = top + layout.lead + place * _STEP + _STEP / 2
                _draw_value(root, chart.kind, series, i, look, layout, y)


def _draw_value(root: Element, kind: str, series: Series, i: int, look: Identity, layout: _Layout, y: float) -> None:
    """One bar or dot with its whisker; its number stands to the right of all of it."""
    scale, value = layout.scale, series.y[i]
    place, text = scale(value), layout.texts[value]
    tip = f"{series.name}: {text}"
    right = place
    if kind == "bar":
        zero = scale(0.0)
        bar(root, look, min(zero, place), y - _BAR / 2, abs(place - zero), _BAR, tip)
        right = max(place, zero)
    if series.low and series.high and not isnan(series.low[i]) and not isnan(series.high[i]):
        low, high = scale(series.low[i]), scale(series.high[i])
        whisker = f"M{low:.2f} {y:.2f}H{high:.2f}M{low:.2f} {y - 3:.2f}v6M{high:.2f} {y - 3:.2f}v6"
        add(root, "path", d=whisker, class_="whisker" if kind == "bar" else f"line {look.colour}")
        right = max(right, high)
    if kind == "dot":
        mark(root, look, place, y, tip=tip)
    add(root, "text", text, x=right + 8, y=y + 4, class_="tick")
