"""Conditions on a run, judged on intervals: met, failed, undecided, or not measured.

A condition is met when its whole interval meets it, failed when its whole interval fails it, and undecided otherwise.

The gate passes when every condition is met. That is an intersection-union test: to declare that all hold, each is
shown at the gate's own level, and nothing is corrected, for a gate that passes wrongly passes a condition that is
violated, whichever it is (Berger, Technometrics 24, 1982; Berger & Hsu, Statistical Science 11, 1996). The gate fails
when any condition fails. That is a union, and each of k conditions has its own chance to fail wrongly, so that it fails
only at the level 1 - (1 - level) / k (Bonferroni). A verdict on a whole study is one of the k, and what it asks shares
its part of the error. The interval shown has one end of each kind: the end that could meet the condition at the gate's
level, the end that could fail it at the wider one; where the units are too few for the wider one, that end is infinite.
Each end spends half of its error, as everywhere in netversus: at 95 % a gate passes wrongly at most 1 time in 40, and
fails wrongly at most 1 time in 40.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf
from time import perf_counter

from netversus.analyse import compare_at
from netversus.decide.conditions import Condition, Measured, OfStudy
from netversus.decide.levels import level_of
from netversus.decide.subject import Subject
from netversus.decide.verdicts import PASS, VERDICTS
from netversus.errors import (
    EXIT_GATE_FAILED,
    EXIT_INCOMPLETE,
    EXIT_OK,
    EXIT_UNDECIDED,
    PairingError,
)
from netversus.evidence import StudyEvidence
from netversus.messages import in_a_row, say, template, told
from netversus.records import Cell, ContenderCard, Done, Failed, Outcome, Question, Scale, Skipped
from netversus.statistics.comparison import TOO_FEW, Comparison
from netversus.statistics.permutation import units_needed

ONE_SIDED = template("the interval is on one side, but the test that goes with it does not reject")


class State(StrEnum):
    """What a condition came to, or a whole gate."""

    MET = "met"
    FAILED = "failed"
    UNDECIDED = "undecided"
    MISSING = "not measured"


EXIT_CODES = {
    State.MET: EXIT_OK,
    State.FAILED: EXIT_GATE_FAILED,
    State.MISSING: EXIT_INCOMPLETE,
    State.UNDECIDED: EXIT_UNDECIDED,
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One condition and what it came to.

    `estimate` is the number that the condition speaks of, in the metric's stored unit or as a ratio, `low` and `high`
    its interval (the meeting end at the gate's level, the failing end at the wider one, infinite where too few units
    bound it there); None where there are none.
    `reason` says why it is undecided or not measured, or what a study's verdict rests on, in the language in force.
    `seconds` is how long judging took.
    """

    condition: Condition
    state: State
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    method: str = ""
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """All conditions of a gate, judged. `failing_level` is the level at which a single condition fails. `baseline` is
    empty where nothing is asked about a difference: a security test."""

    run: str
    candidate: str
    baseline: str
    level: float
    failing_level: float
    judged: tuple[Judged, ...]

    @property
    def title(self) -> str:
        """Whom it is about, in the language in force."""
        if not self.baseline:
            return say("security test of {contender}", contender=self.candidate)
        return say("{b} against {a}", a=self.baseline, b=self.candidate)

    @property
    def state(self) -> State:
        """The whole gate: a sure failure comes first, then what was not measured, then what cannot be told yet."""
        states = {each.state for each in self.judged}
        order = (State.FAILED, State.MISSING, State.UNDECIDED)
        return next((state for state in order if state in states), State.MET)

    @property
    def exit_code(self) -> int:
        """0 all met, 3 one failed, 5 one not measured, 4 one undecided."""
        return EXIT_CODES[self.state]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a condition's number at one level. `lone` is the p value against "no difference", None where
    no such test goes with the interval."""

    estimate: float
    low: float | None
    high: float | None
    n: int
    method: str
    p_value: float | None = None


def judge(
    subject: Subject, conditions: Sequence[Condition], evidence: Mapping[str, StudyEvidence] | None = None
) -> Gate:
    """Judge conditions on what a run has stored; several gates on one run can share its evidence, read once.

    Raises:
        OptionError: a verdict was asked of studies that the run does not hold.
    """
    chancy = sum(_chance_enters(condition) for condition in conditions)
    whole = subject.level if subject.failing_level is None else subject.failing_level
    failing = 1 - (1 - whole) / max(1, chancy)
    bench = _Bench(subject, failing, evidence_of(subject) if evidence is None else evidence)
    judged = tuple(_timed(bench, condition) for condition in conditions)
    return Gate(subject.store.name, subject.candidate, subject.baseline, subject.level, failing, judged)


def evidence_of(subject: Subject) -> dict[str, StudyEvidence]:
    """Each study's evidence, which is read when it is asked for, and once."""
    return {study: StudyEvidence(subject.store, subject.plan, study) for study in subject.plan.questions}


