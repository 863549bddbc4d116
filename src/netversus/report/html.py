"""The report as one HTML file: no script, no remote request, pictures inline; light, dark, on paper and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from netversus.exhibits import Chart, Diagram, Exhibit, Table, Text
from netversus.records import Cell, Done, Finding, Outcome, Scale, Verdict
from netversus.report import scorecard, trust
from netversus.report.escape import legible, one_line
from netversus.report.prose import prose
from netversus.report.scorecard import is_refused
from netversus.report.svg import (
    Identity,
    draw_chart,
    draw_diagram,
    draw_hatches,
    draw_interval,
    draw_marker,
    drawn_part,
)
from netversus.report.svg.element import text_width
from netversus.report.tables import MOST_ROWS, TextTable, chart_text, diagram_text, table_text
from netversus.report.view import ReportView, Section
from netversus.wording import winner

_WIDTHS = {"wide": 680.0, "narrow": 330.0}  # px; each picture is drawn for both, the style shows the one that fits
_BESIDE = 368.0  # px that are left beside a picture
_MOST_BESIDE = 14  # rows of a table beside a picture
_CELL_PADDING = 13.0
_WHOLE = 12  # characters of a name that is not wrapped
_SIGNS = {
    "better": "▲",
    "worse": "▼",
    "nothing": "",
    "equivalent": "=",
    "undecided": "?",
    "described": "·",
    "refused": "∅",
    "failed": "✕",
    "skipped": "–",
    "no data": "–",
    "unfinished": "…",
}


@dataclass(frozen=True, slots=True)
class _Figure:
    """An exhibit ready to be placed: words, pictures by name of their width, the table of its numbers."""

    title: str = ""
    words: str = ""
    pictures: Mapping[str, Markup] | None = None
    table: TextTable | None = None
    note: str = ""

    @property
    def beside(self) -> bool:
        """Whether the table is small enough to stand, open, beside the picture on a wide screen."""
        return self.table is not None and len(self.table.rows) <= _MOST_BESIDE and _table_width(self.table) <= _BESIDE


def render(view: ReportView) -> str:
    """The whole page."""
    names = [card.name for card in view.contenders]
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            view=view,
            style=Markup(_source("style.css")),  # noqa: S704 -- our own file
            hatches=draw_hatches(),
            cards=scorecard.score_cards(view),
            grid=scorecard.primary_grid(view),
            figures={
                s.name: [_figure(e, names, f"s{i}-{j}") for j, e in enumerate(s.exhibits)] for i, s in _numbered(view)
            },
            anchors={s.name: f"study-{i}" for i, s in _numbered(view)},
            who=_by_name(names),
            interval=_interval(names),
            unfinished=trust.unfinished(view),
        )
    )


def _numbered(view: ReportView) -> Sequence[tuple[int, Section]]:
    return list(enumerate(view.sections, start=1))


@cache
def _environment() -> Environment:
    """Strict: a name that a template misspells is an error. All text is made visible, then escaped."""
    environment = Environment(
        loader=PackageLoader("netversus.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "name": one_line,
        "breakable": _breakable,
        "prose": prose,
        "when": trust.when,
        "outcome": trust.outcome_text,
        "sign": _sign,
        "finding_sign": _finding_sign,
        "command": _command,
        "unbroken": _unbroken,
        "verdict_first": _verdict_first,
    }
    environment.globals |= {
        "card": scorecard,
        "trust": trust,
        "facts": _facts,
        "judged": _judged,
        "slices": _slices,
        "shared": _shared,
        "loose_ends": _loose_ends,
        "is_refused": is_refused,
        "signs": _SIGNS,
        "winner": winner,
        "most_rows": MOST_ROWS,
    }
    return environment


def _source(name: str) -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), name)[0]


def _visible(value: Any) -> Any:
    """What is written into the page: marks that hide or reorder text are shown as escapes."""
    return legible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _unbroken(sentence: str) -> str:
    """A sentence of ours in which no line ends between a number and its %."""
    return re.sub(r"(?<=\d) (?=%)", "\u00a0", sentence)


def _parts(name: str) -> list[str]:
    """A name in parts, between which it may be wrapped; a short one is whole."""
    shown = one_line(name)
    return re.split(r"(?=[@:/?&])|(?<=[._-])", shown) if len(shown) > _WHOLE else [shown]


def _breakable(name: str) -> Markup:
    """A name that is wrapped where its parts begin, not in the middle of one."""
    return Markup("<wbr>").join(_parts(name))


def _command(command: str) -> Markup:
    """A command that is wrapped between its words only; the text is the same."""
    return Markup(" ").join(
        Markup('<span class="word">{}</span>').format(word) for word in one_line(command).split(" ")
    )


def _verdict_first(headline: str) -> Markup:
    """The headline with its advice strong, and less weight on what follows the colon."""
    advice, colon, rest = _unbroken(legible(headline)).partition(": ")
    return Markup("{}{}<span class='rest'>{}</span>").format(advice, colon, rest) if colon else escape(advice)


def _by_name(names: Sequence[str]) -> Callable[[str], Markup]:
    """A contender's name behind its marker, which stays with the first part of it."""
    looks = {name: draw_marker(number) for number, name in enumerate(names)}

    def who(name: str) -> Markup:
        first, *rest = _parts(name)
        lead = Markup('<span class="lead">{}{}</span>').format(looks[name], first)
        return Markup('<span class="contender">{}</span>').format(Markup("<wbr>").join([lead, *rest]))

    return who


