"""Amounts as people write them, "20ms", "75%", "-0.5 points", as numbers in the unit in which a metric is stored.

A bare number is in the stored unit: a share is a fraction (0.75, and a difference of half a point is 0.005), a time is
in seconds, memory in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from netversus.records import Question, Scale

_NUMBER = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*)?")
_SHARE = {"%": 0.01, "point": 0.01, "points": 0.01}
_TIME = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_SIZE = {"B": 1.0, "bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12} | {
    name: 2.0 ** (10 * power) for power, name in enumerate(("KiB", "MiB", "GiB", "TiB"), start=1)
}
_COUNT = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS: Mapping[str, Mapping[str, float]] = {
    "%": _SHARE,
    "s": _TIME,
    "bytes": _SIZE,
    "parameters": _COUNT,
    "MACs": _COUNT,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """What an amount is asked of: "value" (a level), "delta" (a difference) or "ratio" of a question, or its "margin":
    the least difference that matters, of a question on ratios a share of the smaller one."""

    question: Question
    statistic: str = "value"


def parse_amount(text: str, ask: Ask) -> float:
    """The number in the metric's stored unit.

    Raises:
        ValueError: not a number, a unit that does not fit, or a number that the metric cannot have.
    """
    match = _NUMBER.fullmatch(text.strip().replace("−", "-"))
    units = units_of(ask)
    allowed = f"a number{f', alone or with {_listed(units)}' if units else ''}"
    if not match:
        raise ValueError(f"expected {allowed}, got {text.strip()!r}")
    unit = (match[2] or "").strip()
    if unit and unit not in units:
        raise ValueError(f"expected {allowed}, got the unit {unit!r}")
    number = float(match[1]) * (units[unit] if unit else 1.0)
    _refuse_impossible(number, text.strip(), ask)
    return number


def units_of(ask: Ask) -> Mapping[str, float]:
    """The units that may follow a number, with what they multiply it by."""
    if ask.statistic == "ratio":
        return {"x": 1.0, "×": 1.0}
    if ask.statistic == "margin" and ask.question.scale is Scale.RATIO:
        return {"%": 0.01}
    unit = ask.question.unit
    return _UNITS.get(unit, {unit: 1.0} if unit else {})


def _refuse_impossible(number: float, text: str, ask: Ask) -> None:
    """A share above one is a percentage that lost its sign; a ratio, a time or a size is not negative."""
    question = ask.question
    if ask.statistic == "margin" and number < 0:
        raise ValueError(f"a margin is not negative, got {text!r}")
    if ask.statistic == "ratio" and number <= 0:
        raise ValueError(f"a ratio is above 0, got {text!r}")
    if question.scale is Scale.PROPORTION:
        least = 0.0 if ask.statistic == "value" else -1.0
        if not least <= number <= 1:
            raise ValueError(
                f"{question.metric} is stored as a fraction, so {text!r} would be {100 * number:g} %: "
                f"write {number / 100:g} or {number:g}%"
            )
    if question.scale is Scale.RATIO and ask.statistic == "value" and number <= 0:
        raise ValueError(f"{question.metric} is above 0, got {text!r}")


def _listed(units: Mapping[str, float]) -> str:
    names = [name for name in units if name not in ("μs", "×")]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
