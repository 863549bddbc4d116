"""The audit as exhibits: every claim is in, and each number stands beside its interval or its source."""

from __future__ import annotations

from netversus.claims import Measured, article, audit, published_figures
from netversus.exhibits import Table, Text
from netversus.report.claims_section import claims_exhibits, judgement_exhibits
from netversus.report.markdown import exhibits_text
from netversus.report.soundness import flaw
from report.conftest import example_view


def test_the_exhibits_hold_every_claim_once():
    view = example_view()
    exhibits = claims_exhibits(view.findings, view.data, view.level)
    assert isinstance(exhibits[0], Text)
    verdicts = exhibits[1]
    assert isinstance(verdicts, Table)
    assert [row[0] for row in verdicts.rows] == [claim.id for claim in article()]
    assert not any(flaw(exhibit) for exhibit in exhibits)


def test_every_item_of_evidence_is_a_row():
    view = example_view()
    judgements = audit(article(), Measured(view.findings, view.data), published_figures())
    tables = {each.title: each for each in judgement_exhibits(judgements) if isinstance(each, Table)}
    assert len(tables["What was measured here"].rows) == sum(len(j.measured.evidence) for j in judgements)
    published = [each for judgement in judgements for each in judgement.published.evidence]
    rows = tables["What is published"].rows
    assert len(rows) == len(published)
    for row, evidence in zip(rows, published, strict=True):
        assert all(figure.source.title in str(row) for figure in evidence.figures)


def test_a_run_that_no_claim_is_about_shows_no_audit():
    view = example_view()
    assert claims_exhibits((), view.data) == ()


def test_the_tables_can_be_said_in_markdown():
    view = example_view()
    text = exhibits_text(claims_exhibits(view.findings, view.data))
    assert "ResNet-101 reaches 96.7 % on ImageNet" in text