def _interval(names: Sequence[str]) -> Callable[[Finding], Markup]:
    looks = {name: Identity(number) for number, name in enumerate(names)}
    return lambda finding: draw_interval(finding, (looks[finding.a], looks[finding.b]))


def _figure(exhibit: Exhibit, names: Sequence[str], key: str) -> _Figure:
    """An exhibit as words, pictures and a table; `key` makes the pictures' ids unique in the page."""
    if isinstance(exhibit, Text):
        return _Figure(words=exhibit.text)
    if isinstance(exhibit, Table):
        return _Figure(exhibit.title, table=table_text(exhibit), note=exhibit.note)
    draw = _drawer(exhibit, names)
    pictures = {name: draw(width, f"{key}-{name}") for name, width in _WIDTHS.items()}
    if isinstance(exhibit, Chart):
        return _Figure(exhibit.title, exhibit.description, pictures, chart_text(exhibit), drawn_part(exhibit))
    return _Figure(exhibit.title, exhibit.description, pictures, diagram_text(exhibit))


def _table_width(table: TextTable) -> float:
    """About how wide a table is, in px; a heading may be wrapped between the parts of its words."""
    cells = [[row[i] for row in table.rows] for i in range(len(table.columns))]
    heads = [[part for word in column.split() for part in _parts(word)] for column in table.columns]
    return sum(
        max(map(_text_width, [*head, *column]), default=0.0) + _CELL_PADDING
        for head, column in zip(heads, cells, strict=True)
    )


def _text_width(text: str) -> float:
    return text_width(text, 14.0)


def _drawer(exhibit: Chart | Diagram, names: Sequence[str]) -> Callable[[float, str], Markup]:
    if isinstance(exhibit, Chart):
        return lambda width, key: draw_chart(exhibit, width=width, contenders=names, key=key)
    return lambda width, key: draw_diagram(exhibit, width=width, contenders=names, key=key)


def _sign(row: scorecard.Row) -> str:
    """A sign for a verdict, so that it never rests on colour alone: an arrow points to the better contender's side."""
    return _finding_sign(row.finding) if row.finding else _SIGNS[row.kind]


def _finding_sign(finding: Finding) -> str:
    if is_refused(finding):
        return _SIGNS["refused"]
    arrows = {Verdict.A_BETTER: "◀", Verdict.B_BETTER: "▶"}
    return arrows.get(finding.verdict) or _SIGNS[finding.verdict.value]


def _facts(section: Section) -> list[Finding]:
    """Findings that a line can say: facts, and what is described only."""
    return [f for f in section.findings if not f.slice and _is_fact(f)]


def _judged(section: Section) -> list[Finding]:
    return [f for f in section.findings if not f.slice and not _is_fact(f)]


def _is_fact(finding: Finding) -> bool:
    return not is_refused(finding) and (finding.scale is Scale.FACT or finding.verdict is Verdict.DESCRIBED)


def _slices(section: Section) -> list[Finding]:
    return [f for f in section.findings if f.slice]


def _shared(section: Section) -> list[str]:
    """The caveats that every judged finding of a section carries: they are said once."""
    found = [f.caveats for f in _judged(section) if not is_refused(f)]
    return [caveat for caveat in found[0] if all(caveat in each for each in found)] if len(found) > 1 else []


def _loose_ends(section: Section) -> list[tuple[Cell, Outcome | None]]:
    """The section's cells that were not measured whole."""
    return [(cell, outcome) for cell, outcome in section.cells if not isinstance(outcome, Done)]
