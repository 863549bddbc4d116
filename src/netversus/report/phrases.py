"""Parts of speech of the headline: what the better one is called, what equals are called, lists of names."""

from __future__ import annotations

from collections.abc import Sequence

from netversus.quantities import difference, margin_text, times
from netversus.records import Finding, Scale

_BETTER = {"top1": "more accurate", "map": "the better detector"}
_EQUAL = {"top1": "equally accurate"}


def better_word(finding: Finding) -> str:
    """How the better of two on a primary question is called."""
    return _BETTER.get(finding.metric, f"better on {finding.study} ({finding.metric})")


def equal_word(finding: Finding) -> str:
    """How those that are practically the same on a primary question are called."""
    equal = _EQUAL.get(finding.metric, f"practically the same on {finding.study} ({finding.metric})")
    return f"{equal} within {margin_text(finding.margin, finding.scale, finding.unit)}"


def by_how_much(finding: Finding) -> str:
    """The estimate behind "better than": " by 1.3 points", ", 1.80×", or nothing where there is none."""
    if finding.effect is None:
        return ""
    if finding.scale is Scale.RATIO:
        ratio = finding.effect.estimate
        return f", {times(1 / ratio if 0 < ratio < 1 else ratio)}"
    return f" by {difference(abs(finding.effect.estimate), finding.unit).removeprefix('+')}"


def joined(words: Sequence[str]) -> str:
    """A list in words: "A", "A and B", "A, B and C"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def are(names: Sequence[str]) -> str:
    """The names with their verb."""
    return f"{joined(names)} {'is' if len(names) == 1 else 'are'}"
