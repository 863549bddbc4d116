"""The Markdown report: what the HTML says, and no text of others that a renderer would take for markup."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from netversus.records import Failed, Skipped
from netversus.report.escape import legible, one_line
from netversus.report.markdown import findings_table, render
from netversus.report.view import ReportView

from .hostile import HARMLESS, PAYLOADS, poisoned
from .page import Element, read_page, squeezed


def _rendered(markdown: str) -> Element:
    """As a site would show it that allows HTML and knows tables and strikethrough."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return read_page(parser.render(markdown))


def _tags(page: Element) -> Counter[str]:
    return Counter(element.tag for element in page.walk())


def _says(page: Element, text: str) -> bool:
    said = squeezed(page.text)
    return squeezed(legible(text)) in said or squeezed(one_line(text)) in said


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_a_view_becomes_markup(view: ReportView, payload: str):
    clean = replace(view, sections=tuple(replace(section, method="") for section in view.sections))
    assert _tags(_rendered(render(poisoned(clean, payload)))) == _tags(_rendered(render(poisoned(clean, HARMLESS))))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_a_view_of_many_becomes_markup(view_of_many: ReportView, payload: str):
    plain = tuple(replace(section, method="") for section in view_of_many.sections)
    clean = replace(view_of_many, sections=plain, margins={})
    assert _tags(_rendered(render(poisoned(clean, payload)))) == _tags(_rendered(render(poisoned(clean, HARMLESS))))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_is_poisoned_is_shown_as_what_it_is(view: ReportView, payload: str):
    attacked = poisoned(view, payload, spare=frozenset({"method"}))
    page = _rendered(render(attacked))
    said = [f.sentence for f in attacked.findings if not f.slice] + [card.architecture for card in attacked.contenders]
    for text in (*said, *attacked.reasons, *attacked.cuts, attacked.headline):
        assert _says(page, text), text


def test_a_method_brings_no_html_and_no_pictures(view: ReportView):
    method = (
        "# title\n\n<script>alert(1)</script> ![p](http://evil.example/p.png) `<b>code</b>` a < b\n\n"
        "```\n<b>kept</b> # no heading\n```\n\n## Limits\n\n<!-- hidden -->"
    )
    sections = tuple(replace(section, method=method) for section in view.sections[:1])
    page = _rendered(render(replace(view, sections=sections)))
    assert not page.all("script", "img", "b")
    assert "hidden" in page.text
    assert "<b>code</b>" in page.text
    assert "<b>kept</b> # no heading" in page.text
    assert "Limits" in [h.text for h in page.all("h4")]
    assert "title" not in [h.text for h in page.all("h1", "h2", "h3", "h4")]


def test_a_fence_that_a_method_leaves_open_does_not_swallow_the_report(view: ReportView):
    sections = tuple(replace(section, method="# title\n\n~~~~\ncode") for section in view.sections)
    page = _rendered(render(replace(view, sections=sections)))
    assert [h.text for h in page.all("h2")] == [h.text for h in _rendered(render(view)).all("h2")]


def test_everything_is_said(view: ReportView):
    page = _rendered(render(view))
    said = [view.headline, *view.reasons, *view.caveats, view.multiplicity, *view.cuts, view.rerun]
    said += [words for f in view.findings if not f.slice for words in (f.sentence, f.expert, *f.caveats)]
    said += [f.slice for f in view.findings if f.slice]
    said += [question.asks for section in view.sections for question in section.questions]
    said += [words for section in view.sections for words in (section.question, section.rerun)]
    said += [words for file in view.data.skipped for words in (one_line(file.path), file.reason)]
    said += [session.command for session in view.sessions]
    for section in view.sections:
        for _, outcome in section.cells:
            said += [outcome.error, outcome.details] if isinstance(outcome, Failed) else []
            said += [outcome.reason] if isinstance(outcome, Skipped) else []
    for text in said:
        assert _says(page, text), text


def test_the_headline_is_the_one_title(view: ReportView):
    page = _rendered(render(view))
    assert [h.text for h in page.all("h1")] == [view.headline]


def test_the_score_card_has_a_row_a_question(view: ReportView):
    (table,) = _rendered(findings_table(view)).all("table")
    questions = [q for section in view.sections for q in section.questions]
    assert len(table.all("tr")) == len(questions) + 1
    assert all(len(row.all("td", "th")) == 8 for row in table.all("tr"))
    first = [cell.text for cell in table.all("tr")[1].all("td")]
    assert first == [
        "accuracy.top1: Which contender's first answer is right more often?", "83.2 %", "84.1 %", "+0.9 points",
        "[−0.6, +2.4 points]", "± 2 points", "797 images", "undecided (about 1,300 more images)",
    ]  # fmt: skip


def test_several_contenders_get_a_grid_and_a_table_a_pair(view_of_many: ReportView):
    page = _rendered(findings_table(view_of_many))
    grid, *cards = page.all("table")
    assert len(cards) == 6
    names = [card.name for card in view_of_many.contenders]
    assert [row.all("td")[0].text for row in grid.all("tr")[1:]] == names
    assert [td.text for td in grid.all("tr")[4].all("td")[1:]] == ["better", "better", "practically the same", "–"]


def test_numbers_of_charts_and_tables_are_there(view: ReportView):
    page = _rendered(render(view))
    rows = [[cell.text for cell in row.all("td")] for row in page.all("tr")]
    assert ["stage 3", "7.10", "26.09"] in rows
    assert ["stage 3", "6 (1,024 channels)", "23 (1,024 channels)"] in rows
    assert ["1,536", "1.7", "–"] in rows
    assert ["resnet50@scratch", "0", "797", "83.2", "[80.4, 85.7]", "1e-200"] in rows


def test_the_text_is_utf_8_and_ends_with_a_newline(view: ReportView):
    text = render(view)
    assert text.encode("utf-8")
    assert text.endswith("\n")
    assert "\n\n\n" not in text
