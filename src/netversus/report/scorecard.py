"""The score card: a row a question, also for what was not run; how each part of a row is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from netversus.messages import clauses, say, template
from netversus.quantities import (
    amount,
    counted,
    difference,
    effect_text,
    interval_text,
    margin_text,
    times,
)
from netversus.records import Done, Failed, Finding, Outcome, Question, Role, Scale, Skipped, Verdict
from netversus.report.view import ReportView, Section
from netversus.wording import further, winner

NOTHING = "–"
_STATUS = {
    "failed": template("failed"),
    "skipped": template("not run"),
    "unfinished": template("unfinished"),
    "no data": template("no data"),
}
_KINDS = {
    Verdict.A_BETTER: "better",
    Verdict.B_BETTER: "better",
    Verdict.EQUIVALENT: "equivalent",
    Verdict.UNDECIDED: "undecided",
    Verdict.DESCRIBED: "described",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One question about one pair of contenders. Without a finding, `reason` says why there is none."""

    study: str
    question: Question
    finding: Finding | None
    status: str = ""  # "failed", "skipped", "unfinished" or "no data", where there is no finding
    reason: str = ""

    @property
    def kind(self) -> str:
        """What the row came to: "better", "equivalent", "undecided", "described", "refused", or its `status`."""
        if self.finding is None:
            return self.status
        return "refused" if is_refused(self.finding) else _KINDS[self.finding.verdict]

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        return verdict_text(self.finding) if self.finding else say(_STATUS[self.status])

    @property
    def note(self) -> str:
        """What belongs under the verdict: how many more units would decide, or why there is no verdict."""
        if self.finding is None:
            return self.reason
        return further_text(self.finding)


@dataclass(frozen=True, slots=True)
class Grid:
    """Several contenders against each other on the primary question; a cell speaks for the contender of its row.

    `rows` holds a line a contender, with a (kind, words) pair for each contender in turn.
    """

    question: Question
    names: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """Two contenders, question by question, under the studies that asked."""

    a: str
    b: str
    studies: tuple[tuple[Section, tuple[Row, ...]], ...]


def score_cards(view: ReportView) -> tuple[ScoreCard, ...]:
    """One card a pair of contenders, in the order of the request; the study with the primary question first."""
    sections = sorted(view.sections, key=lambda s: all(q.role is not Role.PRIMARY for q in s.questions))
    return tuple(ScoreCard(a, b, tuple((s, tuple(_rows(s, a, b))) for s in sections)) for a, b in _pairs(view))


def _pairs(view: ReportView) -> Iterator[tuple[str, str]]:
    names = [card.name for card in view.contenders]
    if view.baseline not in names:
        yield from combinations(names, 2)
        return
    for name in names:
        if name != view.baseline:
            yield view.baseline, name


def primary_grid(view: ReportView) -> Grid | None:
    """Who beats whom on the first primary question; None for two contenders, whose card says it."""
    primary = [(s, q) for s in view.sections for q in s.questions if q.role is Role.PRIMARY]
    if len(view.contenders) < 3 or not primary:
        return None
    section, question = primary[0]
    found = {(f.a, f.b): f for f in section.findings if f.metric == question.metric and not f.slice}
    names = tuple(card.name for card in view.contenders)
    rows = tuple(tuple(_grid_cell(found.get((n, m)) or found.get((m, n)), n) for m in names) for n in names)
    return Grid(question, names, rows)


def _grid_cell(finding: Finding | None, name: str) -> tuple[str, str]:
    """A finding as the contender `name` sees it."""
    if finding is None:
        return "nothing", NOTHING
    best = None if is_refused(finding) else winner(finding)
    if best is not None:
        return ("better", say("better")) if best == name else ("worse", say("worse"))
    kind = "refused" if is_refused(finding) else _KINDS[finding.verdict]
    return kind, verdict_text(finding)


def _rows(section: Section, a: str, b: str) -> Iterator[Row]:
    found = {f.metric: f for f in section.findings if (f.a, f.b) == (a, b) and not f.slice}
    for question in sorted(section.questions, key=lambda q: q.role is not Role.PRIMARY):
        finding = found.get(question.metric)
        status, reason = ("", "") if finding else _why_not(section, a, b)
        yield Row(section.name, question, finding, status, reason)


def _why_not(section: Section, a: str, b: str) -> tuple[str, str]:
    """Why a pair has no finding: the first of its cells that did not end well."""
    ended: list[Outcome | None] = [o for cell, o in section.cells if {a, b} & set(cell.contenders)]
    for outcome in ended:
        if isinstance(outcome, Failed):
            return "failed", outcome.error
        if isinstance(outcome, Skipped):
            return "skipped", outcome.reason
    if not ended:
        return "skipped", say("it was not part of the plan")
    if all(isinstance(outcome, Done) for outcome in ended):
        return "no data", say("nothing was observed that could be compared")
    return "unfinished", say("the run has not come to it yet")


def is_refused(finding: Finding) -> bool:
    """Whether the two could not be paired, so that there is nothing to judge."""
    return finding.value_a is None or finding.value_b is None


def verdict_text(finding: Finding) -> str:
    """The verdict in a word or two, naming the better contender."""
    if is_refused(finding):
        return say("no comparison")
    best = winner(finding)
    if best is not None:
        return say("{name} better", name=best)
    if finding.verdict is Verdict.EQUIVALENT:
        return say("the same") if finding.scale is Scale.FACT else say("practically the same")
    return say("undecided") if finding.verdict is Verdict.UNDECIDED else say("not judged")


def further_text(finding: Finding) -> str:
    """About how many more units would decide, or why two contenders could not be compared."""
    if is_refused(finding):
        return clauses(finding.caveats)
    more = further(finding)
    return "" if more is None else say("about {n} more {units}", n=more[0], units=more[1])


def difference_text(finding: Finding) -> str:
    """B against A: a ratio where ratios are meant, else a difference."""
    a, b = finding.value_a, finding.value_b
    if finding.effect is not None:
        return effect_text(finding.effect, finding.scale, finding.unit)
    if a is None or b is None:
        return NOTHING
    if finding.scale in (Scale.FACT, Scale.RATIO) and finding.unit != "%" and a > 0 and b > 0:
        return times(b / a)
    return difference(b - a, finding.unit)


def finding_interval(finding: Finding) -> str:
    """The interval, or a dash where there is none."""
    return interval_text(finding.effect, finding.scale, finding.unit) if finding.effect else NOTHING


def finding_margin(finding: Finding) -> str:
    """The practical margin, or a dash where none was named."""
    return f"± {margin_text(finding.margin, finding.scale, finding.unit)}" if finding.margin else NOTHING


def sample_text(finding: Finding) -> str:
    """On how many paired units the finding rests."""
    if finding.scale is Scale.FACT:
        return say("exact")
    if finding.available is not None:
        return say("{n} of {all}", n=f"{finding.n:,}", all=counted(finding.available, finding.paired_on))
    return counted(finding.n, finding.paired_on)


def level_texts(finding: Finding) -> tuple[str, str]:
    """A's and B's own values."""
    return amount(finding.value_a, finding.unit), amount(finding.value_b, finding.unit)
