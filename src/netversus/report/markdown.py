"""The report as Markdown (CommonMark with tables): what the HTML says, without the pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from netversus.exhibits import Chart, Diagram, Exhibit, Gallery, Heatmap, Text
from netversus.messages import in_a_row, say, sentences, template
from netversus.records import Done, Failed, Finding, Outcome
from netversus.report.chapters import Chapter, chapters
from netversus.report.escape import legible, markdown_text, one_line
from netversus.report.gallery import words as picture_words
from netversus.report.scorecard import (
    NOTHING,
    Grid,
    Row,
    ScoreCard,
    difference_text,
    finding_interval,
    finding_margin,
    level_texts,
    primary_grid,
    sample_text,
    score_cards,
    verdict_text,
)
from netversus.report.tables import TextTable, chart_text, diagram_text, heatmap_text, table_text
from netversus.report.tradeoffs import left_out_text, table_of, trade_offs
from netversus.report.trust import (
    Attribute,
    contender_rows,
    contenders_text,
    data_rows,
    ending_word,
    environment_rows,
    margin_rows,
    outcome_text,
    raw_data_text,
    settings_text,
    then,
    trust_rows,
    unfinished,
    when,
)
from netversus.report.view import ReportView, Section

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HTML = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)|<(?=[A-Za-z/!?])|!(?=\[)")
_COLUMNS = (
    *(template("question"), "A", "B", template("B against A"), template("interval"), template("margin")),
    *(template("rests on"), template("verdict")),
)


def render(view: ReportView) -> str:
    """The whole report."""
    parts = [
        f"# {markdown_text(view.headline)}",
        _bullets(view.reasons),
        _titled_bullets(say("What would turn it:"), view.flips),
        _titled_bullets(say("Before believing it:"), view.caveats),
        say("{contenders} on {data}.", contenders=_who(view), data=markdown_text(view.data.name)),
        say("Run {run}, {when}.", run=_code(view.run_id), when=markdown_text(when(view.created))),
        f"## {say('Score card')}",
        findings_table(view),
        *_trade_offs(view),
        *(part for section in view.sections for part in _section(section)),
        *(part for chapter in chapters(view) for part in _chapter(chapter)),
        f"## {say('How far to trust this')}",
        _pairs(trust_rows(view)),
        _bullets((*margin_rows(view), *view.cuts)),
        *_not_measured(view),
        f"## {say('The contenders, side by side')}",
        _attributes(("", *(card.name for card in view.contenders)), contender_rows(view.contenders)),
        f"## {say('The data')}",
        _pairs(data_rows(view.data)),
        *_skipped(view),
        *_provenance(view),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def findings_table(view: ReportView) -> str:
    """The verdicts as a Markdown table: a row a question and pair; questions that got no finding say why."""
    cards = [_card(card, alone=len(view.contenders) == 2) for card in score_cards(view)]
    grid = primary_grid(view)
    return "\n\n".join([*([_grid(grid)] if grid else []), *cards])


def _grid(grid: Grid) -> str:
    rows = [(name, *(words for _, words in row)) for name, row in zip(grid.names, grid.rows, strict=True)]
    said = say("{question} A row speaks for its contender, against each of the others:", question=grid.question.asks)
    return f"{markdown_text(said)}\n\n{_table(('', *grid.names), rows)}"


def _card(card: ScoreCard, *, alone: bool) -> str:
    columns = [{"A": card.a, "B": card.b}.get(name) or say(name) for name in _COLUMNS]
    rows = [_row(row) for _, of_study in card.studies for row in of_study]
    table = _table(columns, rows)
    pair = say("{a} against {b}", a=markdown_text(card.a), b=markdown_text(card.b))
    return table if alone else f"**{pair}**\n\n{table}"


def _row(row: Row) -> tuple[str, ...]:
    verdict = say("{verdict} ({note})", verdict=row.verdict, note=row.note) if row.note else row.verdict
    metric = f"{row.study}.{row.question.metric}"
    question = say("{metric}: {question}", metric=metric, question=row.question.asks)
    return (question, *_numbers(row.finding), verdict)


def _numbers(finding: Finding | None) -> tuple[str, ...]:
    if finding is None:
        return (NOTHING,) * 6
    return (
        *level_texts(finding),
        difference_text(finding),
        finding_interval(finding),
        finding_margin(finding),
        sample_text(finding),
    )


def _trade_offs(view: ReportView) -> Iterator[str]:
    """The numbers of the plots, with who is on the front."""
    plots = trade_offs(view)
    if plots:
        yield f"## {say('Trade-offs: what quality costs')}"
    for plot in plots:
        yield _titled(plot.title, table_text(table_of(plot)), sentences(plot.description, left_out_text(plot)))


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"## {markdown_text(chapter.title)}"
    yield exhibits_text(chapter.exhibits[: chapter.open])
    if len(chapter.exhibits) > chapter.open:
        yield say("The rest of this chapter is in the HTML report.")


def _section(section: Section) -> Iterator[str]:
    title = say("{study}: {question}", study=say(section.name), question=section.question)
    yield f"## {markdown_text(title)}"
    for finding in section.findings:
        if not finding.slice:
            yield _finding(section, finding)
    yield _slices([f for f in section.findings if f.slice])
    for exhibit in section.exhibits:
        yield _exhibit(exhibit)
    ended = [(cell, outcome) for cell, outcome in section.cells if not isinstance(outcome, Done)]
    lines = [
        say("{contenders}, seed {seed}: {ending}", contenders=in_a_row(c.contenders), seed=c.seed, ending=_ending(o))
        for c, o in ended
    ]
    yield _titled_bullets(say("Not measured whole:"), lines)
    yield _method(section.method)
    settings = settings_text(section)
    if settings:
        yield say("Settings: {settings}.", settings=markdown_text(settings))
    yield f"{say('To measure it again:')}\n\n{_fence(section.rerun)}"


def _ending(outcome: Outcome | None) -> str:
    kind, words = outcome_text(outcome)
    return say("{word}: {why}", word=ending_word(kind), why=words)


def _finding(section: Section, finding: Finding) -> str:
    asks = next((q.asks for q in section.questions if q.metric == finding.metric), finding.metric)
    head = f"### {markdown_text(asks)}\n\n**{markdown_text(verdict_text(finding))}.** {markdown_text(finding.sentence)}"
    return "\n\n".join(p for p in (head, markdown_text(finding.expert), _bullets(finding.caveats)) if p)


def _slices(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    columns = (
        *(say("within"), say("question"), "A", "B"),
        *(say("B against A"), say("interval"), say("rests on")),
    )
    rows = [
        (
            f.slice,
            f.metric,
            *(f"{name} {level}" for name, level in zip((f.a, f.b), level_texts(f), strict=True)),
            difference_text(f),
            finding_interval(f),
            sample_text(f),
        )
        for f in findings
    ]
    title = say("Within classes and factors, on the first seed (where to look, no verdicts):")
    return f"{title}\n\n{_table(columns, rows)}"


def exhibits_text(exhibits: Iterable[Exhibit]) -> str:
    """Exhibits by themselves, for what is no whole report."""
    return "\n\n".join(map(_exhibit, exhibits))


def _exhibit(exhibit: Exhibit) -> str:
    if isinstance(exhibit, Text):
        return markdown_text(exhibit.text)
    if isinstance(exhibit, Chart):
        return _titled(exhibit.title, chart_text(exhibit), exhibit.description)
    if isinstance(exhibit, Diagram):
        return _titled(exhibit.title, diagram_text(exhibit), exhibit.description)
    if isinstance(exhibit, Heatmap):
        return _titled(exhibit.title, heatmap_text(exhibit), exhibit.description)
    if isinstance(exhibit, Gallery):
        return _gallery(exhibit)
    return _titled(exhibit.title, table_text(exhibit), exhibit.note)


def _gallery(gallery: Gallery) -> str:
    """What the pictures show, in words; the pictures themselves are in the HTML report."""
    counted = say("{n} pictures; the HTML report shows them.", n=f"{len(gallery.pictures):,}")
    lines = list(picture_words(gallery))
    if gallery.columns:
        across = len(gallery.columns)
        body = _table(gallery.columns, [lines[start : start + across] for start in range(0, len(lines), across)])
    else:
        body = _bullets(lines)
    parts = (f"**{markdown_text(gallery.title)}**", markdown_text(gallery.note), markdown_text(counted), body)
    return "\n\n".join(part for part in parts if part)


def _titled(title: str, table: TextTable, note: str) -> str:
    left_out = say("{n} more rows are in the JSON report.", n=f"{table.left_out:,}") if table.left_out else ""
    body = _table(table.columns, table.rows, table.numeric)
    return "\n\n".join(p for p in (f"**{markdown_text(title)}**", body, markdown_text(note), left_out) if p)


def _method(method: str) -> str:
    """The study's README: its headings below this report's (the first one is said already), its HTML as text, its
    pictures as links."""
    lines: list[str] = []
    fence = ""
    for line in legible(method).strip().splitlines():
        mark = _FENCE.match(line)
        if mark and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark[1]
        code = bool(fence or mark)
        lines.append(line if code else _HTML.sub(_as_text, f"##{line}" if line.startswith("#") else line))
    kept = lines[1:] if lines and lines[0].startswith("### ") else lines
    return f"### {say('Method')}\n\n" + "\n".join([*kept, fence]).strip() if kept else ""


def _as_text(match: re.Match[str]) -> str:
    """Code as it is; what would begin HTML or a picture behind a backslash."""
    return match[0] if match[0].startswith("`") else f"\\{match[0]}"


def _not_measured(view: ReportView) -> Iterator[str]:
    rows = unfinished(view)
    if rows:
        yield f"### {say('All that was not measured whole')}"
        lines = [(say(c.study), in_a_row(c.contenders), str(c.seed), _ending(o)) for c, o in rows]
        yield _table((say("study"), say("contenders"), say("seed"), say("how it ended")), lines)
    for cell, outcome in rows:
        if isinstance(outcome, Failed) and outcome.details:
            yield f"{_code(cell.key)}:\n\n{_fence(outcome.details)}"


def _skipped(view: ReportView) -> Iterator[str]:
    if view.data.skipped:
        yield f"### {say('Files that were skipped')}"
        yield _table((say("file"), say("why")), [(one_line(s.path), s.reason) for s in view.data.skipped])


def _provenance(view: ReportView) -> Iterator[str]:
    yield f"## {say('To reproduce it')}"
    yield f"{say('To measure all of it again:')}\n\n{_fence(view.rerun)}"
    yield markdown_text(raw_data_text(view))
    yield _table((say("started"), say("command")), [(when(s.started), s.command) for s in view.sessions])
    yield _pairs((row.label, then(row.values)) for row in environment_rows(view.sessions))
    yield say("Written by netversus {version}.", version=markdown_text(view.netversus_version))


def _attributes(columns: Sequence[str], rows: Iterable[Attribute]) -> str:
    return _table(columns, [(row.label, *row.values) for row in rows])


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return _table(("", ""), list(rows))


def _who(view: ReportView) -> str:
    return contenders_text([markdown_text(card.name) for card in view.contenders])


def _titled_bullets(title: str, lines: Sequence[str]) -> str:
    return f"{title}\n\n{_bullets(lines)}" if lines else ""


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {markdown_text(line)}" for line in lines)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> str:
    """A table; its cells are text, whatever they hold."""
    if not rows:
        return ""
    right = (*numeric, *(False for _ in columns[len(numeric) :]))
    rule = ["---:" if r else "---" for r in right]
    lines = [map(markdown_text, columns), rule, *(map(markdown_text, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"


def _fence(text: str) -> str:
    """A block of code; its fence is longer than any run of backticks inside."""
    shown = legible(text)
    fence = "```"
    while fence in shown:
        fence += "`"
    return f"{fence}text\n{shown}\n{fence}"
