"""What machines read: every finding with its numbers in full, nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from netversus.claims import Measured, article, audit, published_figures
from netversus.exhibits import Chart, Diagram, Series, Table, Text
from netversus.records import Cell, ContenderCard, DataCard, Effect, Finding, Outcome, Question, Session
from netversus.report.csv_file import COLUMNS
from netversus.report.csv_file import render as render_csv
from netversus.report.faq import answers
from netversus.report.json_file import SCHEMA_VERSION
from netversus.report.json_file import render as render_json
from netversus.report.view import ReportView

from .conftest import A, B
from .hostile import PAYLOADS, poisoned


def _rows(view: ReportView) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render_csv(view), newline="")))


def _document(view: ReportView) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(render_json(view), parse_constant=refuse)


# -- CSV


def test_csv_holds_every_finding_in_full(view: ReportView):
    rows = _rows(view)
    assert len(rows) == len(view.findings)
    for row, finding in zip(rows, view.findings, strict=True):
        assert (row["study"], row["metric"], row["a"], row["b"]) == (
            finding.study,
            finding.metric,
            finding.a,
            finding.b,
        )
        assert row["verdict"] == finding.verdict.value
        assert float(row["value_a"]) == finding.value_a
        assert int(row["n"]) == finding.n
        if finding.effect:
            assert [float(row[c]) for c in ("estimate", "low", "high", "level")] == [
                finding.effect.estimate, finding.effect.low, finding.effect.high, finding.effect.level
            ]  # fmt: skip
        else:
            assert row["estimate"] == row["low"] == row["high"] == ""
        assert row["sentence"] == finding.sentence


def test_every_field_of_a_finding_has_a_column():
    effect = {f.name for f in fields(Effect)}
    assert {f.name for f in fields(Finding)} - {"effect"} | effect == set(COLUMNS)


def test_absent_is_an_empty_cell_and_never_nought(view: ReportView):
    finding = replace(view.findings[0], value_a=None, value_b=math.nan, effect=Effect(1.0, -math.inf, math.inf, 0.9))
    section = replace(view.sections[0], findings=(finding,))
    (row,) = _rows(replace(view, sections=(section,)))
    assert row["value_a"] == row["value_b"] == row["low"] == row["high"] == row["p_value"] == ""
    assert row["estimate"] == "1.0"


def test_numbers_of_numpy_are_numbers(view: ReportView):
    finding = replace(view.findings[0], value_a=np.float64(0.25), n=np.int64(7))
    (row,) = _rows(replace(view, sections=(replace(view.sections[0], findings=(finding,)),)))
    assert row["value_a"] == "0.25"
    assert row["n"] == "7"


@pytest.mark.parametrize("payload", ["=1+1", "@SUM(A1)", "+1", "-1", "\t=1"])
def test_no_cell_begins_as_a_formula(view: ReportView, payload: str):
    finding = replace(view.findings[0], a=payload, sentence=payload, caveats=(payload,), unit=payload)
    (row,) = _rows(replace(view, sections=(replace(view.sections[0], findings=(finding,)),)))
    for column in ("a", "sentence", "caveats", "unit"):
        assert row[column].startswith("'"), column


@pytest.mark.parametrize("payload", PAYLOADS)
def test_csv_keeps_its_shape_whatever_the_texts_hold(view: ReportView, payload: str):
    attacked = poisoned(view, payload)
    rows = _rows(attacked)
    assert len(rows) == len(view.findings)
    assert all(None not in row and None not in row.values() for row in rows)
    assert render_csv(attacked).encode("utf-8")


# -- JSON


def test_json_holds_every_finding_with_its_numbers(view: ReportView):
    document = _document(view)
    assert document["schema"] == SCHEMA_VERSION
    read = TypeAdapter(tuple[Finding, ...]).validate_python(document["findings"])
    assert read == view.findings


def test_json_reads_back_into_the_records(view: ReportView):
    document = _document(view)
    assert TypeAdapter(tuple[ContenderCard, ...]).validate_python(document["contenders"]) == view.contenders
    assert TypeAdapter(tuple[Session, ...]).validate_python(document["sessions"]) == view.sessions
    data = replace(view.data, skipped=view.data.skipped[:-1])  # the last name is not UTF-8, and is written as an escape
    document["data"]["skipped"].pop()
    assert TypeAdapter(DataCard).validate_python(document["data"]) == data
    for section, written in zip(view.sections, document["sections"], strict=True):
        assert TypeAdapter(tuple[Question, ...]).validate_python(written["questions"]) == section.questions
        cells = [(TypeAdapter(Cell).validate_python(c["cell"]), c["outcome"]) for c in written["cells"]]
        outcomes = [(cell, TypeAdapter(Outcome).validate_python(o)) for cell, o in cells]
        assert tuple(outcomes) == section.cells


def test_a_section_names_its_findings_by_their_places(view: ReportView):
    document = _document(view)
    places = [place for section in document["sections"] for place in section["findings"]]
    assert places == list(range(len(view.findings)))
    for section in document["sections"]:
        assert {document["findings"][place]["study"] for place in section["findings"]} <= {section["name"]}


def test_everything_of_the_view_is_in_the_json(view: ReportView):
    document = _document(view)
    added = {"schema", "findings", "claims", "faq"}
    assert {f.name for f in fields(ReportView)} - {"observations"} | added == set(document)
    for name in ("run_id", "headline", "level", "seed", "budget", "rerun", "multiplicity"):
        assert document[name] == getattr(view, name)
    assert document["reasons"] == list(view.reasons)
    assert document["caveats"] == list(view.caveats)
    kinds = [e["type"] for section in document["sections"] for e in section["exhibits"]]
    assert kinds == [type(e).__name__.lower() for section in view.sections for e in section.exhibits]


def test_json_holds_what_came_of_every_claim_with_its_evidence(view: ReportView):
    written = {each["id"]: each for each in _document(view)["claims"]}
    judged = audit(article(), Measured(view.findings, view.data, level=view.level), published_figures())
    assert {name: each["verdict"] for name, each in written.items()} == {j.claim.id: j.verdict.value for j in judged}
    known = {(f.study, f.metric, f.a, f.b) for f in view.findings}
    evidence = [e for each in written.values() for e in each["measured"]["evidence"]]
    assert evidence
    for each in evidence:
        assert tuple(each["finding"][part] for part in ("study", "metric", "a", "b")) in known
    assert any(figure["source"]["title"] for e in written["r50-coco-accuracy"]["published"]["evidence"] for figure in e["figures"])  # fmt: skip


def test_json_answers_the_four_questions(view: ReportView):
    written = _document(view)["faq"]
    told = answers(view.findings, view.data)
    assert [each["question"] for each in written] == [answer.question for answer in told]
    texts = [[s["text"] for s in each["statements"]] for each in written]
    assert texts == [[s.text for s in answer.statements] for answer in told]


def test_json_of_a_run_without_findings_judges_nothing(view: ReportView):
    bare = _document(replace(view, sections=tuple(replace(s, findings=()) for s in view.sections)))
    assert (bare["claims"], bare["faq"]) == ([], [])


def test_what_is_not_finite_is_null_and_the_file_is_strict_json(view: ReportView):
    training = _document(view)["sections"][1]
    (diverged,) = [e for e in training["exhibits"] if e["title"] == "Loss at a higher learning rate"]
    assert diverged["series"][1]["y"] == [2.4, 2.6, None, None, None, None]


def test_numpy_numbers_in_exhibits_are_written_as_numbers(view: ReportView):
    exhibits = (
        Table("t", ("n", "x"), ((np.int64(3), np.float32(0.5)),)),
        Chart("c", "line", "x", "y", (Series(A, (np.float64(1),), (np.float64(math.inf),)),), "d"),
        Text("words"),
        Diagram("d", ((A, ()), (B, ())), "nothing"),
    )
    written = _document(replace(view, sections=(replace(view.sections[0], exhibits=exhibits),)))["sections"][0]
    assert written["exhibits"][0]["rows"] == [[3, 0.5]]
    assert written["exhibits"][1]["series"][0]["y"] == [None]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_json_is_utf_8_whatever_the_texts_hold(view: ReportView, payload: str):
    attacked = poisoned(view, payload)
    assert json.loads(render_json(attacked).encode("utf-8"))["schema"] == SCHEMA_VERSION
