"""The report as one HTML file: no remote request, pictures inline; light, dark, on paper and on a phone.

Its scripts are ours alone: the policy names each by its digest. Without them everything is shown, and nothing moves.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from netversus.exhibits import Chart, Diagram, Exhibit, Gallery, Heatmap, Table, Text
from netversus.messages import in_a_row, language, say, sentences
from netversus.records import Cell, Done, Finding, Outcome, Scale, Verdict
from netversus.report import gallery, scorecard, trust
from netversus.report.chapters import Chapter, chapters
from netversus.report.downloads import downloads
from netversus.report.escape import legible, one_line
from netversus.report.priorities import priorities_html, priorities_script
from netversus.report.prose import prose
from netversus.report.scorecard import is_refused
from netversus.report.sidecar import Sidecar
from netversus.report.svg import (
    Identity,
    draw_chart,
    draw_diagram,
    draw_hatches,
    draw_heatmap,
    draw_interval,
    draw_marker,
    drawn_part,
)
from netversus.report.svg.element import text_width
from netversus.report.svg.heatmap import left_out
from netversus.report.svg.overlay import KINDS as DASHES
from netversus.report.svg.tradeoff import draw_trade_off
from netversus.report.tables import MOST_ROWS, TextTable, chart_text, diagram_text, heatmap_text, table_text
from netversus.report.tradeoffs import TradeOff, left_out_text, table_of, trade_offs, whiskers_text
from netversus.report.view import ReportView, Section
from netversus.wording import winner

_WIDTHS = {"wide": 680.0, "narrow": 330.0}  # px; each picture is drawn for both, the style shows the one that fits
_HALF = 500.0  # px of a picture that stands beside another
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
    gallery: gallery.Shown | None = None
    folded: bool = False

    @property
    def beside(self) -> bool:
        """Whether the table is small enough to stand, open, beside the picture on a wide screen."""
        if self.folded or self.table is None:
            return False
        return len(self.table.rows) <= _MOST_BESIDE and _table_width(self.table) <= _BESIDE


def render(view: ReportView, sidecar: Sidecar | None = None) -> str:
    """The whole page. Its pictures are within, or collected by `sidecar` to lie beside it."""
    names = [card.name for card in view.contenders]
    address = sidecar.address if sidecar else gallery.data_address
    figures = {
        s.name: [_figure(e, names, f"s{i}-{j}", address) for j, e in enumerate(s.exhibits)] for i, s in _numbered(view)
    }
    provenance = list(trust.contender_rows(view.contenders))
    panel = priorities_html(view)
    scripts = [_source("report.js"), *([priorities_script()] if panel else [])]
    plots = trade_offs(view)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            view=view,
            language=language(),
            scripts=[Markup(script) for script in scripts],  # noqa: S704 -- our own files
            script_digests=[_digest(script) for script in scripts],
            style=Markup(_source("style.css")),  # noqa: S704 -- our own file
            hatches=draw_hatches(),
            cards=scorecard.score_cards(view),
            grid=scorecard.primary_grid(view),
            figures=figures,
            sidecar=sidecar,
            names=names,
            byline=_byline(view),
            plots=[_plot(plot, names, f"t{i}") for i, plot in enumerate(plots)],
            differing=[row for row in provenance if row.differs],
            shared_rows=[row for row in provenance if not row.differs],
            downloads=downloads(view),
            whiskers=[whiskers_text(name) for name in dict.fromkeys(plot.reference for plot in plots)],
            priorities=panel,
            chapters=[_told(chapter, names, address) for chapter in chapters(view)],
            anchors={s.name: f"study-{i}" for i, s in _numbered(view)},
            who=_by_name(names),
            interval=_interval(names),
            unfinished=trust.unfinished(view),
        )
    )


def _byline(view: ReportView) -> str:
    """The run in one line."""
    parts = [
        say("{level} % confidence", level=f"{100 * view.level:.4g}"),
        view.device,
        say("seed {seed}", seed=view.seed),
    ]
    if view.repeats > 1:
        parts.append(say("{n} training seeds", n=view.repeats))
    run = say("Run {run}, {when}.", run=one_line(view.run_id), when=trust.when(view.created))
    return sentences(run, say("{parts}.", parts=in_a_row(parts)))


def _plot(plot: TradeOff, names: Sequence[str], key: str) -> _Figure:
    """A trade-off ready to be placed; two stand side by side on a wide screen."""
    looks = [Identity(names.index(point.name)) for point in plot.points]
    widths = {"wide": _HALF, "narrow": _WIDTHS["narrow"]}
    pictures = {name: draw_trade_off(plot, looks, width, f"{key}-{name}") for name, width in widths.items()}
    return _Figure(plot.title, plot.description, pictures, table_text(table_of(plot)), left_out_text(plot), folded=True)


def _told(chapter: Chapter, names: Sequence[str], address: Callable[[bytes], str]) -> Mapping[str, Any]:
    """A chapter with its exhibits ready to be placed."""
    figures = [_figure(e, names, f"{chapter.anchor}-{i}", address) for i, e in enumerate(chapter.exhibits)]
    return {
        "anchor": chapter.anchor,
        "short": chapter.short,
        "title": chapter.title,
        "figures": figures,
        "open": chapter.open,
    }


def _digest(script: str) -> str:
    """What the policy calls a script: the digest of all that stands between its tags."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode('ascii')}'"


