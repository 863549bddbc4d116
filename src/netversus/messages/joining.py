"""How words, clauses and sentences follow one another, in the language in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netversus.messages.catalogues import say, template


def listed(words: Sequence[str]) -> str:
    """A list in words: "A", "A and B", "A, B and C"."""
    if len(words) < 2:
        return "".join(words)
    return say("{first} and {last}", first=in_a_row(words[:-1]), last=words[-1])


def predicates(said: Sequence[str]) -> str:
    """What is said of one subject, or by several short sentences: "is faster, is smaller and has fewer parameters"."""
    if len(said) < 2:
        return "".join(said)
    return say("{predicates} and {last}", predicates=in_a_row(said[:-1]), last=said[-1])


def in_a_row(words: Iterable[str]) -> str:
    """Words one after another: "A, B, C"."""
    return _between(template("{first}, {second}")).join(words)


def clauses(said: Iterable[str]) -> str:
    """Clauses of one sentence: "this; that"."""
    return _between(template("{first}; {second}")).join(said)


def sentences(*said: str) -> str:
    """Whole sentences one after another; empty ones are left out."""
    return _between(template("{first} {second}")).join(filter(None, said))


def _between(link: str) -> str:
    """What a language puts between two."""
    return say(link, first="", second="")
