"""A comment for a pull request, in GitHub's Markdown: the verdict, the table, what to know before believing it.

The rest is folded away. It calls nobody by name and refers to no issue, whatever a contender is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from netversus.exports.format import Files, Format, Source
from netversus.messages import say
from netversus.records import Role, Verdict
from netversus.report import ReportView
from netversus.report.escape import markdown_text, one_line
from netversus.report.markdown import findings_table
from netversus.report.scorecard import difference_text, finding_interval, level_texts, verdict_text
from netversus.report.trust import trust_rows

_CALLS = re.compile(r"(?<![\w&])([@#])(?=\w)")
_MOST = 12  # rows that are shown unfolded


def _files(source: Source) -> Files:
    view = source.view
    method = f"{_bullets(_method(view))}\n\n```text\n{_fenced(view.rerun)}\n```"
    parts = [
        f"### {_text(view.headline)}",
        _bullets(view.reasons),
        _short_table(view),
        "\n>\n".join(f"> {_text(caveat)}" for caveat in view.caveats),
        _folded(say("All questions"), _quiet(findings_table(view))),
        _folded(say("How it was measured"), method),
        _link(source.report),
    ]
    yield "comment.md", ("\n\n".join(part for part in parts if part) + "\n").encode("utf-8")


def _short_table(view: ReportView) -> str:
    """The primary questions and what was decided on the others; all of them are in the folded table."""
    told = [f for f in view.findings if not f.slice and f.verdict is not Verdict.DESCRIBED]
    told.sort(key=lambda f: (f.role is not Role.PRIMARY, f.verdict is Verdict.UNDECIDED))
    heads = (say("Question"), "A", "B", say("B against A"), say("Interval"), say("Verdict"))
    several = len(view.contenders) > 2
    rows = []
    for finding in told[:_MOST]:
        pair = f" ({finding.a} / {finding.b})" if several else ""
        levels = level_texts(finding)
        cells = (*levels, difference_text(finding), finding_interval(finding), verdict_text(finding))
        rows.append((f"{finding.study}.{finding.metric}{pair}", *cells))
    if not rows:
        return ""
    names = [card.name for card in view.contenders]
    who = "" if several else say("A is {a}, B is {b}.", a=names[0], b=names[1])
    left = len(told) - len(rows)
    more = say("{n} more are folded below.", n=left) if left else ""
    return "\n\n".join(p for p in (_table(heads, rows), _text(" ".join(p for p in (who, more) if p))) if p)


def _method(view: ReportView) -> Iterable[str]:
    for label, words in trust_rows(view):
        yield f"{label}: {words}"


def _link(report: str) -> str:
    """The report by its address; what could end the link early is written as %XX."""
    if not report:
        return ""
    address = quote(report, safe=":/?&=#%+~@,;!$'*-._")
    return f"[{say('The whole report')}](<{address}>)"


def _folded(summary: str, body: str) -> str:
    return f"<details><summary>{_text(summary)}</summary>\n\n{body}\n\n</details>" if body else ""


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {_text(line)}" for line in lines)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(map(_text, columns))
    lines = [" | ".join(heads), " | ".join("---" for _ in heads), *(" | ".join(map(_text, row)) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _text(text: str) -> str:
    return _quiet(markdown_text(text))


def _quiet(markdown: str) -> str:
    """A comment between a sign and a name keeps GitHub from calling people and linking issues."""
    return _CALLS.sub(r"\1<!-- -->", markdown)


def _fenced(text: str) -> str:
    return one_line(text).replace("```", "'''")


FORMAT = Format("markdown-pr", "a comment for a pull request; one .md file", _files, single=".md")
