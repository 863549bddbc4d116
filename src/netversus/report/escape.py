"""Text from outside (file names, class names, errors), made safe for where it is shown and wholly visible."""

from __future__ import annotations

import re

# Control characters, marks that reorder text, characters that show nothing, and halves that no encoding can write.
# The joiners U+200C and U+200D and the variation selectors stay: Persian and emoji need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
# What CommonMark (with tables, strikethrough and GitHub's formulas) may take for markup; an underscore within a word
# and brackets that no address follows are text already.
_MARKDOWN = re.compile(r"[\\`*<|~$]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])")
_LINE_START = re.compile(r"^([>#]|[-+](?=\s|$)|[-=]+$|\d+[.)](?=\s|$))")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def legible(text: str) -> str:
    """The text with what cannot be seen or encoded written as an escape; newlines and tabs stay."""
    return _HIDDEN.sub(lambda match: _escape(match[0]), text)


def one_line(text: str) -> str:
    """The same on one line: for names, where a newline is part of the name."""
    return legible(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def markdown_text(text: str) -> str:
    """Text as Markdown that shows just that text, in a paragraph, a list item or a table cell."""
    line = " ".join(legible(text).split())
    escaped = _MARKDOWN.sub(r"\\\g<0>", line.replace("&", "&amp;"))
    return _LINE_START.sub(lambda match: f"{match[1][:-1]}\\{match[1][-1]}", escaped)


def csv_text(text: str) -> str:
    """Text as a CSV cell that no spreadsheet takes for a formula."""
    shown = legible(text)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
