"""The pre-deployment test: whether a contender stands up to each threat, from what a run has stored.

A threat is passed or failed where the interval shows it, as a gate's conditions are (`gate`): passing is an
intersection-union test at the run's own level, failing shares the error rate among the threats asked. Each contender's
test is a question of its own. In between it is undecided, and so is a contender of whom a threat was not tested: what
nobody looked at is never a pass. A pass that rests on an attack needs the whole attack (`strength`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from netversus.decide import strength
from netversus.decide.gate import Gate, Judged, State, evidence_of, judge
from netversus.decide.subject import Answer, Subject
from netversus.decide.threats import STUDIES, Asked, Rule, asked_of
from netversus.errors import EXIT_GATE_FAILED, EXIT_INCOMPLETE, EXIT_OK, EXIT_UNDECIDED, OptionError
from netversus.evidence import StudyEvidence
from netversus.messages import in_a_row, say
from netversus.plan import Plan
from netversus.records import Cell, Done, Failed, Outcome, Skipped
from netversus.store import RunStore

NO_THRESHOLDS: Mapping[str, str] = MappingProxyType({})


class Standing(StrEnum):
    """How a contender stands to a threat; the first three are also what the whole test comes to."""

    PASS = "pass"  # noqa: S105 (a verdict, no password)
    FAIL = "fail"
    UNDECIDED = "undecided"
    UNTESTED = "not tested"
    ACCEPTED = "accepted untested"


class Cause(StrEnum):
    """Why a standing is not a plain pass or fail."""

    NONE = ""
    ABSENT = "its study is not in the run"
    SKIPPED = "its study does not fit the contender or the data"
    FAILED = "its study ended in an error"
    UNFINISHED = "its study has not ended"
    EMPTY = "nothing was observed"
    FEW = "too few units for an interval"
    WITHIN = "the threshold lies within the interval"
    UNREAD = "something could not be looked into"
    SHORT = "the attack was shorter than the standard one"
    DOUBTED = "the attack shows signs of having failed"


BROKEN = frozenset({Cause.FAILED, Cause.UNFINISHED})
"""What another attempt may mend."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How a contender stands to one threat. `details` belong to the cause: a stored reason, an error, what was short.
    `within` is the largest change that was tried, for evasion."""

    asked: Asked
    standing: Standing
    judged: Judged
    cause: Cause = Cause.NONE
    details: tuple[str, ...] = ()
    within: str = ""

    @property
    def name(self) -> str:
        """The threat's name, as in `threats.RULES`."""
        return self.asked.rule.name

    @property
    def study(self) -> str:
        """The study that asks about it."""
        return self.asked.rule.study


@dataclass(frozen=True, slots=True)
class SecurityVerdict:
    """One contender's test, threat by threat. `level` is that of passing, `failing_level` that of failing."""

    run: str
    contender: str
    level: float
    failing_level: float
    stands: tuple[Stand, ...]

    def of(self, *standings: Standing) -> tuple[Stand, ...]:
        """The threats to which it stands so."""
        return tuple(stand for stand in self.stands if stand.standing in standings)

    @property
    def standing(self) -> Standing:
        """The whole test: fail where a threat is failed, pass where each was passed or accepted (and one passed)."""
        if self.of(Standing.FAIL):
            return Standing.FAIL
        whole = not self.of(Standing.UNDECIDED, Standing.UNTESTED)
        return Standing.PASS if whole and self.of(Standing.PASS) else Standing.UNDECIDED

    @property
    def exit_code(self) -> int:
        """0 pass, 3 fail, 5 a study ended in an error or has not ended, 4 undecided."""
        if self.standing is Standing.UNDECIDED and any(stand.cause in BROKEN for stand in self.stands):
            return EXIT_INCOMPLETE
        codes = {Standing.PASS: EXIT_OK, Standing.FAIL: EXIT_GATE_FAILED}
        return codes.get(self.standing, EXIT_UNDECIDED)

    def as_gate(self) -> Gate:
        """The same as a judged gate, for its writers. What was accepted untested is no condition."""
        judged = tuple(stand.judged for stand in self.stands if stand.standing is not Standing.ACCEPTED)
        return Gate(self.run, self.contender, "", self.level, self.failing_level, judged)


def security(subject: Subject) -> Answer:
    """The answer to "security.verdict": the candidate's test.

    Raises:
        OptionError: no security study is in the run, or a threshold is none.
    """
    refuse_untested(subject.plan)
    verdict = security_verdict(subject)
    word = "" if verdict.standing is Standing.UNDECIDED else verdict.standing.value
    return Answer(word, in_a_row(f"{stand.name} {say(stand.standing.value)}" for stand in verdict.stands))


def refuse_untested(plan: Plan) -> None:
    """A run without any security study can say nothing.

    Raises:
        OptionError: none of them is in the run.
    """
    if not any(study in plan.questions for study in STUDIES):
        raise OptionError(
            f"the security verdict needs a security study, and this run holds {', '.join(plan.questions)}",
            hint=f"measure {', '.join(STUDIES)} with: netversus gate RUN --security --measure",
        )


