"""A view in which every text is an attack on whatever shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

PAYLOADS = (
    '"><script>alert(1)</script>',
    "' onmouseover='alert(1)",
    "</style></svg></table><img src=http://evil.example/x.png onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "| a | b |\n| --- | --- |",
    "\n\n# heading\n\n- item\n\n> quote\n\n```\ncode",
    "[link](http://evil.example) ![picture](http://evil.example/y.png) [x]: http://evil.example",
    "*em* _em_ **strong** ~~gone~~ `code` $x$ &lt;b&gt; <!-- x --> \\",
    "\u202egnp\u2066.exe\u200b\u00ad\U000e0041 \x00\x1b[31m \udc80",
)
HARMLESS = " x"
"""What does to the names of studies and metrics what a payload does: they are known to nobody."""
_KEPT = {"kind", "status", "formats", "interpolation", "content"}  # words of ours that choose a path


def poisoned(record: Any, payload: str, *, spare: frozenset[str] = frozenset()) -> Any:
    """The record with a payload behind every text in it; equal texts stay equal."""
    if is_dataclass(record) and not isinstance(record, type):
        skipped = _KEPT | spare
        changes = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in skipped}
        return replace(record, **{name: poisoned(value, payload, spare=spare) for name, value in changes.items()})
    if isinstance(record, str) and not isinstance(record, Enum):
        return f"{record}{payload}" if record else record
    if isinstance(record, Mapping):
        return {poisoned(k, payload, spare=spare): poisoned(v, payload, spare=spare) for k, v in record.items()}
    if isinstance(record, tuple):
        return tuple(poisoned(each, payload, spare=spare) for each in record)
    return record