def _say(template: str, /, **values: object) -> str:
    """`say` for templates: a value that is markup stays markup, all else is escaped."""
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(say(template)).format(**values)
    return say(template, **values)


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
        "whole": _whole,
        "verdict_first": _verdict_first,
    }
    environment.globals |= {
        "card": scorecard,
        "dashes": DASHES,
        "kind_word": gallery.kind_word,
        "say": _say,
        "sign": _sign_alone,
        "in_a_row": in_a_row,
        "ending_word": trust.ending_word,
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


def _whole(sentence: str) -> Markup:
    """A sentence of ours in which no line ends within a name like top-1."""
    return Markup(re.sub(r"\b[a-z]+-\d+\b", r'<span class="word">\g<0></span>', str(escape(legible(sentence)))))  # noqa: S704 -- escaped


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
    advice, *rest = re.split(r"(?<=: )|(?<=：)", _unbroken(legible(headline)), maxsplit=1)
    return Markup("{}<span class='rest'>{}</span>").format(advice, rest[0]) if rest else escape(advice)


def _by_name(names: Sequence[str]) -> Callable[[str], Markup]:
    """A contender's name behind its marker, which stays with the first part of it."""
    looks = {name: draw_marker(number) for number, name in enumerate(names)}

    def who(name: str) -> Markup:
        if name not in looks:
            return _breakable(name)
        first, *rest = _parts(name)
        lead = Markup('<span class="lead">{}{}</span>').format(looks[name], first)
        return Markup('<span class="contender">{}</span>').format(Markup("<wbr>").join([lead, *rest]))

    return who


def _interval(names: Sequence[str]) -> Callable[[Finding], Markup]:
    looks = {name: Identity(number) for number, name in enumerate(names)}
    return lambda finding: draw_interval(finding, (looks[finding.a], looks[finding.b]))


def _figure(exhibit: Exhibit, names: Sequence[str], key: str, address: Callable[[bytes], str]) -> _Figure:
    """An exhibit as words, pictures and a table; `key` makes the pictures' ids unique in the page."""
    if isinstance(exhibit, Text):
        return _Figure(words=exhibit.text)
    if isinstance(exhibit, Table):
        return _Figure(exhibit.title, table=table_text(exhibit), note=exhibit.note)
    if isinstance(exhibit, Gallery):
        return _Figure(exhibit.title, gallery=gallery.shown(exhibit, address))
    draw = _drawer(exhibit, names)
    pictures = {name: draw(width, f"{key}-{name}") for name, width in _WIDTHS.items()}
    if isinstance(exhibit, Chart):
        return _Figure(exhibit.title, exhibit.description, pictures, chart_text(exhibit), drawn_part(exhibit))
    if isinstance(exhibit, Heatmap):
        return _Figure(exhibit.title, exhibit.description, pictures, heatmap_text(exhibit), left_out(exhibit))
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


def _drawer(exhibit: Chart | Diagram | Heatmap, names: Sequence[str]) -> Callable[[float, str], Markup]:
    if isinstance(exhibit, Chart):
        return lambda width, key: draw_chart(exhibit, width=width, contenders=names, key=key)
    if isinstance(exhibit, Heatmap):
        return lambda width, key: draw_heatmap(exhibit, width=width, key=key)
    return lambda width, key: draw_diagram(exhibit, width=width, contenders=names, key=key)


def _sign_alone(sign: str) -> Markup:
    """A sign within a sentence, hidden from screen readers, which say no more of it than its name."""
    return Markup('<span class="sign" aria-hidden="true">{}</span>').format(sign)


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


def _shared(findings: Sequence[Finding]) -> list[str]:
    """The caveats that several findings all carry: they are said once."""
    found = [f.caveats for f in findings if not is_refused(f)]
    return [caveat for caveat in found[0] if all(caveat in each for each in found)] if len(found) > 1 else []


def _loose_ends(section: Section) -> list[tuple[Cell, Outcome | None]]:
    """The section's cells that were not measured whole."""
    return [(cell, outcome) for cell, outcome in section.cells if not isinstance(outcome, Done)]
