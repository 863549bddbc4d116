"""Everything that the report knows, for machines: strict JSON (RFC 8259), with a schema number.

Keys are the names of the records' fields (`netversus.records`). A number that is not finite is null, half a
character that no encoding can write (in a file name that is not UTF-8) is an escape. A picture's bytes are given as
their SHA-256 and their number; the raw observations are in the run folder. Nothing else is changed.

`claims` holds the article's claims with verdicts and evidence, in the form of `netversus audit --out x.json`; `faq`
holds the article's four questions with their answers. Both are empty where the run has nothing to say of them.

Schema history
    1   the first.
    2   `claims`, `faq` and `security` were added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from hashlib import sha256
from math import isfinite
from typing import Any

from netversus.claims.document import as_document
from netversus.exhibits import Exhibit
from netversus.report.claims_section import claims_judged
from netversus.report.faq import answers, answers_document
from netversus.report.view import ReportView, Section

SCHEMA_VERSION = 2
_APART = ("sections", "observations", "security")


def render(view: ReportView) -> str:
    """The view as JSON. `findings` holds every finding once; a section names its own by their places in it."""
    return json.dumps(document(view), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def document(view: ReportView) -> dict[str, Any]:
    """The same as plain Python values."""
    parts = {name: value for name, value in _fields(view).items() if name not in _APART}
    places = iter(range(len(view.findings)))
    sections = [_section(section, [next(places) for _ in section.findings]) for section in view.sections]
    return {
        "schema": SCHEMA_VERSION,
        **{str(name): _plain(value) for name, value in parts.items()},
        "security": _exhibits(view.security),
        "claims": _plain(as_document(claims_judged(view.findings, view.data, view.level))),
        "faq": _plain(answers_document(answers(view.findings, view.data))) if view.findings else [],
        "findings": _plain(view.findings),
        "sections": sections,
    }


def _section(section: Section, places: list[int]) -> dict[str, Any]:
    cells = [{"cell": _plain(cell), "outcome": _plain(outcome)} for cell, outcome in section.cells]
    return {**_plain(_fields(section)), "findings": places, "cells": cells, "exhibits": _exhibits(section.exhibits)}


def _exhibits(exhibits: Sequence[Exhibit]) -> list[dict[str, Any]]:
    return [{"type": type(exhibit).__name__.lower(), **_plain(exhibit)} for exhibit in exhibits]


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
