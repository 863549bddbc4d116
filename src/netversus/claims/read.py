"""A claims file (TOML) -> claims. Whatever is wrong with it is one line that names the file and the claim."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from netversus.claims.records import Binding, Claim, Source
from netversus.claims.shape import ClaimShape, MeasuredShape, PublishedShape, SourceShape
from netversus.errors import OptionError, nearest
from netversus.request import describe

_Shape = TypeVar("_Shape", bound=BaseModel)
_TABLES = ("source", "subjects", "claim")


def read_claims(path: Path | Traversable) -> tuple[Claim, ...]:
    """The claims of a file, in its order.

    Raises:
        OptionError: the file cannot be read, is not TOML, or holds what no claims file holds.
    """
    document = read_document(path, _TABLES)
    source = Source(**checked(SourceShape, document.get("source", {}), f"{path}: source").model_dump())
    subjects = _subjects(document.get("subjects", {}), path)
    entries = entries_of(document, "claim", path)
    claims = tuple(_claim(entry, i, source, subjects, path) for i, entry in enumerate(entries, 1))
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise OptionError(f"{path}: claim {claim.id!r} stands there twice", hint="give each claim an id of its own")
        seen.add(claim.id)
    return claims


def read_document(path: Path | Traversable, tables: Sequence[str]) -> Mapping[str, Any]:
    """A TOML file whose top level holds nothing but `tables`.

    Raises:
        OptionError: it cannot be read, is not TOML, or holds something else.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise OptionError(f"cannot read {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path} is not valid TOML: {error}") from None
    for name in document:
        if name not in tables:
            raise OptionError(f"{path}: there is no table {name!r}", hint=nearest(name, tables) or ", ".join(tables))
    return document


def entries_of(document: Mapping[str, Any], table: str, path: Path | Traversable) -> Sequence[Mapping[str, Any]]:
    """The entries of an array of tables, of which there is at least one.

    Raises:
        OptionError: there is none, or they are not written as [[table]].
    """
    entries = document.get(table, [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise OptionError(f"{path} holds no {table}", hint=f"write each as [[{table}]]")
    return entries


def checked(shape: type[_Shape], values: Any, where: str) -> _Shape:
    """Values in their shape.

    Raises:
        OptionError: one line naming the first setting that does not fit, behind `where`.
    """
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise OptionError(f"{where}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """The first problem. What a check of a whole binding says needs no list of all that the binding holds."""
    first = error.errors()[0]
    if first["type"] == "value_error":
        place = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        return f"{place}: {said}" if place else said
    return describe(error)


def _subjects(table: Any, path: Path | Traversable) -> Mapping[str, tuple[str, ...]]:
    """Name -> the architectures that it stands for."""
    if not isinstance(table, dict):
        raise OptionError(f"{path}: subjects must be a table", hint='such as resnet50 = ["resnet50", "tv_resnet50"]')
    for name, known in table.items():
        if not isinstance(known, list) or not known or not all(isinstance(each, str) and each for each in known):
            raise OptionError(f"{path}: subjects.{name} must be a list of architectures, got {known!r}")
    return {name: tuple(known) for name, known in table.items()}


def _claim(
    entry: Mapping[str, Any],
    place: int,
    source: Source,
    subjects: Mapping[str, tuple[str, ...]],
    path: Path | Traversable,
) -> Claim:
    given = entry.get("id")
    where = f"{path}: claim {given!r}" if isinstance(given, str) and given else f"{path}: claim {place}"
    shape = checked(ClaimShape, entry, where)
    return Claim(
        id=shape.id,
        text=shape.text,
        source=source,
        english=shape.english,
        section=shape.section,
        data=shape.data,
        reading=shape.reading,
        note=shape.note,
        bindings=(*map(_measured, shape.measured), *map(_published, shape.published)),
        not_checkable=shape.not_checkable,
        subjects=subjects,
    )


def _measured(shape: MeasuredShape) -> Binding:
    study, _, metric = shape.question.partition(".")
    return Binding(metric, shape.comparison, shape.region, study=study, shown_because=shape.shown_because)


def _published(shape: PublishedShape) -> Binding:
    return Binding(
        metric=shape.metric,
        comparison=shape.comparison,
        region=shape.region,
        data=shape.data,
        tolerance=shape.tolerance,
        rule=shape.rule,
        shown_because=shape.shown_because,
        also=shape.also,
    )
