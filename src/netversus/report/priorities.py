"""The panel "your priorities": limits and weights, and the contender that fits them, computed anew as they change.

For whoever builds the page: put `priorities_html(view)` where the panel is to stand, inside a section with its heading,
and `priorities_script()` among the page's scripts, after the panel. The script is whole in itself, asks for nothing,
and fills in what `panel(view)` holds; the data stand in a `<script type="application/json">`, which no policy of
scripts concerns. Without JavaScript the panel shows the answer to the default priorities and its table. A view without
levels (`Section.levels`) gives a panel without limits; a view of which nothing can be weighed gives an empty string.

The browser comes to the same numbers as `netversus.decide` and says them in the same sentences; tests hold them side by
side.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import floor, log10
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from netversus.decide.axes import Axis, make_axes
from netversus.decide.choice import Field
from netversus.decide.draws import DRAWS, MOST
from netversus.decide.flips import Flip
from netversus.decide.front import Sure
from netversus.decide.priorities import Priorities, default_weights
from netversus.decide.recommend import Option, Recommendation, recommend
from netversus.messages import in_a_row, say, sentences
from netversus.quantities import MINUS, margin_text, unit_text
from netversus.records import Direction
from netversus.report.escape import legible, one_line
from netversus.report.view import ReportView

_STEPS = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "bytes": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "parameters": ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
    "MACs": ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")),
    "%": ((0.01, "%"),),
}
_LITERAL = re.compile(r"(\"[^\"\n]*\"|`[^`]*`)")
_BLANKS = re.compile(r" *([=+*/<>?:;,{}()&|-]) *")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a metric's numbers are shown: divided by `factor`, with `unit` behind; one unit for all contenders."""

    factor: float
    unit: str

    def text(self, number: float) -> str:
        """Three digits and the unit."""
        return f"{digits(number / self.factor)} {self.unit}".rstrip()

    def seen(self, number: float) -> str:
        """The same for readers alone: what is counted one by one is whole, and large numbers are parted."""
        if self.factor == 1.0 and self.unit != "%" and float(number).is_integer():
            return f"{number:,.0f} {self.unit}".replace("-", MINUS).rstrip()
        return self.text(number)


def shown(axis: Axis) -> Shown:
    """The unit in which an axis' levels are read best: the largest that leaves the largest of them above one."""
    unit = axis.question.unit
    size = max((abs(level.value) for level in axis.levels.values()), default=1.0)
    steps = _STEPS.get(unit, ((1.0, unit),))
    factor, name = next((step for step in steps if size >= step[0]), steps[-1])
    return Shown(factor, unit_text(name))


def digits(number: float) -> str:
    """A number with three digits, as the script writes it: 0.0823, 1.50, 20.3, 1480."""
    size = abs(number)
    places = 2 if size == 0 else min(6, max(0, 2 - floor(log10(size))))
    text = f"{number:.{places}f}"
    return MINUS + text[1:] if text.startswith("-") else text


def field_of_view(view: ReportView) -> Field:
    """What a view lets one choose from."""
    names = tuple(card.name for card in view.contenders)
    questions = {section.name: section.questions for section in view.sections}
    levels = [level for section in view.sections for level in section.levels]
    return Field(names, make_axes(questions, view.findings, levels, names), view.level)


def panel(view: ReportView) -> dict[str, Any]:
    """All that the template and the script need, as plain values; "axes" is empty where nothing can be weighed."""
    field = field_of_view(view)
    priorities = Priorities(default_weights(field.axes))
    found = recommend(field, priorities)
    return {
        "contenders": [one_line(name) for name in field.contenders],
        "reach": field.reach,
        "draws": DRAWS,
        "most": MOST,
        "axes": [_axis(axis, field, priorities) for axis in field.axes if axis.places or axis.levels],
        "words": words(),
        "answer": answer(priorities, found),
        "rows": [row(option) for option in found.options],
        "flips": [flip_text(field, flip) for flip in found.flips],
    }


def _axis(axis: Axis, field: Field, priorities: Priorities) -> dict[str, Any]:
    """An axis for the script: what is missing is null."""
    unit = shown(axis)
    names = field.contenders
    gains = [[axis.gains.get((here, there)) for there in names] for here in names]
    levels = [axis.levels.get(name) for name in names]
    return {
        "name": axis.name,
        "asks": axis.question.asks,
        "weighable": bool(axis.step) and len(axis.places) > 1,
        "step": _step_text(axis),
        "weight": priorities.weights.get(axis.name, 0.0),
        "slack": axis.slack,
        "places": [axis.places.get(name) for name in names],
        "spreads": [[gain and gain.spread for gain in row] for row in gains],
        "lows": [[gain and gain.low for gain in row] for row in gains],
        "levels": [None if each is None or each.low is None else [each.low, each.high] for each in levels],
        "atLeast": axis.question.direction is Direction.HIGHER,
        "factor": unit.factor,
        "unit": unit.unit,
        "seen": ["–" if each is None else unit.seen(each.value) for each in levels],
    }


def _step_text(axis: Axis) -> str:
    """What one step on an axis is."""
    if not axis.step:
        return ""
    if axis.step == "halving":
        higher = axis.question.direction is Direction.HIGHER
        return say("a doubling") if higher else say("a halving")
    return margin_text(axis.question.margin, axis.question.scale, axis.question.unit)