def _chance_enters(condition: Condition) -> bool:
    return isinstance(condition, OfStudy) or condition.question.scale is not Scale.FACT


def _timed(bench: _Bench, condition: Condition) -> Judged:
    begin = perf_counter()
    judged = bench.judged(condition)
    return replace(judged, seconds=perf_counter() - begin)


@dataclass(frozen=True)
class _Bench:
    """Where conditions are judged: a subject with its evidence by study."""

    subject: Subject
    failing: float
    evidence: Mapping[str, StudyEvidence]

    def judged(self, condition: Condition) -> Judged:
        """One condition."""
        if isinstance(condition, OfStudy):
            return self._of_study(condition)
        missing = self._missing(condition)
        if missing:
            return Judged(condition, State.MISSING, reason=missing)
        try:
            meeting = self._seen(condition, self.subject.level)
            failing = meeting if self.failing == self.subject.level else self._seen(condition, self.failing)
        except PairingError as error:
            return Judged(condition, State.MISSING, reason=str(error))
        if meeting is None or failing is None:
            return Judged(condition, State.MISSING, reason=say("nothing was observed that could be compared"))
        return _verdict(condition, meeting, failing, self.subject.level, self.failing)

    def _of_study(self, condition: OfStudy) -> Judged:
        """A study's verdict: what meets the condition is shown at the gate's level, what fails it at the wider one."""
        passing, failing = self.subject.level, self.failing
        if condition.word != PASS:
            passing, failing = failing, passing
        answer = VERDICTS[condition.study](replace(self.subject, level=passing, failing_level=failing))
        state = State.MET if answer.word == condition.word else State.FAILED if answer.word else State.UNDECIDED
        return Judged(condition, state, reason=answer.reason)

    def _missing(self, condition: Measured) -> str:
        """Why a condition's evidence is not whole: the first cell it rests on that did not end well."""
        needed = {self.subject.candidate}
        if condition.statistic != "value":
            needed.add(self.subject.baseline)
        cells = [c for c in self.subject.plan.cells if c.study == condition.study and needed & set(c.contenders)]
        said = (_unfinished(cell, self.subject.store.outcome(cell)) for cell in cells)
        return next((reason for reason in said if reason), "" if cells else say("it was not part of the plan"))

    def _seen(self, condition: Measured, level: float) -> _Seen | None:
        evidence, question = self.evidence[condition.study], condition.question
        if condition.statistic == "value":
            own = level_of(evidence, question, self.subject.candidate, level)
            return None if own is None else _Seen(own.value, own.low, own.high, own.n, own.method)
        old, new = self._card(self.subject.baseline), self._card(self.subject.candidate)
        compared = compare_at(self.subject.store, evidence, question, old, new, level)
        return None if compared is None else _of_pair(question, condition, compared, level)

    def _card(self, name: str) -> ContenderCard:
        return next(card for card in self.subject.plan.contenders if card.name == name)


