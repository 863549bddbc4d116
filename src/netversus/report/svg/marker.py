"""Who is who in a picture: each contender keeps its colour, its marker shape and its dash through the whole report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from markupsafe import Markup

from netversus.report.svg.element import add, markup

COLOURS = 7  # classes c0 to c6 of the page: Okabe and Ito's palette, which colour-blind readers can tell apart
HATCHES = 3  # full, and the patterns hatch1 and hatch2
_HATCH_LINES = ("M-1 1L1 -1M0 6L6 0M5 7L7 5", "M-1 5L1 7M0 0L6 6M5 -1L7 1")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_SHAPES = ("circle", "square", "triangle", "diamond", "cross")


_CROSS = tuple(
    (sx * dx, sy * dy)
    for (sx, sy), corner in zip(
        ((1, -1), (1, 1), (-1, 1), (-1, -1)),
        (((0.4, 1.2), (0.4, 0.4), (1.2, 0.4)), ((1.2, 0.4), (0.4, 0.4), (0.4, 1.2))) * 2,
        strict=True,
    )
    for dx, dy in corner
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A series' look. `number` is its place; a reference (a line to compare with) is grey and has no marker."""

    number: int
    reference: bool = False

    @property
    def colour(self) -> str:
        """The CSS class of its colour."""
        return "reference" if self.reference else f"c{self.number % COLOURS}"

    @property
    def dash(self) -> str:
        """Its stroke-dasharray, empty for a full line."""
        return "3 4" if self.reference else _DASHES[self.number % len(_DASHES)]

    @property
    def shape(self) -> str:
        """Its marker's shape, empty for a reference."""
        return "" if self.reference else _SHAPES[self.number % len(_SHAPES)]


def identities(names: Sequence[str], contenders: Sequence[str]) -> tuple[Identity, ...]:
    """A look for each series: a contender's own; beside contenders the rest are references, else further looks."""
    known = {name: number for number, name in enumerate(contenders)}
    beside = any(name in known for name in names)
    looks = []
    for place, name in enumerate(names):
        if name in known:
            looks.append(Identity(known[name]))
        else:
            looks.append(Identity(place, reference=True) if beside else Identity(len(contenders) + place))
    return tuple(looks)


def mark(parent: Element, look: Identity, x: float, y: float, size: float = 4.0, tip: str = "") -> None:
    """Draw a marker centred on (x, y); `tip` is shown where a pointer rests on it."""
    shape = _shape(parent, look, x, y, size)
    if shape is not None and tip:
        add(shape, "title", tip)


def _shape(parent: Element, look: Identity, x: float, y: float, s: float) -> Element | None:
    css = f"mark {look.colour}"
    if look.shape == "circle":
        return add(parent, "circle", cx=x, cy=y, r=s, class_=css)
    if look.shape == "square":
        return add(parent, "rect", x=x - 0.9 * s, y=y - 0.9 * s, width=1.8 * s, height=1.8 * s, class_=css)
    corners = {
        "triangle": ((0, -1.2), (1.1, 0.9), (-1.1, 0.9)),
        "diamond": ((0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)),
        "cross": _CROSS,
    }.get(look.shape)
    if corners is None:
        return None
    points = " ".join(f"{x + s * dx:.2f},{y + s * dy:.2f}" for dx, dy in corners)
    return add(parent, "polygon", points=points, class_=css)


def bar(parent: Element, look: Identity, x: float, y: float, width: float, height: float, tip: str = "") -> None:
    """Draw a bar; hatching (the page's patterns `hatch0` to `hatch2`) tells neighbours apart without colour."""
    box = {"x": x, "y": y, "width": width, "height": height}
    whole = add(parent, "rect", "", **box, class_=f"mark {look.colour}")
    hatch = look.number % HATCHES
    if hatch or look.reference:
        whole = add(parent, "rect", "", **box, fill=f"url(#hatch{hatch or 1})")
    if tip:
        add(whole, "title", tip)


def draw_hatches() -> Markup:
    """The patterns that bars refer to, once a page."""
    root = Element("svg", {"class": "patterns", "width": "0", "height": "0", "aria-hidden": "true"})
    for number, lines in enumerate(_HATCH_LINES, start=1):
        box = {"id": f"hatch{number}", "width": "6", "height": "6", "patternUnits": "userSpaceOnUse"}
        add(SubElement(root, "pattern", box), "path", d=lines, class_="hatch")
    return markup(root)


def draw_marker(number: int) -> Markup:
    """A contender's marker alone, to stand before its name in running text (where the name says all)."""
    root = Element(
        "svg", {"class": "who", "viewBox": "0 0 12 12", "width": "12", "height": "12", "aria-hidden": "true"}
    )
    mark(root, Identity(number), 6, 6)
    return markup(root)
