"""What a verdict on a whole study is asked about, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netversus.plan import Plan
from netversus.store import RunStore


@dataclass(frozen=True, slots=True)
class Subject:
    """A run, and the two contenders that a gate speaks of, by name. `level` is the gate's confidence level.
    `thresholds` are those of the security verdict that differ from its own (`threats.asked_of`). `failing_level` is the
    level whose error all that may fail shares; None: it is `level`, of which a part of a greater whole is left less."""

    store: RunStore
    plan: Plan
    candidate: str
    baseline: str
    level: float
    thresholds: Mapping[str, str] = field(default_factory=dict)
    failing_level: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`word` is "pass" or "fail", empty where that cannot be told yet; `reason` says in one line what it rests on."""

    word: str
    reason: str
