"""The article's four questions, answered from findings alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netversus.claims.records import key_of
from netversus.exhibits import Table, Text
from netversus.records import Finding
from netversus.report.faq import Answer, answers, faq_exhibits
from netversus.report.markdown import exhibits_text
from report.conftest import A, B, example_of_many, example_view


@pytest.fixture(scope="module")
def findings() -> tuple[Finding, ...]:
    return example_view().findings


@pytest.fixture(scope="module")
def four(findings) -> tuple[Answer, ...]:
    return answers(findings, example_view().data)


def test_there_are_four_answers_in_the_article_s_order(four):
    firsts = [answer.question.split()[0] for answer in four]
    assert firsts == ["What", "Which", "How", "How"]
    assert all(A in answer.question and B in answer.question for answer in four)


def test_every_statement_is_a_finding_in_its_own_words(four, findings):
    known = {key_of(finding): finding for finding in findings if not finding.slice}
    for answer in four:
        for statement in answer.statements:
            assert known[statement.finding].sentence in statement.text
            assert f"{statement.finding.study}.{statement.finding.metric}" in statement.rests_on


def test_advantages_are_told_contender_by_contender(four, findings):
    abouts = [statement.about for statement in four[0].statements]
    assert abouts == sorted(abouts, key=list(dict.fromkeys(abouts)).index)
    assert f"for {A}" in abouts or f"for {B}" in abouts
    judged = [f for f in findings if not f.slice and f.verdict != "described"]
    assert len(four[0].statements) == len(judged)


def test_what_no_study_measured_is_said_to_be_so(four):
    assert {"adversarial", "poisoning", "artifact"} <= set(four[3].missing)
    assert "detecting objects" in four[1].missing


def test_nobody_is_called_secure_without_a_threat(four):
    assert "None of them is secure or insecure as such" in four[3].note


def test_a_run_without_findings_answers_that_it_has_no_answer():
    empty = answers((), example_view().data)
    assert [answer.statements for answer in empty] == [()] * 4
    assert all(isinstance(exhibit, Text) for exhibit in faq_exhibits((), example_view().data))


def test_slices_are_no_answers(findings):
    sliced = [replace(finding, slice="class: 3") for finding in findings]
    assert all(not answer.statements for answer in answers(sliced, example_view().data))


def test_among_many_contenders_a_sentence_says_whom_it_is_about():
    view = example_of_many()
    for answer in answers(view.findings, view.data):
        for statement in answer.statements:
            assert statement.finding.a in statement.text
            assert statement.finding.b in statement.text


def test_html_and_markdown_work_from_the_same_tables(findings):
    exhibits = faq_exhibits(findings, example_view().data)
    assert any(isinstance(exhibit, Table) for exhibit in exhibits)
    markdown = exhibits_text(exhibits)
    for exhibit in exhibits:
        first = exhibit.title if isinstance(exhibit, Table) else exhibit.text
        assert first.split("?")[0].split()[-3] in markdown
