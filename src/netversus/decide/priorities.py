"""What a user wants of a contender: limits that it must keep, and weights on what is to be good."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from netversus.decide.amounts import Ask, parse_amount
from netversus.decide.axes import Axis
from netversus.decide.naming import find_limited, find_question
from netversus.errors import OptionError
from netversus.plan import Plan
from netversus.records import Role
from netversus.statistics.estimators import WITHOUT_INTERVAL


@dataclass(frozen=True, slots=True)
class Limit:
    """A contender's own level on a question must be at least, or at most, so much, in the metric's stored unit."""

    axis: str
    at_least: bool
    threshold: float


@dataclass(frozen=True, slots=True)
class Priorities:
    """Limits, and weights by "study.metric": how many steps elsewhere a step on that question is worth."""

    weights: Mapping[str, float] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()


def default_weights(axes: Iterable[Axis]) -> dict[str, float]:
    """The primary question alone, which is what the verdict of a run rests on."""
    primary = [axis.name for axis in axes if axis.question.role is Role.PRIMARY and axis.step]
    return dict.fromkeys(primary[:1], 1.0)


def parse_limits(plan: Plan, at_least: Sequence[str], at_most: Sequence[str]) -> tuple[Limit, ...]:
    """The limits of "study.metric=amount".

    Raises:
        OptionError: one line naming the flag and what is wrong with it.
    """
    asked = [("--at-least", text) for text in at_least] + [("--at-most", text) for text in at_most]
    limits = []
    for flag, text in asked:
        study, metric, value = _split(flag, text, "speed.latency_p95=20ms")
        question = find_limited(plan, study, metric)
        try:
            threshold = parse_amount(value, Ask(question))
        except ValueError as error:
            raise OptionError(f"{flag} {text}: {error}") from None
        limits.append(Limit(f"{study}.{metric}", flag == "--at-least", threshold))
    return tuple(limits)


def parse_weights(plan: Plan, texts: Sequence[str]) -> dict[str, float]:
    """The weights of "study.metric=number".

    Raises:
        OptionError: one line naming the flag and what is wrong with it.
    """
    weights = {}
    for text in texts:
        study, metric, value = _split("--weight", text, "accuracy.top1=2")
        find_question(plan, study, metric)
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if not (isfinite(weight) and weight >= 0):
            raise OptionError(f"--weight {text}: expected a number from 0 on, got {value!r}")
        weights[f"{study}.{metric}"] = weight
    return weights


def refuse_unweighable(axes: Iterable[Axis], weights: Mapping[str, float]) -> None:
    """A weight needs a question that is judged, and a ratio or a margin to count its steps in.

    Raises:
        OptionError: a weighed question has none.
    """
    known = {axis.name: axis for axis in axes}
    for name, weight in weights.items():
        if weight and not known[name].step:
            raise OptionError(
                f"{name} cannot be weighed: it is described and not judged, or names no margin to count its steps in",
                hint="" if known[name].question.estimator in WITHOUT_INTERVAL else "a limit can be put on it",
            )


def _split(flag: str, text: str, example: str) -> tuple[str, str, str]:
    name, equals, value = text.partition("=")
    study, dot, metric = name.strip().partition(".")
    if not (equals and dot and study and metric and value.strip()):
        raise OptionError(f"{flag} takes study.metric=value, such as {example}, got {text!r}")
    return study, metric, value.strip()
