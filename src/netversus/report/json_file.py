"""Everything that the report knows, for machines: strict JSON (RFC 8259), with a schema number.

Keys are the names of the records' fields (`netversus.records`). A number that is not finite is null, half a
character that no encoding can write (in a file name that is not UTF-8) is an escape. A picture's bytes are given as
their SHA-256 and their number; the raw observations are in the run folder. Nothing else is changed.

Schema history
    1   the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

from netversus.report.view import ReportView, Section

SCHEMA_VERSION = 1


def render(view: ReportView) -> str:
    """The view as JSON. `findings` holds every finding once; a section names its own by their places in it."""
    return json.dumps(document(view), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def document(view: ReportView) -> dict[str, Any]:
    """The same as plain Python values."""
    parts = {name: value for name, value in _fields(view).items() if name not in ("sections", "observations")}
    places = iter(range(len(view.findings)))
    sections = [_section(section, [next(places) for _ in section.findings]) for section in view.sections]
    return {
        "schema": SCHEMA_VERSION,
        **{str(name): _plain(value) for name, value in parts.items()},
        "findings": _plain(view.findings),
        "sections": sections,
    }


def _section(section: Section, places: list[int]) -> dict[str, Any]:
    cells = [{"cell": _plain(cell), "outcome": _plain(outcome)} for cell, outcome in section.cells]
    exhibits = [{"type": type(e).__name__.lower(), **_plain(e)} for e in section.exhibits]
    return {**_plain(_fields(section)), "findings": places, "cells": cells, "exhibits": exhibits}


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _plain(value: Any) -> Any:
    """Records as objects, sequences as arrays, what is not finite as null."""
    if is_dataclass(value):
        return _plain(_fields(value))
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return {"sha256": sha256(value).hexdigest(), "bytes": len(value)}
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    return _number(value)


def _number(value: Any) -> Any:
    """A number, or what stands in for one; null where it is not finite."""
    if isinstance(value, float) and not isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value  # a number of NumPy's from a study's exhibit


def _text(text: str) -> str:
    """Enumerations as their values, and nothing that UTF-8 cannot write."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")
