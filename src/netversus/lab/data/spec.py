"""Data specs: `KIND`, `KIND:TARGET`, either with `?option=value&option=value`, or simply a path.

A name that is a kind is that kind, even where a folder of the same name exists: write `./digits` for the folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from pydantic import ValidationError

from netversus.errors import SpecError, nearest
from netversus.lab.data.kind import Kind, Opening
from netversus.request import describe
from netversus.study import Options

Declared = TypeVar("Declared", bound=Options)


def understand(spec: str, kinds: Mapping[str, Kind], *, seed: int, strict: bool = False) -> tuple[Kind, Opening]:
    """The kind that a spec names, and what to open.

    Raises:
        SpecError: an unknown kind, a missing or unwanted target, an unknown option or a value that does not fit.
    """
    kind, target, query = _take_apart(spec, kinds)
    if kind.target and not target:
        raise SpecError(f"{kind.name} needs a {kind.target}", hint=f"write {kind.name}:{kind.target}")
    if target and not kind.target:
        raise SpecError(f"{kind.name} takes nothing after a colon, got {target!r}", hint=_example(kind))
    options = make_options(kind.options, pairs_of(query, spec), owner=kind.name)
    return kind, Opening(_canonical(kind, target, options), target, options, seed, strict)


def make_options(declared: type[Declared], values: Mapping[str, Any], *, owner: str) -> Declared:
    """Validated options; `owner` is whose they are, for the message.

    Raises:
        SpecError: an unknown name or a value that does not fit.
    """
    for name in values:
        if name not in declared.model_fields:
            hint = nearest(name, declared.model_fields) or f"known: {', '.join(declared.model_fields)}"
            raise SpecError(f"{owner} has no option {name!r}", hint=hint)
    try:
        return declared.model_validate(values)
    except ValidationError as error:
        raise SpecError(f"{owner}: {describe(error)}") from None


def _take_apart(spec: str, kinds: Mapping[str, Kind]) -> tuple[Kind, str, str]:
    head, _, query = spec.partition("?")
    name, colon, _ = head.partition(":")
    if name in kinds:
        if not colon:
            return kinds[name], "", query
        return kinds[name], *_without_query(spec[len(name) + 1 :])
    path, query = _without_query(spec)
    if _exists(path) or _like_a_path(path):
        return kinds["folder"], path, query
    known = ", ".join(kinds)
    hint = nearest(name, kinds) or f"known: {known}, or the path of an image folder"
    raise SpecError(f"there is no data {spec!r}, neither a known name nor an existing folder", hint=hint)


def _without_query(text: str) -> tuple[str, str]:
    """A target and its query; a path may itself hold a question mark."""
    if _exists(text):
        return text, ""
    target, mark, query = text.rpartition("?")
    return (target, query) if mark else (text, "")


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, no such home
        return False


def _like_a_path(text: str) -> bool:
    return text.startswith((".", "~")) or "/" in text or os.sep in text


def pairs_of(query: str, spec: str) -> dict[str, str]:
    """What stands after the question mark, by name; `spec` is for the message.

    Raises:
        SpecError: not of the form name=value, or a name twice.
    """
    pairs: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise SpecError(f"expected option=value in {spec!r}, got {part!r}")
        if name in pairs:
            raise SpecError(f"option {name!r} is given twice in {spec!r}")
        pairs[name] = unquote(value)
    return pairs


def _canonical(kind: Kind, target: str, options: Options) -> str:
    """The spec with every option that differs from its default, in order of name."""
    given = options.model_dump(exclude_defaults=True)
    query = "&".join(f"{name}={quote(str(given[name]))}" for name in sorted(given))
    return kind.name + (f":{target}" if target else "") + (f"?{query}" if query else "")


def _example(kind: Kind) -> str:
    first = next(iter(kind.settings()), None)
    return f"write {kind.name}" + (f" or {kind.name}?{first.name}={first.default}" if first else "")
