"""The score card: a row a question, also for what was not run, and how each part of it is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netversus.records import Cell, Direction, Done, Effect, Failed, Finding, Outcome, Scale, Skipped, Verdict
from netversus.report.scorecard import (
    difference_text,
    finding_interval,
    finding_margin,
    further_text,
    is_refused,
    level_texts,
    primary_grid,
    sample_text,
    score_cards,
    verdict_text,
)
from netversus.report.view import ReportView

from .conftest import MANY, A, B, example_view

TOP1 = example_view().sections[2].findings[0]
PARAMETERS = example_view().sections[0].findings[0]
LATENCY = example_view().sections[3].findings[0]


def _rows(view: ReportView) -> dict[str, tuple[str, str, str]]:
    (card,) = score_cards(view)
    return {row.question.metric: (row.kind, row.verdict, row.note) for _, rows in card.studies for row in rows}


def test_every_question_has_a_row_also_without_a_finding(view: ReportView):
    assert _rows(view) == {
        "top1": ("undecided", "undecided", "about 1,300 more images"),
        "top5": ("equivalent", "practically the same", ""),
        "nll": ("better", f"{B} better", ""),
        "ece": ("no data", "no data", "nothing was observed that could be compared"),
        "parameters": ("better", f"{A} better", ""),
        "macs": ("better", f"{A} better", ""),
        "depth": ("described", "not judged", ""),
        "field": ("described", "not judged", ""),
        "train_time": ("better", f"{A} better", ""),
        "gap": ("failed", "failed", "training left the real numbers at step 41"),
        "latency": ("better", f"{A} better", ""),
        "throughput": ("skipped", "not run", "the machine is not quiet"),
    }


def test_the_primary_question_comes_first_and_its_study_before_the_others(view: ReportView):
    (card,) = score_cards(view)
    assert [section.name for section, _ in card.studies] == ["accuracy", "structure", "training", "speed"]
    assert card.studies[0][1][0].question.metric == "top1"


def test_slices_have_no_row(view: ReportView):
    (card,) = score_cards(view)
    assert all(not row.finding.slice for _, rows in card.studies for row in rows if row.finding)


@pytest.mark.parametrize(
    ("endings", "status", "reason"),
    [
        ((Done("k", 1.0, 1), Done("k", 1.0, 1)), "no data", "nothing was observed that could be compared"),
        ((Done("k", 1.0, 1), Failed("k", "out of memory")), "failed", "out of memory"),
        ((Skipped("k", "no test split"), Done("k", 1.0, 1)), "skipped", "no test split"),
        ((Done("k", 1.0, 1), None), "unfinished", "the run has not come to it yet"),
        ((), "skipped", "it was not part of the plan"),
    ],
)
def test_why_there_is_no_finding_is_said(
    view: ReportView, endings: tuple[Outcome | None, ...], status: str, reason: str
):
    cells = tuple((Cell("accuracy", 1, (name,), 0, {}, "k"), o) for name, o in zip((A, B), endings, strict=False))
    section = replace(view.sections[2], findings=(), cells=cells)
    (card,) = score_cards(replace(view, sections=(section,)))
    assert {(row.status, row.reason) for row in card.studies[0][1]} == {(status, reason)}


def test_a_cell_of_others_says_nothing_of_a_pair(view_of_many: ReportView):
    accuracy = view_of_many.sections[0]
    cells = ((accuracy.cells[0][0], Failed("k", "only the first failed")), *accuracy.cells[1:])
    cards = score_cards(replace(view_of_many, sections=(replace(accuracy, findings=(), cells=cells),)))
    status = {(card.a, card.b): card.studies[0][1][0].status for card in cards}
    assert status[MANY[0], MANY[1]] == "failed"
    assert status[MANY[1], MANY[2]] == "no data"


def test_several_contenders_have_a_card_a_pair_in_the_order_of_the_request(view_of_many: ReportView):
    pairs = [(card.a, card.b) for card in score_cards(view_of_many)]
    assert pairs == [(MANY[i], MANY[j]) for i in range(4) for j in range(i + 1, 4)]


def test_a_baseline_has_a_card_with_each_of_the_others(view_of_many: ReportView):
    cards = score_cards(replace(view_of_many, baseline=MANY[2]))
    assert [(card.a, card.b) for card in cards] == [(MANY[2], MANY[i]) for i in (0, 1, 3)]


def test_a_grid_is_antisymmetric_and_has_nothing_on_its_diagonal(view_of_many: ReportView):
    grid = primary_grid(view_of_many)
    assert grid is not None
    assert grid.question.metric == "top1"
    mirror = {"better": "worse", "worse": "better"}
    for i, row in enumerate(grid.rows):
        assert row[i] == ("nothing", "–")
        for j, (kind, _) in enumerate(row):
            assert grid.rows[j][i][0] == mirror.get(kind, kind)


def test_a_grid_says_what_could_not_be_compared(view_of_many: ReportView):
    accuracy = view_of_many.sections[0]
    refused = replace(accuracy.findings[0], value_a=None, value_b=None)
    found = (refused, replace(accuracy.findings[1], verdict=Verdict.UNDECIDED), *accuracy.findings[3:])
    grid = primary_grid(replace(view_of_many, sections=(replace(accuracy, findings=found),)))
    assert grid is not None
    assert grid.rows[0] == (
        ("nothing", "–"),
        ("refused", "no comparison"),
        ("undecided", "undecided"),
        ("nothing", "–"),
    )


def test_without_a_primary_question_there_is_no_grid(view_of_many: ReportView):
    assert primary_grid(replace(view_of_many, sections=view_of_many.sections[1:])) is None


# -- how a finding is said


def _changed(finding: Finding, **changes: object) -> Finding:
    return replace(finding, **changes)  # type: ignore[arg-type]


def test_a_refused_finding_has_no_verdict_and_its_reason():
    refused = _changed(TOP1, value_a=None, value_b=None, effect=None, caveats=("measured on other images",))
    assert is_refused(refused)
    assert verdict_text(refused) == "no comparison"
    assert further_text(refused) == "measured on other images"
    assert difference_text(refused) == finding_interval(refused) == "–"
    assert level_texts(refused) == ("–", "–")


def test_equal_facts_are_the_same_and_not_practically_so():
    assert verdict_text(_changed(PARAMETERS, verdict=Verdict.EQUIVALENT)) == "the same"
    assert verdict_text(_changed(TOP1, verdict=Verdict.EQUIVALENT)) == "practically the same"


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (TOP1, "+0.9 points"),
        (LATENCY, "1.80×"),
        (PARAMETERS, "1.74×"),
        (_changed(PARAMETERS, value_a=0.0, value_b=5.0, unit=""), "+5"),
        (_changed(PARAMETERS, value_a=0.5, value_b=0.25, unit="%"), "−25.0 points"),
        (_changed(TOP1, effect=None, value_a=0.5, value_b=0.75), "+25.0 points"),
    ],
)
def test_a_difference_is_b_against_a(finding: Finding, said: str):
    assert difference_text(finding) == said


def test_no_interval_and_no_margin_are_dashes_and_not_nought():
    assert finding_interval(PARAMETERS) == "–"
    assert finding_margin(PARAMETERS) == "–"
    assert finding_interval(TOP1) == "[−0.6, +2.4 points]"
    assert finding_margin(TOP1) == "± 2 points"


def test_what_a_finding_rests_on():
    assert sample_text(TOP1) == "797 images"
    assert sample_text(PARAMETERS) == "exact"
    assert sample_text(_changed(TOP1, n=1)) == "1 image"
    assert sample_text(_changed(TOP1, n=1408, available=5000)) == "1,408 of 5,000 images"


def test_further_units_are_named_only_where_nothing_is_decided():
    assert further_text(TOP1) == "about 1,300 more images"
    assert further_text(_changed(TOP1, verdict=Verdict.EQUIVALENT)) == ""
    assert further_text(_changed(TOP1, further_units=None)) == ""


def test_recipes_want_further_training_seeds():
    assert further_text(_changed(TOP1, scope="recipes", further_units=4)) == "about 4 more training seeds"


def test_levels_carry_their_units():
    assert level_texts(LATENCY) == ("11.6 ms", "20.9 ms")
    nll = _changed(
        TOP1, scale=Scale.MEAN, direction=Direction.LOWER, unit="nats", effect=Effect(-0.1, -0.2, -0.05, 0.95)
    )
    assert level_texts(nll) == ("0.832 nats", "0.841 nats")
    assert finding_interval(nll) == "[−0.200, −0.0500 nats]"
