"""An HTML page as a tree, read by the standard library: what is in it, what is shown as text, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "wbr", "br", "hr", "img", "input", "link"}
UNSEEN = {"style", "script", "title", "desc", "head"}  # their text is not shown in the page


@dataclass
class Element:
    """One element; `parts` holds its texts and children in order."""

    tag: str
    attributes: dict[str, str]
    parts: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """This element and all in it, in the order of the page."""
        yield self
        for part in self.parts:
            if isinstance(part, Element):
                yield from part.walk()

    def all(self, *tags: str) -> list[Element]:
        """Every element in it of these tags."""
        return [element for element in self.walk() if element.tag in tags]

    def of_class(self, name: str) -> list[Element]:
        """Every element in it that has a class."""
        return [element for element in self.walk() if name in element.attributes.get("class", "").split()]

    @property
    def text(self) -> str:
        """All text in it, as a reader sees it."""
        return "".join(
            part if isinstance(part, str) else "" if part.tag in UNSEEN else part.text for part in self.parts
        )

    @property
    def own_text(self) -> str:
        """The text that stands directly in it."""
        return "".join(part for part in self.parts if isinstance(part, str))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def read_page(html: str) -> Element:
    """The root of a page. Fails where a tag is not closed, or closed twice."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"not closed: {[element.tag for element in reader.open[1:]]}"
    return reader.open[0]


def squeezed(text: str) -> str:
    """Text with every run of whitespace as one space."""
    return " ".join(text.split())
