"""A study's README (Markdown) as HTML: no raw HTML, no links that lead out of the report, headings below the page's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from netversus.report.escape import legible

_DEEPER = 3  # the page has its own h1 to h3


def prose(markdown: str) -> Markup:
    """The HTML of a Markdown text, without its first-level heading, which the page says already."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("link_open", _nothing)
    parser.add_render_rule("link_close", _address)
    parser.add_render_rule("image", _image)
    tokens = list(_below(parser.parse(legible(markdown))))
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 -- the parser escapes, html is off


def _below(tokens: Sequence[Token]) -> list[Token]:
    kept: list[Token] = []
    skipping = False
    for token in tokens:
        if token.type == "heading_open" and token.tag == "h1":
            skipping = True
        if not skipping:
            if token.type.startswith("heading_"):
                token.tag = f"h{min(6, int(token.tag[1]) + _DEEPER - 1)}"
            kept.append(token)
        if token.type == "heading_close":
            skipping = False
    return kept


def _nothing(*_: Any) -> str:
    return ""


def _address(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    """The address of a link, in plain sight, unless its text is the address."""
    opening = next(i for i in range(place - 1, -1, -1) if tokens[i].type == "link_open")
    text = "".join(token.content for token in tokens[opening:place])
    address = str(tokens[opening].attrs.get("href", ""))
    return "" if text == address else f" ({escape(address)})"


def _image(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    return str(escape(f"[{tokens[place].content}]"))
