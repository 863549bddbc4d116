"""What a verdict on a whole study is asked about, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from netversus.plan import Plan
from netversus.store import RunStore


@dataclass(frozen=True, slots=True)
class Subject:
    """A run, and the two contenders that a gate speaks of, by name. `level` is the gate's confidence level."""

    store: RunStore
    plan: Plan
    candidate: str
    baseline: str
    level: float


@dataclass(frozen=True, slots=True)
class Answer:
    """`word` is "pass" or "fail", empty where that cannot be told yet; `reason` says in one line what it rests on."""

    word: str
    reason: str
