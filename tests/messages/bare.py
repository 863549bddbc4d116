"""English that is shown and not said: in modules, read as syntax, and in templates, read as pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from jinja2 import Environment, nodes

from .collected import MARKS

WORD = re.compile(r"[A-Za-z][a-z]+")
_SENTENCE = re.compile(r"[a-z]{2}[,.:;)]* | \(?[A-Za-z][a-z]")
"""A word beside a blank: what is one word alone is a key, a name, an attribute."""
_EXACT = re.compile(r"^netversus |^<|charset=|-src |frame-ancestors |=\(\)|Policy|%Y|^bold \w+$|^none: |^event: |^: ")
"""Commands, tags, headers, formats, events, styles of a terminal, and methods, which are stored."""
_TAG = re.compile(r'^\s*(<|[\w-]+=")')
_SHOW = {"print", "table", "_say", "message_page", "PlainTextResponse", "HTTPException"}
"""What puts a single word before a reader, too."""
_TAKES_APART = {"compile", "partition", "rpartition", "split"}
_HOW = {"style", "markup", "end", "soft_wrap", "flush", "media_type", "headers"}
_SAME = {"netversus", "none"}  # a name, and a value of SVG


@dataclass(frozen=True)
class Unsaid:
    """Words that no function of the messages says."""

    line: int
    words: str


def unsaid(text: str) -> Iterator[Unsaid]:
    """The sentences of a module that stand outside of `say`, and the single words of what it shows."""
    yield from _within(
        ast.parse(text.strip() if not text.startswith("return") else f"def f():\n    {text}"), shown=False
    )


def _within(node: ast.AST, *, shown: bool) -> Iterator[Unsaid]:
    if isinstance(node, ast.Constant | ast.JoinedStr):
        yield from _of_text(node, shown=shown)
        return
    for child, inside in _parts(node, shown=shown):
        yield from _within(child, shown=inside)


def _of_text(node: ast.Constant | ast.JoinedStr, *, shown: bool) -> Iterator[Unsaid]:
    """The words of a string; a gap of an f-string stands as a digit, and what is in it is looked at by itself."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in parts)
    plain = isinstance(node, ast.JoinedStr) or isinstance(node.value, str)
    if plain and not _EXACT.search(text) and (WORD if shown else _SENTENCE).search(text):
        yield Unsaid(node.lineno, text)
    for part in parts:
        if isinstance(part, ast.FormattedValue):
            yield from _within(part.value, shown=False)


def _parts(node: ast.AST, *, shown: bool) -> Iterator[tuple[ast.AST, bool]]:
    """What is in a node and may hold words, and whether it is shown as it stands."""
    if isinstance(node, ast.Call):
        yield from _of_call(node, shown=shown)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return  # a docstring
    elif isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "StrEnum" for base in node.bases):
        return  # words of records; `declared` enumerates those that are shown
    elif isinstance(node, ast.Compare):
        yield from ((child, False) for child in ast.iter_child_nodes(node) if not isinstance(child, ast.Constant))
    elif isinstance(node, ast.FunctionDef) and node.name == "_help":
        return
    elif isinstance(node, ast.Dict):
        yield from ((value, False) for value in node.values)
    elif isinstance(node, ast.Subscript):
        yield from ((child, False) for child in ast.iter_child_nodes(node))
    else:
        yield from ((child, shown) for child in ast.iter_child_nodes(node))


def _of_call(node: ast.Call, *, shown: bool) -> Iterator[tuple[ast.AST, bool]]:
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if last.endswith("Error") or name.startswith("typer.") or last in _TAKES_APART:
        return  # errors and --help are English
    said = name in MARKS
    shows = last in _SHOW
    yield from ((each, shows) for each in (node.args[1:] if said else node.args))
    yield from ((word.value, said or (shows and word.arg not in _HOW)) for word in node.keywords)
    yield node.func, shown


def shown_by_template(source: str) -> Iterator[str]:
    """The words of a template that stand in it as a reader sees or hears them."""
    environment = Environment(autoescape=True)
    plain = "".join(
        value if kind == "data" else "\n" if kind.endswith("_begin") else ""
        for _, kind, value in environment.lex(source)
    )
    reader = _Shown()
    reader.feed(plain)
    reader.close()
    yield from (word for text in reader.texts for word in _words(text))
    for output in environment.parse(source).find_all(nodes.Output):
        for node in output.nodes:
            yield from _of_expression(node)


class _Shown(HTMLParser):
    """Texts and labels, without what is exact or no text; both branches of an `if` are read, so tags need not match."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._exact = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if value and name in ("aria-label", "title", "alt")]
        if tag in ("style", "script", "code", "pre") and not self._exact:
            self._exact = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._exact:
            self._exact = ""

    def handle_data(self, data: str) -> None:
        if not self._exact:
            self.texts.append(data)


def _words(text: str) -> Iterator[str]:
    yield from (word for word in text.split() if word.strip(".,:;()") not in _SAME and not _TAG.match(word))


def _of_expression(node: nodes.Node) -> Iterator[str]:
    """The strings of an expression that are shown: not what a call takes, nor what is compared or looked up."""
    if isinstance(node, nodes.Const):
        if isinstance(node.value, str) and not _TAG.match(node.value):
            yield from _words(node.value)
    elif isinstance(node, nodes.CondExpr):
        yield from (word for each in (node.expr1, node.expr2) if each for word in _of_expression(each))
    elif isinstance(node, nodes.Concat | nodes.Add | nodes.Or):
        yield from (word for each in node.iter_child_nodes() for word in _of_expression(each))
    elif isinstance(node, nodes.Filter) and node.node is not None:
        yield from _of_expression(node.node)
