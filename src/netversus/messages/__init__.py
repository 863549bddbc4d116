"""Every sentence that a report says, in the reader's language. Loads no torch.

A sentence is written in English where it is said, whole and with named gaps:

    say("{best} is better than {other}.", best=name, other=rival)

The English template is the key of the catalogues (`zh.toml`). What a catalogue lacks is said in English; a test reads
the sources and fails for each template that a catalogue lacks, or whose gaps differ.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "zh")
"""What a report can be written in."""

_language: ContextVar[str] = ContextVar("language", default="en")


def say(template: str, /, **values: object) -> str:
    """`template` in the language in force, its gaps filled by `str.format`; without values braces are left alone."""
    told = catalogue(_language.get()).get(template, template)
    return told.format(**values) if values else told


def language() -> str:
    """The language in force: one of `LANGUAGES`."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """What is said inside is said in `language`, one of `LANGUAGES`."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English template -> its translation; empty for English.

    Raises:
        ValueError: there is no such language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"a report is written in one of {', '.join(LANGUAGES)}, not in {language!r}")
    if language == "en":
        return {}
    with (files(__name__) / f"{language}.toml").open("rb") as file:
        sections = tomllib.load(file)
    return {english: told for section in sections.values() for english, told in section.items()}
