"""The grammar of a gate's conditions, small and strict.

    condition := NAME "." NAME "." statistic relation amount       accuracy.top1.delta >= -0.005
               | NAME ".verdict" "==" word                         security.verdict == pass
    statistic := "value" | "delta" | "ratio"
    relation  := ">=" | "<=" | ">" | "<"
    amount    := number [unit]                                     0.75, 75%, 20ms, -0.5 points

`value` is the candidate's own level, `delta` the candidate's less the baseline's, `ratio` the candidate's divided by
the baseline's. There is no equality of measured numbers: an interval cannot show one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, cast

from netversus.decide.amounts import Ask, parse_amount
from netversus.decide.naming import find_limited
from netversus.decide.verdicts import VERDICTS, WORDS
from netversus.errors import OptionError, nearest
from netversus.plan import Plan
from netversus.records import Question, Scale

Statistic = Literal["value", "delta", "ratio"]
Relation = Literal[">=", "<=", ">", "<"]
RELATIONS = (">=", "<=", ">", "<")
STATISTICS = ("value", "delta", "ratio")

_SUBJECT = re.compile(r"\s*([^\s<>=!]*)")
_OPERATOR = re.compile(r"\s*([<>=!]*)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Measured:
    """A condition on a measured number: `threshold` is in the metric's stored unit, or a ratio."""

    text: str
    study: str
    question: Question
    statistic: Statistic
    relation: Relation
    threshold: float

    @property
    def wants_more(self) -> bool:
        """Whether large numbers meet it."""
        return self.relation in (">=", ">")

    def holds(self, number: float) -> bool:
        """Whether a number meets it."""
        meets = {
            ">=": number >= self.threshold,
            "<=": number <= self.threshold,
            ">": number > self.threshold,
            "<": number < self.threshold,
        }
        return meets[self.relation]


@dataclass(frozen=True, slots=True)
class OfStudy:
    """A condition on the verdict of a whole study."""

    text: str
    study: str
    word: str


Condition = Measured | OfStudy


def parse_conditions(texts: Iterable[str], plan: Plan) -> tuple[Condition, ...]:
    """The conditions, in their order; one that is written twice counts once.

    Raises:
        OptionError: a line naming the condition, the place in it, and what is allowed there.
    """
    found = dict.fromkeys(parse_condition(text, plan) for text in texts)
    if not found:
        raise OptionError("a gate needs a condition", hint="such as 'accuracy.top1.delta >= -0.005'")
    return tuple(found)


def parse_condition(text: str, plan: Plan) -> Condition:
    """One condition, understood in a run.

    Raises:
        OptionError: it is not of the grammar, or names what the run does not ask.
    """
    text = " ".join(text.split())
    subject = cast("re.Match[str]", _SUBJECT.match(text))
    operator = cast("re.Match[str]", _OPERATOR.match(text, subject.end()))
    parts = subject[1].split(".")
    rest, start = text[operator.end() :].strip(), operator.end() + 1
    if len(parts) == 2 and parts[1] == "verdict":
        return _of_study(text, parts[0], operator, rest)
    _refuse_subject(text, parts)
    relation = _relation(text, operator)
    study, metric, statistic = parts
    question = _within(text, 0, lambda: find_limited(plan, study, metric))
    _refuse_statistic(text, study, question, statistic)
    try:
        threshold = parse_amount(rest, Ask(question, statistic))
    except ValueError as error:
        raise _wrong(text, start, str(error)) from None
    return Measured(text, study, question, cast("Statistic", statistic), cast("Relation", relation), threshold)


def _of_study(text: str, study: str, operator: re.Match[str], word: str) -> OfStudy:
    if study not in VERDICTS:
        hint = nearest(study, VERDICTS) or f"there is one for {', '.join(VERDICTS)}"
        raise _wrong(text, 0, f"there is no verdict on the whole of {study!r}", hint)
    if operator[1] != "==":
        raise _wrong(text, operator.start(1), f"expected ==, got {operator[1] or 'nothing'!r}")
    if word not in WORDS:
        raise _wrong(text, operator.end(), f"expected {' or '.join(WORDS)}, got {word!r}", nearest(word, WORDS))
    return OfStudy(text, study, word)


def _refuse_subject(text: str, parts: list[str]) -> None:
    at = 0
    for part in parts:
        if not _NAME.fullmatch(part):
            raise _wrong(text, at, f"expected a name of letters, digits, _ and -, got {part!r}")
        at += len(part) + 1
    if len(parts) != 3:
        came = ".".join(parts)
        raise _wrong(text, 0, f"expected study.metric.statistic or study.verdict, got {came!r}")
    if parts[2] not in STATISTICS:
        at = len(parts[0]) + len(parts[1]) + 2
        raise _wrong(text, at, f"expected value, delta or ratio, got {parts[2]!r}", nearest(parts[2], STATISTICS))


def _relation(text: str, operator: re.Match[str]) -> str:
    if operator[1] not in RELATIONS:
        came = repr(operator[1] or text[operator.end() :]) if operator.start(1) < len(text) else "the end"
        why = "; an interval cannot show that a measured number equals another" if operator[1] == "==" else ""
        raise _wrong(text, operator.start(1), f"expected >=, <=, > or <, got {came}{why}")
    return operator[1]


def _refuse_statistic(text: str, study: str, question: Question, statistic: str) -> None:
    """A metric is compared in one way: as a ratio or as a difference; a fact in both."""
    if statistic == "value" or question.scale is Scale.FACT:
        return
    fits = "ratio" if question.scale is Scale.RATIO else "delta"
    if statistic != fits:
        at = len(study) + len(question.metric) + 2
        told = f"{question.metric} is compared by its {fits}, not by its {statistic}"
        raise _wrong(text, at, told, f"{study}.{question.metric}.{fits}")


def _within(text: str, at: int, look: Callable[[], Question]) -> Question:
    """What a look-up finds; what it says when it fails, with the condition and the place."""
    try:
        return look()
    except OptionError as error:
        raise _wrong(text, at, error.message, error.hint) from None


def _wrong(text: str, at: int, what: str, hint: str = "") -> OptionError:
    return OptionError(f"condition {text!r}, at character {at + 1}: {what}", hint=hint)
