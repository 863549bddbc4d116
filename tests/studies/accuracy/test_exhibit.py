"""What the accuracy study shows of how its contenders were run."""

from __future__ import annotations

from pathlib import Path

from netversus import api
from netversus.evidence import StudyEvidence
from netversus.exhibits import Table, Text
from netversus.studies.accuracy.exhibit import exhibit

NARROW = "py:tiny_nets:narrow@scratch"
QUICK = {
    "training": {"samples": 64, "rounds": 1, "curve_images": 20},
    "accuracy": {"images": 60, "exact": False},
}


def test_engines_and_decoding_are_told_in_the_report(tmp_path: Path):
    run = api.compare(
        *(NARROW, f"{NARROW}?engine=folded"), studies=["training", "accuracy"], options=QUICK, out=tmp_path / "run"
    )
    assert run.complete
    shown = list(exhibit(StudyEvidence(run.store, run.plan, "accuracy")))
    (engines,) = [each for each in shown if isinstance(each, Table) and "run on" in each.title]
    assert [(row[0], row[1], row[5]) for row in engines.rows] == [(f"{NARROW}?engine=folded", "folded", "as asked")]
    (words,) = [each.text for each in shown if isinstance(each, Text)]
    assert words.startswith("The images were decoded by the method")
    page = run.report(tmp_path / "report.md").read_text()  # type: ignore[union-attr]
    assert "| engine |" in page.replace("**", "")


def test_plain_runs_say_nothing_of_engines(tmp_path: Path):
    options = {"training": QUICK["training"], "accuracy": {"images": 60}}
    run = api.compare(
        *(NARROW, "py:tiny_nets:wide@scratch"), studies=["training", "accuracy"], options=options, out=tmp_path / "run"
    )
    titles = [getattr(each, "title", "") for each in exhibit(StudyEvidence(run.store, run.plan, "accuracy"))]
    assert "What the contenders were run on" not in titles
