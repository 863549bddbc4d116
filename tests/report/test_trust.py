"""How far a report can be trusted, in rows: seeds, margins, what was cut, what was not measured, where it comes from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netversus.records import Done, Failed, Outcome, Preprocessing, Session, Skipped
from netversus.report.trust import (
    Attribute,
    contender_rows,
    data_rows,
    environment_rows,
    margin_rows,
    outcome_text,
    settings_text,
    trust_rows,
    unfinished,
    when,
)
from netversus.report.view import ReportView


def test_what_must_be_known_to_judge_the_verdicts(view: ReportView):
    rows = dict(trust_rows(view))
    assert rows["Confidence"] == "95 %: a verdict is wrong at most 1 time in 20"
    assert rows["Many questions"] == view.multiplicity
    assert rows["Training seeds"] == "1, from seed 0 on; a claim about a recipe needs 3 at least"
    assert rows["The verdicts speak of"] == "these checkpoints"
    assert rows["Work planned"] == "7 of 9 cells were measured whole"
    assert rows["Files skipped"] == "4"
    assert rows["Time budget"] == "6 min"
    assert rows["Device"] == "cpu"
    assert "Images read" not in rows


def test_three_seeds_are_enough_for_a_recipe(view: ReportView):
    assert dict(trust_rows(replace(view, repeats=3)))["Training seeds"] == "3, from seed 0 on"


def test_no_budget_is_none_and_not_nought(view: ReportView):
    assert dict(trust_rows(replace(view, budget=None)))["Time budget"] == "none"


def test_reading_that_could_stop_early_is_said(view: ReportView):
    accuracy = view.sections[2]
    early = tuple(replace(finding, available=5000) for finding in accuracy.findings)
    rows = dict(trust_rows(replace(view, sections=(replace(accuracy, findings=early),))))
    assert "until the primary verdict was certain" in rows["Images read"]


def test_a_margin_that_was_changed_afterwards_is_said_with_the_declared_one(view: ReportView):
    assert list(margin_rows(view)) == [
        "accuracy.top1: ± 2 points; it was ± 1 point when the run was planned and was changed afterwards."
    ]


def test_a_margin_that_was_set_beforehand_is_said_once(view: ReportView):
    accuracy = view.sections[2]
    found = tuple(replace(f, margin_declared=f.margin) for f in accuracy.findings)
    told = list(margin_rows(replace(view, sections=(replace(accuracy, findings=found * 2),))))
    assert told == ["accuracy.top1: ± 2 points, set by the user before the data were seen."]


def test_margins_of_the_studies_themselves_are_not_worth_a_line(view: ReportView):
    assert list(margin_rows(replace(view, margins={}, sections=view.sections[:2]))) == []


def test_what_was_not_measured_whole_is_listed(view: ReportView):
    assert [type(outcome) for _, outcome in unfinished(view)] == [Failed, Skipped]


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (None, ("unfinished", "the run has not come to it yet")),
        (Done("k", 95.0, 4782), ("done", "4,782 observations in 2 min")),
        (Skipped("k", "no train split"), ("skipped", "no train split")),
        (Failed("k", "out of memory", "Traceback"), ("failed", "out of memory")),
    ],
)
def test_how_a_cell_ended(outcome: Outcome | None, said: tuple[str, str]):
    assert outcome_text(outcome) == said


def test_settings_leave_out_what_is_absent(view: ReportView):
    accuracy = view.sections[2]
    cell, outcome = accuracy.cells[0]
    cells = ((replace(cell, options={"images": None, "order_seed": 0, "batch": 64}), outcome),)
    assert settings_text(replace(accuracy, cells=cells)) == "order seed 0, batch 64"
    assert settings_text(replace(accuracy, cells=())) == ""


def test_settings_are_said_in_words_and_not_as_a_language_writes_them(view: ReportView):
    accuracy = view.sections[2]
    cell, outcome = accuracy.cells[0]
    options = {
        "exact": True,
        "cache": False,
        "epochs": 10.0,
        "step_at": 1 / 3,
        "batch": [1, 32],
        "sizes": [],
        "mix": "",
    }
    said = settings_text(replace(accuracy, cells=((replace(cell, options=options), outcome),)))
    assert said == "exact yes, cache no, epochs 10, step at 0.3333, batch 1 and 32, sizes none, mix none"


def test_contenders_stand_side_by_side_and_what_differs_is_known(view: ReportView):
    rows = {row.label: row for row in contender_rows(view.contenders)}
    assert rows["architecture"] == Attribute("architecture", ("resnet50", "resnet101"))
    assert rows["architecture"].differs
    assert not rows["weights"].differs
    assert rows["notes"].values == ("–", "stride of the stem lowered for 32 px")
    assert rows["preprocessing"].values[0] == "crop 32 px, bilinear; mean 0.5 0.5 0.5, std 0.5 0.5 0.5"
    assert "notes" not in {row.label for row in contender_rows(view.contenders[:1])}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (Preprocessing(224, 256, "bicubic"), "shorter side to 256 px, crop 224 px, bicubic; "),
        (Preprocessing(224, 224, squash=True), "both sides to 224 px, crop 224 px, bilinear; "),
        (Preprocessing(32, None, antialias=False), "crop 32 px, bilinear, no antialiasing; "),
    ],
)
def test_preprocessing_is_said_step_by_step(view: ReportView, steps: Preprocessing, said: str):
    rows = {row.label: row for row in contender_rows([replace(view.contenders[0], preprocessing=steps)])}
    assert rows["preprocessing"].values[0].startswith(said)


def test_the_data_are_named_counted_and_digested(view: ReportView):
    rows = dict(data_rows(view.data))
    assert rows["images"] == "1,000 train, 797 test"
    assert rows["classes"] == "10: 0, 1, 2, 3, 4, 5, 6, 7, 8, nine | <b>9</b>"
    assert rows["digest"] == view.data.digest
    many = dict(data_rows(replace(view.data, classes=tuple(map(str, range(1000))))))
    assert many["classes"].startswith("1,000: 0, 1, 2")
    assert many["classes"].endswith("19 …")


def test_what_changed_between_sessions_is_given_in_turn():
    sessions = [Session("t", "c", {"torch": torch}, {"cores": "2"}) for torch in ("2.15", "2.15", "2.16", "2.15")]
    rows = {row.label: row for row in environment_rows(sessions)}
    assert rows["torch"].values == ("2.15", "2.16", "2.15")
    assert rows["torch"].differs
    assert not rows["cores"].differs


def test_a_package_that_one_session_lacked_is_a_dash():
    sessions = [Session("t", "c", {"timm": "1.0"}, {}), Session("t", "c", {}, {})]
    assert [row.values for row in environment_rows(sessions)] == [("1.0", "–")]


@pytest.mark.parametrize(
    ("stamp", "said"),
    [
        ("2025-11-04T14:03:12+00:00", "4 November 2025, 14:03 UTC"),
        ("2025-11-04T14:03:12+02:00", "4 November 2025, 12:03 UTC"),
        ("some day", "some day"),
    ],
)
def test_a_time_is_said_for_people(stamp: str, said: str):
    assert when(stamp) == said