def words() -> dict[str, str]:
    """The sentences that the script fills in, in the language in force. English is the key."""
    return {
        "sure": say("Take {choice}."),
        "ahead": say("Cannot tell yet: {choice} is ahead."),
        "maybe": say("Cannot tell yet: {choice} is ahead, and whether it keeps the limits is not certain."),
        "none": say("No contender keeps the limits."),
        "nothing": say("Nothing can be said: give at least one question a weight."),
        "unjudged": say("Nothing can be said: no contender was measured on all that is asked."),
        "only": say("No other contender keeps the limits."),
        "lead": say("It is ahead of {other} by {gap} steps, between {low} and {high}."),
        "chance": say("It is the best with a probability of {chance} %."),
        "unmeasured": say("Not measured on all that is asked: {names}."),
        "weight below": say("With a weight of {axis} below {at} it would be {to}."),
        "weight above": say("With a weight of {axis} above {at} it would be {to}."),
        "limit below": say("With a limit on {axis} below {at} it would be {to}."),
        "limit above": say("With a limit on {axis} above {at} it would be {to}."),
        "nobody": say("no contender"),
        "between": say("{first} {second}", first="", second=""),
        "comma": say("{first}, {second}", first="", second=""),
        "percent": say("{number} %"),
        Sure.YES.value: say("surely"),
        Sure.PERHAPS.value: say("perhaps"),
        Sure.NO.value: say("no"),
        Sure.UNKNOWN.value: say("not measured"),
    }


def answer(priorities: Priorities, found: Recommendation) -> str:
    """The recommendation in words: what to take, how far ahead it is, how probably it is the best."""
    said = words()
    if not any(priorities.weights.values()):
        return said["nothing"]
    parts = [_first(said, found)]
    if found.choice is not None:
        parts += _reasons(said, found)
    if found.unmeasured and found.choice is not None:
        parts.append(said["unmeasured"].format(names=in_a_row(map(one_line, found.unmeasured))))
    return sentences(*parts)


def _first(said: Mapping[str, str], found: Recommendation) -> str:
    if found.choice is None:
        judged = any(option.fit is not Sure.UNKNOWN for option in found.options)
        return said["none"] if judged else said["unjudged"]
    chosen = next(option for option in found.options if option.contender == found.choice)
    key = "sure" if found.certain else "ahead" if chosen.fit is Sure.YES else "maybe"
    return said[key].format(choice=one_line(found.choice))


def _reasons(said: Mapping[str, str], found: Recommendation) -> list[str]:
    """The lead over the nearest rival, and the probability; or that there is no rival."""
    rivals = [o for o in found.options if o.fit in (Sure.YES, Sure.PERHAPS) and o.behind is not None]
    if not rivals:
        return [said["only"]]
    nearest = min(rivals, key=lambda option: option.behind[0] if option.behind else 0.0)
    assert nearest.behind is not None
    gap, low, high = (digits(end) for end in nearest.behind)
    chosen = next(option for option in found.options if option.contender == found.choice)
    return [
        said["lead"].format(other=one_line(nearest.contender), gap=gap, low=low, high=high),
        said["chance"].format(chance=percent(chosen.chance)),
    ]


def percent(chance: float | None) -> str:
    """A probability in whole percent, never 0 or 100 unless it is certain by the limits alone."""
    if chance is None:
        return "–"
    if chance in (0.0, 1.0):
        return f"{100 * chance:.0f}"
    return "> 99" if chance > 0.99 else "< 1" if chance < 0.01 else f"{floor(100 * chance + 0.5):d}"


def row(option: Option) -> list[str]:
    """A contender's line in the table: name, limits, how far behind, probability of being the best, front."""
    said = words()
    behind = "–" if option.behind is None else digits(option.behind[0])
    return [
        one_line(option.contender),
        said[option.fit.value],
        behind,
        said["percent"].format(number=percent(option.chance)) if option.chance is not None else "–",
        said[option.on_front.value],
    ]


def flip_text(field: Field, flip: Flip) -> str:
    """What one change would do."""
    said = words()
    axis = field.by_name[flip.axis]
    at = digits(flip.at) if flip.kind == "weight" else shown(axis).text(flip.at)
    to = said["nobody"] if flip.to is None else one_line(flip.to)
    return said[f"{flip.kind} {flip.side}"].format(axis=flip.axis, at=at, to=to)


def priorities_html(view: ReportView) -> Markup:
    """The panel, ready to stand in the page; empty where nothing can be weighed."""
    model = panel(view)
    if not any(axis["weighable"] for axis in model["axes"]):
        return Markup()
    data = {key: value for key, value in model.items() if key not in ("answer", "rows", "flips")}
    template = _environment().get_template("priorities.html.jinja")
    return Markup(template.render(panel=model, data=_as_block(data), say=say))  # noqa: S704 -- escaped by the template


def priorities_script() -> str:
    """The script that makes the panel live, without its comments and without blanks that mean nothing."""
    environment = _environment()
    assert environment.loader is not None
    lines = (line.strip() for line in environment.loader.get_source(environment, "priorities.js")[0].splitlines())
    source = "\n".join(line for line in lines if line and not line.startswith("//"))
    parts = _LITERAL.split(source)  # every second part is a string, which stays as it is
    return "".join(part if i % 2 else _BLANKS.sub(r"\1", part) for i, part in enumerate(parts))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("netversus.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda each: legible(each) if isinstance(each, str) and not isinstance(each, Markup) else each,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _as_block(data: Mapping[str, Any]) -> Markup:
    """JSON that cannot end the script element that it stands in."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 -- made safe above


__all__: Sequence[str] = ("field_of_view", "panel", "priorities_html", "priorities_script")