def _unfinished(cell: Cell, outcome: Outcome | None) -> str:
    """Why a cell gives no whole evidence; empty where it does."""
    if isinstance(outcome, Done):
        return ""
    study, names = cell.study, in_a_row(cell.contenders)
    if isinstance(outcome, Failed):
        return say("{study} of {names} failed: {error}", study=study, names=names, error=outcome.error)
    if isinstance(outcome, Skipped):
        return say("{study} of {names} was not run: {why}", study=study, names=names, why=told(outcome.reason))
    return say("{study} of {names} has not ended: go on with netversus compare --resume", study=study, names=names)


def _of_pair(question: Question, condition: Measured, compared: Comparison, level: float) -> _Seen:
    """What a comparison says of a difference or a ratio."""
    if question.scale is Scale.FACT:
        return _of_fact(condition, compared)
    effect = compared.effect
    if effect is None:
        gap = compared.value_b - compared.value_a
        estimate = compared.value_b / compared.value_a if condition.statistic == "ratio" else gap
        return _Seen(estimate, None, None, compared.n, compared.method)
    if compared.e_value is None and compared.n < units_needed(1 - level):
        return _Seen(effect.estimate, None, None, compared.n, TOO_FEW)
    return _Seen(effect.estimate, effect.low, effect.high, compared.n, compared.method, compared.p_value)


def _of_fact(condition: Measured, compared: Comparison) -> _Seen:
    """A counted number is its own interval."""
    if condition.statistic == "delta":
        number = compared.value_b - compared.value_a
    elif compared.value_a:
        number = compared.value_b / compared.value_a
    else:
        raise PairingError(f"there is no ratio to the baseline's {condition.question.metric}, which is 0")
    return _Seen(number, number, number, 1, "counted")


def _verdict(condition: Measured, meeting: _Seen, failing: _Seen, level: float, failing_level: float) -> Judged:
    """From the two intervals to a state."""
    judged = Judged(condition, State.UNDECIDED, meeting.estimate, n=meeting.n, method=meeting.method)
    near, far = (meeting.low, failing.high) if condition.wants_more else (meeting.high, failing.low)
    if near is None or (far is None and not condition.holds(near)):
        return replace(judged, reason=_why_none(meeting))
    if far is None:  # so few could fail nothing: the end lies beyond any threshold
        far = inf if condition.wants_more else 0.0 if condition.statistic == "ratio" else -inf
    low, high = (near, far) if condition.wants_more else (far, near)
    judged = replace(judged, low=low, high=high)
    state = State.MET if condition.holds(near) else State.UNDECIDED if condition.holds(far) else State.FAILED
    seen, spent = (failing, failing_level) if state is State.FAILED else (meeting, level)
    if state is not State.UNDECIDED and not _test_agrees(condition, state, seen, spent):
        return replace(judged, reason=say(ONE_SIDED))
    reason = say("the threshold lies within the interval") if state is State.UNDECIDED else ""
    return replace(judged, state=state, reason=reason)


def _why_none(seen: _Seen) -> str:
    """Why there is no interval: what the method says, else that the units were too few for it."""
    if seen.method.startswith("none: ") and seen.method != TOO_FEW:
        return told(seen.method)
    return say("{n} units are too few for an interval at this level", n=seen.n)


def _test_agrees(condition: Measured, state: State, seen: _Seen, level: float) -> bool:
    """Where a state says more than "there is a difference", the test of no difference has to reject as well: with few
    units an interval alone is too sure of itself, and the run's own verdicts ask for both."""
    if seen.p_value is None or condition.statistic == "value":
        return True
    nothing = 1.0 if condition.statistic == "ratio" else 0.0
    upward = condition.wants_more == (state is State.MET)
    claims_a_difference = condition.threshold >= nothing if upward else condition.threshold <= nothing
    return not claims_a_difference or seen.p_value <= 1 - level
