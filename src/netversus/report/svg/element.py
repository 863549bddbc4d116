"""SVG elements, built as a tree so that nothing is ever escaped by hand."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from netversus.report.escape import one_line

GLYPH = 0.56  # mean width of a character of the system fonts, relative to the font size
FONT = 12.0  # size in px of all text in a picture; the CSS says the same


def add(parent: Element, tag: str, text: str = "", **attributes: str | float) -> Element:
    """Append an element. `class_` is `class`, an underscore elsewhere is a hyphen; numbers keep two decimals."""
    named = {name.rstrip("_").replace("_", "-"): _value(value) for name, value in attributes.items()}
    child = SubElement(parent, tag, named)
    child.text = one_line(text) if text else None
    return child


def picture(width: float, height: float, title: str, description: str, key: str = "", class_: str = "") -> Element:
    """The root of a picture: drawn 1:1 at `width` px, described by `title` and `description`.

    `key` makes its ids unique in the page; without it the title alone names the picture.
    """
    root = Element("svg", {"role": "img", "viewBox": f"0 0 {_value(width)} {_value(height)}"})
    root.set("width", _value(width))
    root.set("height", _value(height))
    if class_:
        root.set("class", class_)
    if key:
        root.set("aria-labelledby", f"{key}-t")
        root.set("aria-describedby", f"{key}-d")
        add(root, "title", title, id=f"{key}-t")
        add(root, "desc", description, id=f"{key}-d")
    else:
        root.set("aria-label", one_line(f"{title}: {description}" if description else title))
        add(root, "title", title)
        add(root, "desc", description)
    return root


def markup(root: Element) -> Markup:
    """The element as text for an HTML page; `ElementTree` escaped every name in it."""
    return Markup(tostring(root, encoding="unicode"))  # noqa: S704 -- built as a tree, escaped when written


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is, in px. Characters of East Asia take a full square."""
    return sum(1.0 if ord(character) > 0x2E7F else GLYPH for character in text) * size


def shortened(text: str, width: float, size: float = FONT) -> str:
    """The text, cut in the middle with an ellipsis where it is wider than `width` px."""
    if text_width(text, size) <= width:
        return text
    keep = max(2, int(width / (GLYPH * size)) - 1)
    return f"{text[: -(-keep // 2)]}…{text[len(text) - keep // 2 :]}"


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")
