"""What is drawn over a picture: its boxes, each kind in its own colour and stroke, with the label beside it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from markupsafe import Markup

from netversus.exhibits import Mark, Picture
from netversus.report.svg.element import add, markup, shortened, text_width

KINDS = {"right": "", "wrong": "7 4", "missed": "2 4", "": ""}
"""Kind of a mark -> its stroke's dashes in CSS px; the style names its colour by the class `mark-KIND`."""
_FONT = 12.0  # CSS px
_LINE = 1.25


def draw_overlay(picture: Picture, scale: float) -> Markup:
    """The marks of a picture as one SVG to lie over it; empty without marks.

    `scale` is how many CSS px a pixel of the picture takes where it is shown, so that texts and strokes keep theirs.
    The marks are told in words elsewhere, so the overlay is hidden from screen readers.
    """
    if not picture.marks:
        return Markup("")
    box = f"0 0 {picture.width} {picture.height}"
    root = Element("svg", {"class": "marks", "viewBox": box, "aria-hidden": "true", "preserveAspectRatio": "none"})
    for mark in picture.marks:
        _draw_box(root, mark)
    for mark in picture.marks:
        if mark.label:
            _draw_label(root, mark, picture, _FONT / scale)
    return markup(root)


def _draw_box(root: Element, mark: Mark) -> None:
    """A light line under the coloured one lets it be seen on any ground."""
    box = {"x": mark.x, "y": mark.y, "width": mark.width, "height": mark.height}
    add(root, "rect", "", **box, class_="halo")
    add(root, "rect", "", **box, class_=_class(mark), stroke_dasharray=KINDS[mark.kind] or "none")


def _draw_label(root: Element, mark: Mark, picture: Picture, size: float) -> None:
    """The label stands on the box's upper edge, inside the picture, on a ground of its own."""
    text = shortened(mark.label, picture.width - size, size)
    wide = min(text_width(text, size) + 0.5 * size, picture.width)
    x = min(max(0.0, mark.x), picture.width - wide)
    y = min(max(0.0, mark.y - _LINE * size), picture.height - _LINE * size)
    add(root, "rect", x=x, y=y, width=wide, height=_LINE * size, class_="ground")
    place = f"translate({x + 0.25 * size:.2f} {y + 0.95 * size:.2f}) scale({size / _FONT:.4f})"
    add(root, "text", text, transform=place, class_=_class(mark))


def _class(mark: Mark) -> str:
    return f"mark-{mark.kind or 'plain'}"
