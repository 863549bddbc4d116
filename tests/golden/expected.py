"""What the stored run's report says, in forms that differ only where the report does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from netversus.analyse import analyse
from netversus.report import ReportView, build_view, html, json_file, markdown
from netversus.store import RunStore
from report.page import Element, read_page, squeezed

FOLDER = Path(__file__).parent
RUN = FOLDER / "run"
NAMES = ("report.md", "report.json", "report.html.txt")
_LINES = ("h1", "h2", "h3", "h4", "p", "li", "caption", "figcaption", "tr", "summary", "pre", "desc")


def reports(run: Path) -> dict[str, str]:
    """The reports of a run by file name. Loads no torch."""
    view = _settled(run)
    texts = (markdown.render(view), json_file.render(view), "\n".join(_lines(read_page(html.render(view)))) + "\n")
    return dict(zip(NAMES, texts, strict=True))


def _settled(run: Path) -> ReportView:
    """The view without what is no part of the run: this netversus' version, and its studies' READMEs."""
    store = RunStore.open(run)
    view = build_view(store, analyse(store))
    sections = tuple(replace(section, method="") for section in view.sections)
    return replace(view, netversus_version="golden", sections=sections)


def _lines(page: Element) -> Iterator[str]:
    """The page as a reader goes through it: a line a block, a bar between the cells of a row."""
    for element in page.walk():
        if element.tag == "tr":
            yield f"tr: {' | '.join(squeezed(cell.text) for cell in element.all('td', 'th'))}"
        elif element.tag in _LINES and element.attributes.get("class") != "download":  # sizes rest on the zlib at hand
            yield f"{element.tag}: {squeezed(element.text)}"
