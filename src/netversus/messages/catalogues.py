"""The catalogues, the language in force, and a sentence said in it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

from netversus.errors import OptionError
from netversus.messages.spacing import spaced

LANGUAGES = ("en", "zh")
"""What a report can be written in."""

STORED = "stored"
"""The sections of a catalogue that begin so hold the sentences that are stored with a run."""

_language: ContextVar[str] = ContextVar("language", default="en")


def say(template: str, /, **values: object) -> str:
    """`template` in the language in force, gaps filled as `str.format` does; without values braces are left alone."""
    told = catalogue(_language.get()).get(template, template)
    return filled(told, values) if values else told


def filled(template: str, values: Mapping[str, object]) -> str:
    """The template with its gaps filled. In Chinese the spaces about a gap follow what stands in it."""
    return template.format(**values) if _language.get() == "en" else spaced(template, values)


def template(text: str) -> str:
    """The text as it is: the mark of a template that is chosen here and said elsewhere, so that the test finds it."""
    return text


def language() -> str:
    """The language in force: one of `LANGUAGES`."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """What is said inside is said in `language`, one of `LANGUAGES`.

    Raises:
        OptionError: there is no such language.
    """
    catalogue(language)
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English template -> its translation; empty for English.

    Raises:
        OptionError: there is no such language.
    """
    return {english: told for section in catalogue_sections(language).values() for english, told in section.items()}


@cache
def catalogue_sections(language: str) -> Mapping[str, Mapping[str, str]]:
    """The catalogue by section, as its file has them; none for English.

    Raises:
        OptionError: there is no such language.
    """
    if language not in LANGUAGES:
        raise OptionError(f"a report is written in one of {', '.join(LANGUAGES)}, got {language!r}")
    if language == "en":
        return {}
    with (files("netversus.messages") / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)
