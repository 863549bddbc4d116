"""The score card as a LaTeX table with booktabs: a row a question, a table a pair of contenders.

It compiles with pdfLaTeX as it does with XeLaTeX: signs that the former has no letters for are written as formulas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from netversus.exports.format import Files, Format, Source
from netversus.messages import say
from netversus.records import Role
from netversus.report.escape import one_line
from netversus.report.scorecard import (
    NOTHING,
    Row,
    ScoreCard,
    difference_text,
    finding_interval,
    finding_margin,
    level_texts,
    sample_text,
    score_cards,
)
from netversus.report.view import ReportView

_SIGNS: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "≠": r"$\neq$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "µ": r"$\mu$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "\u00a0": "~",
}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_COLUMNS = "lrrrcrrl"


def tex(text: str) -> str:
    """Text as LaTeX that shows just that text."""
    return _SIGN.sub(lambda match: _SIGNS[match[0]], one_line(text))


def _files(source: Source) -> Files:
    cards = score_cards(source.view)
    head = "\n".join(
        [
            "% " + one_line(f"netversus {source.view.netversus_version}, run {source.view.run_id}"),
            r"% needs \usepackage{booktabs} and, for pdfLaTeX, \usepackage[T1]{fontenc}",
        ]
    )
    tables = [_table(card, source.view, number) for number, card in enumerate(cards, start=1)]
    yield "table.tex", ("\n\n".join([head, *tables]) + "\n").encode("utf-8")


def _table(card: ScoreCard, view: ReportView, number: int) -> str:
    heads = (
        say("Question"),
        card.a,
        card.b,
        say("Difference"),
        say("Interval"),
        say("Margin"),
        say("Rests on"),
        say("Verdict"),
    )
    rows = [row for _, of_study in card.studies for row in of_study]
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_caption(card, view)}}}",
        rf"\label{{tab:netversus-{number}}}",
        rf"\begin{{tabular}}{{{_COLUMNS}}}",
        r"\toprule",
        _line([tex(head) for head in heads]),
        r"\midrule",
        *(_line(_cells(row)) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _caption(card: ScoreCard, view: ReportView) -> str:
    said = say(
        "{a} against {b} on {data}; differences are the second minus the first, or, marked ×, divided by it.",
        a=card.a,
        b=card.b,
        data=view.data.name,
    )
    primary = say("The primary question is in bold.")
    level = f"{100 * view.level:.4g}"
    shared = say("Intervals are so wide that those of a family of questions hold together at {level} %.", level=level)
    return " ".join(map(tex, (said, primary, shared)))


def _cells(row: Row) -> Sequence[str]:
    finding = row.finding
    name = tex(f"{row.study}.{row.question.metric}")
    first = rf"\textbf{{{name}}}" if row.question.role is Role.PRIMARY else name
    verdict = tex(f"{row.verdict} ({row.note})" if row.note else row.verdict)
    if finding is None:
        return (first, *([tex(NOTHING)] * 6), verdict)
    numbers = (
        *level_texts(finding),
        difference_text(finding),
        finding_interval(finding),
        finding_margin(finding),
        sample_text(finding),
    )
    return (first, *map(tex, numbers), verdict)


def _line(cells: Sequence[str]) -> str:
    """One row. A bracket behind a row's end would be read as a length: each row ends in its own group."""
    return " & ".join(f"{{{cell}}}" if cell.startswith("[") else cell for cell in cells) + r" \\"


FORMAT = Format("latex", "the score card as a booktabs table; one .tex file", _files, single=".tex")
