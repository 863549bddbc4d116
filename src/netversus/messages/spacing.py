"""The spaces of Chinese text: one between an ideograph and a Latin letter or digit, none beside full-width punctuation.

Whether a gap is a word or a number is known only when it is filled. What stands in a gap is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from string import Formatter

_IDEOGRAPH = "\u3007\u3400-\u9fff"
_FULL_WIDTH = "\u3001\u3002\u300a\u300b\u201c\u201d\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f"
_LATIN = "A-Za-z0-9%"
_MEET = re.compile(f"[{_IDEOGRAPH}][{_LATIN}]|[{_LATIN}][{_IDEOGRAPH}]")
_TOUCH = re.compile(f"[{_IDEOGRAPH}{_FULL_WIDTH}] [{_IDEOGRAPH}{_FULL_WIDTH}]|[{_FULL_WIDTH}] .|. [{_FULL_WIDTH}]")


def spaced(template: str, values: Mapping[str, object]) -> str:
    """The template, its gaps filled as `str.format` does, with the spaces that belong between its parts."""
    text = ""
    for part in _parts(template, values):
        text = _with(text, part)
    return text


def _parts(template: str, values: Mapping[str, object]) -> Iterator[str]:
    """Fixed words and what fills the gaps, in turn; empty ones are left out."""
    for fixed, gap, form, _ in Formatter().parse(template):
        if fixed:
            yield fixed
        if gap is not None and (said := format(values[gap], form or "")):
            yield said


def _with(text: str, part: str) -> str:
    """Two parts, one after another: a space is set where they meet, or taken away from where they touch."""
    if _MEET.fullmatch(text[-1:] + part[:1]):
        return f"{text} {part}"
    if _TOUCH.fullmatch(text[-2:] + part[:1]):
        return text[:-1] + part
    if _TOUCH.fullmatch(text[-1:] + part[:2]):
        return text + part[1:]
    return text + part