def security_verdicts(
    store: RunStore, plan: Plan, level: float, thresholds: Mapping[str, str] = NO_THRESHOLDS
) -> tuple[SecurityVerdict, ...]:
    """Every contender's test; none where the run holds no security study.

    Raises:
        OptionError: a threshold is none.
    """
    if not any(study in plan.questions for study in STUDIES):
        return ()
    subjects = [Subject(store, plan, card.name, card.name, level, thresholds) for card in plan.contenders]
    evidence = evidence_of(subjects[0])
    return tuple(security_verdict(subject, evidence) for subject in subjects)


def security_verdict(subject: Subject, evidence: Mapping[str, StudyEvidence] | None = None) -> SecurityVerdict:
    """The candidate's test; contenders of one run can share its evidence, by study.

    Raises:
        OptionError: a threshold is none.
    """
    asked = asked_of(subject.plan, subject.thresholds)
    held = [each for each in asked if not each.accepted and _is_asked(subject.plan, each)]
    bench = _Bench(subject, evidence_of(subject) if evidence is None else evidence)
    gate = judge(subject, [each.condition for each in held], bench.evidence)
    judged = {each.rule.name: found for each, found in zip(held, gate.judged, strict=True)}
    stands = tuple(bench.stand(each, judged.get(each.rule.name)) for each in asked)
    return SecurityVerdict(subject.store.name, subject.candidate, subject.level, gate.failing_level, stands)


def _is_asked(plan: Plan, asked: Asked) -> bool:
    """Whether the run asks the question, as it was planned: a run of an older study may lack it."""
    metrics = {question.metric for question in plan.questions.get(asked.rule.study, ())}
    return asked.condition.question.metric in metrics


@dataclass(frozen=True)
class _Bench:
    """Where a contender stands: the subject with its evidence by study."""

    subject: Subject
    evidence: Mapping[str, StudyEvidence]

    def stand(self, asked: Asked, judged: Judged | None) -> Stand:
        """How it stands to one threat; `judged` is None where the run does not ask."""
        if asked.accepted:
            nothing = Judged(asked.condition, State.MISSING, reason=say(Standing.ACCEPTED.value))
            return Stand(asked, Standing.ACCEPTED, nothing)
        if judged is None:
            missing = Judged(asked.condition, State.MISSING, reason=say(Cause.ABSENT.value))
            return Stand(asked, Standing.UNTESTED, missing, Cause.ABSENT)
        standing, cause, details = self._come_to(asked.rule, judged)
        within = ""
        if asked.rule.study == "adversarial":
            within = strength.within(self.evidence["adversarial"], self.subject.candidate)
        return Stand(asked, standing, _as_it_stands(judged, standing, cause), cause, details, within)

    def _come_to(self, rule: Rule, judged: Judged) -> tuple[Standing, Cause, tuple[str, ...]]:
        """What a judged condition says of the threat."""
        if judged.state is State.MISSING:
            return (Standing.UNTESTED, *_missing(self.subject, rule.study))
        if judged.state is State.UNDECIDED:
            return Standing.UNDECIDED, Cause.FEW if judged.low is None else Cause.WITHIN, ()
        if judged.state is State.FAILED:
            return (Standing.FAIL, Cause.NONE, ()) if rule.refutes else (Standing.UNDECIDED, Cause.UNREAD, ())
        doubt = self._doubt(rule) if rule.attacked else None
        return (Standing.UNDECIDED, *doubt) if doubt else (Standing.PASS, Cause.NONE, ())

    def _doubt(self, rule: Rule) -> tuple[Cause, tuple[str, ...]] | None:
        """Why an attack that found little does not vouch for the contender."""
        short = strength.shortened(self.subject.store, self.subject.plan, rule.study)
        if short:
            return Cause.SHORT, short
        if rule.study != "adversarial":
            return None
        signs = strength.signs(self.evidence["adversarial"], self.subject.candidate)
        return (Cause.DOUBTED, (signs,)) if signs else None


def _missing(subject: Subject, study: str) -> tuple[Cause, tuple[str, ...]]:
    """Why a study in the plan says nothing of the contender: its first cell that did not end well."""
    cells = [cell for cell in subject.plan.cells if cell.study == study and subject.candidate in cell.contenders]
    causes = (_cause(cell, subject.store.outcome(cell)) for cell in cells)
    return next((found for found in causes if found), (Cause.EMPTY, ()))


def _cause(cell: Cell, outcome: Outcome | None) -> tuple[Cause, tuple[str, ...]] | None:
    if isinstance(outcome, Done):
        return None
    if isinstance(outcome, Failed):
        return Cause.FAILED, (outcome.error,)
    if isinstance(outcome, Skipped):
        return Cause.SKIPPED, (outcome.reason,)
    return (Cause.SKIPPED, (cell.blocked,)) if cell.blocked else (Cause.UNFINISHED, ())


def _as_it_stands(judged: Judged, standing: Standing, cause: Cause) -> Judged:
    """The judged condition, no better and no worse than the standing that came of it."""
    if standing is not Standing.UNDECIDED or judged.state is State.UNDECIDED:
        return judged
    return replace(judged, state=State.UNDECIDED, reason=say(cause.value))
