"""The pages: Jinja templates, strict and escaping; the report's own style below a little of theirs.

What they say is in the language in force. Nothing from outside comes into a page but as escaped text, hidden characters
made visible. There is no script in a page: what moves is one file of ours that the page names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from netversus import __version__
from netversus.browse.differences import Differences
from netversus.browse.interim import mark
from netversus.browse.live import Snapshot
from netversus.browse.shelf import Entry
from netversus.messages import in_a_row, language, say
from netversus.report.escape import legible, one_line
from netversus.report.trust import when

STATIC: Mapping[str, str] = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""The files that pages name, and what they are. No other can be asked for."""


@cache
def static(name: str) -> bytes:
    """A file that pages name; `style.css` is the report's with what these pages add.

    Raises:
        KeyError: there is none of that name.
    """
    STATIC[name]
    own = (files(__package__) / "static" / name).read_bytes()
    if name != "style.css":
        return own
    report = (files("netversus.report") / "templates" / "style.css").read_bytes()
    return report + b"\n" + own


def shelf_page(place: str, entries: Sequence[Entry]) -> str:
    """Every run below a folder."""
    return _render("shelf.html.jinja", place=place, entries=entries)


def run_page(key: str, name: str, snapshot: Snapshot, created: str) -> str:
    """One run: where it stands, and its report."""
    return _render("run.html.jinja", key=key, name=name, now=snapshot, created=created)


def status_part(snapshot: Snapshot) -> str:
    """The part of a run's page that changes while it runs."""
    return _render("status.html.jinja", now=snapshot)


def error_part(words: str) -> str:
    """The same part, where the run can be read no more."""
    return str(Markup('<p class="caveat">{}</p>').format(legible(words)))


def comparison_page(names: tuple[str, str], keys: tuple[str, str], found: Sequence[Differences]) -> str:
    """Two runs, only what differs."""
    return _render("comparison.html.jinja", names=names, keys=keys, found=found)


def message_page(title: str, words: str) -> str:
    """A page that says one thing."""
    return _render("message.html.jinja", title=title, words=words)


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(version=__version__, **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("netversus.browse"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"name": one_line, "when": when, "in_a_row": in_a_row}
    environment.globals |= {"mark": mark, "say": say, "language": language}
    return environment


def _visible(value: Any) -> Any:
    """Marks that hide or reorder text are shown as escapes."""
    return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
