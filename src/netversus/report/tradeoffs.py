"""Quality against cost: where each contender stands on two questions at once, and who is beaten on both.

A contender is off the front where another is, by the verdicts, better on one of the two questions and no worse than
practically the same on the other. What could not be told beats nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netversus.exhibits import Table
from netversus.messages import in_a_row, say, template
from netversus.quantities import amount
from netversus.records import Direction, Finding, Question, Role, Scale, Verdict
from netversus.report.scorecard import is_refused
from netversus.report.view import ReportView, Section
from netversus.wording import winner

MOST_PLOTS = 4
_NAMES = {"top1": template("top-1"), "top5": template("top-5"), "macs": template("multiply-adds")}
_COSTS = {"s", "bytes", "parameters", "MACs", "J"}


@dataclass(frozen=True, slots=True)
class Level:
    """A contender's value on one question. `low` and `high` are where it lies if the reference's value is taken as it
    is: the ends of the interval of the difference, laid at the reference; None for the reference itself, for facts, and
    where there is no interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """One contender in the plane; `front` tells whether no other beats it."""

    name: str
    cost: Level
    quality: Level
    front: bool


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Two questions, and the contenders that have a value on both. `reference` is the contender that the intervals
    are laid at; `left_out` names those that lack a value."""

    cost: Question
    quality: Question
    points: tuple[Point, ...]
    reference: str
    left_out: tuple[str, ...]

    @property
    def title(self) -> str:
        """What is shown against what."""
        return say("{quality} against {cost}", quality=_name(self.quality), cost=_name(self.cost))

    @property
    def description(self) -> str:
        """Who is on the front, for those who do not see it."""
        on = [point.name for point in self.points if point.front]
        beaten = [point.name for point in self.points if not point.front]
        if not beaten:
            return say("No contender beats another on both: the choice is one of priorities.")
        return say(
            "On the front, beaten by no other on both: {front}. Beaten: {beaten}.",
            front=in_a_row(on),
            beaten=in_a_row(beaten),
        )


def trade_offs(view: ReportView) -> tuple[TradeOff, ...]:
    """The first primary question against the costs that were measured: one a study and unit, facts last."""
    primary = next(((s, q) for s in view.sections for q in s.questions if q.role is Role.PRIMARY), None)
    if primary is None or primary[1].direction is Direction.NEITHER or primary[1].scale is Scale.FACT:
        return ()
    plots = [_trade_off(view, *primary, *cost) for cost in _costs(view, primary[0])]
    return tuple(plot for plot in plots if plot is not None)[:MOST_PLOTS]


def _costs(view: ReportView, but: Section) -> list[tuple[Section, Question]]:
    """The first question about a cost of each study and unit; what was measured before what is counted."""
    first: dict[tuple[str, str], tuple[Section, Question]] = {}
    for section in view.sections:
        for question in section.questions:
            costs = question.direction is Direction.LOWER and question.unit in _COSTS
            if costs and section is not but:
                first.setdefault((section.name, question.unit), (section, question))
    return sorted(first.values(), key=lambda cost: (cost[1].scale is Scale.FACT, cost[0].name != "speed"))


def _trade_off(
    view: ReportView, of_quality: Section, quality: Question, of_cost: Section, cost: Question
) -> TradeOff | None:
    names = [card.name for card in view.contenders]
    good, dear = _whole(of_quality, quality), _whole(of_cost, cost)
    both = [name for name in names if name in _values(good) and name in _values(dear)]
    if len(both) < 2:
        return None
    reference = view.baseline if view.baseline in both else both[0]
    points = tuple(
        Point(name, _level(dear, name, reference), _level(good, name, reference), _unbeaten(name, both, good, dear))
        for name in both
    )
    return TradeOff(cost, quality, points, reference, tuple(name for name in names if name not in both))


def _whole(section: Section, question: Question) -> list[Finding]:
    found = [f for f in section.findings if f.metric == question.metric and not f.slice]
    return [f for f in found if not is_refused(f)]


def _values(findings: Sequence[Finding]) -> dict[str, float]:
    sides = [side for f in findings for side in ((f.a, f.value_a), (f.b, f.value_b))]
    return {name: value for name, value in sides if value is not None}


def _level(findings: Sequence[Finding], name: str, reference: str) -> Level:
    value = _values(findings)[name]
    for f in findings:
        if f.effect is None or {f.a, f.b} != {name, reference} or name == reference:
            continue
        base, low, high = _values(findings)[reference], f.effect.low, f.effect.high
        if f.scale is Scale.RATIO:
            ends = (base * low, base * high) if f.b == name else (base / high, base / low)
        else:
            ends = (base + low, base + high) if f.b == name else (base - high, base - low)
        return Level(value, *ends)
    return Level(value)


def _unbeaten(name: str, names: Sequence[str], good: Sequence[Finding], dear: Sequence[Finding]) -> bool:
    return not any(_beats(other, name, good, dear) for other in names if other != name)


def _beats(one: str, other: str, good: Sequence[Finding], dear: Sequence[Finding]) -> bool:
    """Whether `one` is better on one of the two questions, and better or practically the same on the other."""
    stand = [_stands(findings, one, other) for findings in (good, dear)]
    return "better" in stand and set(stand) <= {"better", "same"}


def _stands(findings: Sequence[Finding], one: str, other: str) -> str:
    found = next((f for f in findings if {f.a, f.b} == {one, other}), None)
    if found is None:
        return ""
    if found.verdict is Verdict.EQUIVALENT:
        return "same"
    best = winner(found)
    return "" if best is None else "better" if best == one else "worse"


def table_of(plot: TradeOff) -> Table:
    """The numbers of a plot."""
    return Table(
        title=plot.title,
        columns=(
            say("contender"),
            say("{name} ({direction})", name=_name(plot.quality), direction=_better(plot.quality)),
            say("{name} ({direction})", name=_name(plot.cost), direction=_better(plot.cost)),
            say("on the front"),
        ),
        rows=tuple(_row(plot, point) for point in plot.points),
    )


def whiskers_text(reference: str) -> str:
    """What the whiskers of a plot are."""
    return say(
        "Whiskers: the interval of the difference to {reference}, laid at its value; {reference} has none of its own.",
        reference=reference,
    )


def left_out_text(plot: TradeOff) -> str:
    """Who is not shown; empty where all are."""
    if not plot.left_out:
        return ""
    return say("Without a value on both, and not shown: {names}.", names=in_a_row(plot.left_out))


def _row(plot: TradeOff, point: Point) -> tuple[str, ...]:
    front = say("yes") if point.front else say("no")
    return (point.name, _said(point.quality, plot.quality), _said(point.cost, plot.cost), front)


def _said(level: Level, question: Question) -> str:
    value = amount(level.value, question.unit)
    if level.low is None or level.high is None:
        return value
    return f"{value} [{amount(level.low, question.unit)}, {amount(level.high, question.unit)}]"


def _name(question: Question) -> str:
    return say(_NAMES.get(question.metric, question.metric.replace("_", " ")))


def _better(question: Question) -> str:
    return say("higher is better") if question.direction is Direction.HIGHER else say("lower is better")


def label(question: Question, unit: str) -> str:
    """The words at an axis."""
    if not unit:
        return say("{name}, {direction}", name=_name(question), direction=_better(question))
    return say("{name} ({unit}), {direction}", name=_name(question), unit=unit, direction=_better(question))
