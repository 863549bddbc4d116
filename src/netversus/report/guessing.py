"""Contenders that do no better than guessing: what has learned nothing cannot win, and a tie of such is none."""

from __future__ import annotations

from collections.abc import Sequence

from netversus.quantities import amount
from netversus.records import DataCard, Finding, Scale
from netversus.statistics.proportions import above_chance

_MOST_LIKELY = 0.01  # the p value from which on a contender is taken to guess


def chance_text(data: DataCard) -> str:
    """How often guessing evenly is right."""
    return amount(1 / len(data.classes), "%")


def guessers(finding: Finding, data: DataCard) -> tuple[str, ...]:
    """Those of a pair whose first answers are not shown to be better than guessing evenly (exact, one-sided)."""
    plain = finding.scale is Scale.PROPORTION and finding.metric == "top1" and finding.scope == "checkpoints"
    if not plain or not finding.n or len(data.classes) < 2:
        return ()
    sides = ((finding.a, finding.value_a), (finding.b, finding.value_b))
    chance = 1 / len(data.classes)
    return tuple(
        name
        for name, value in sides
        if value is not None and above_chance(round(value * finding.n), finding.n, chance).p_value > _MOST_LIKELY
    )


def all_guess(judged: Sequence[Finding], data: DataCard) -> bool:
    """Whether every contender that is judged guesses."""
    names = {name for f in judged for name in (f.a, f.b)}
    return names == {name for f in judged for name in guessers(f, data)}
