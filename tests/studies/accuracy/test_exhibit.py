"""What the accuracy study shows of how its contenders were run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest

from netversus import api
from netversus.evidence import StudyEvidence
from netversus.exhibits import Table, Text
from netversus.statistics.pairing import Sample
from netversus.studies.accuracy.exhibit import exhibit
from netversus.studies.accuracy.running import CACHE, DECODING, decoding, uncached


@pytest.fixture
def evidence_of(make_card):
    """Evidence that holds the artifacts of one contender, A."""

    def make(artifacts: dict[str, bytes]) -> SimpleNamespace:
        return SimpleNamespace(contenders=[make_card("A")], artifact=lambda name, _contender: artifacts.get(name))

    return make


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
    rows = {row[1]: dict(zip(engines.columns, row, strict=True)) for row in engines.rows}
    assert rows.keys() == {"eager", "folded"}
    assert rows["folded"]["contender"] == f"{NARROW}?engine=folded"
    assert rows["folded"]["why"] == "as asked; agrees with fp32"
    assert rows["folded"]["first answers changed"] == "0 of 96"
    assert rows["folded"]["preparing (s)"] > 0
    assert rows["eager"]["times as fast as fp32"] == 1
    assert "at most 0.5 % of the first answers" in engines.note
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


def test_faster_ways_to_decode_stand_beside_the_exact_one_with_the_answers_that_they_change(evidence_of):
    told = {
        "method": "exact",
        "mean": 0.5,
        "tried": [
            {"method": "fast: x", "images": 64, "mean": 0.7, "most": 31, "seconds": 0.001, "exact_seconds": 0.003}
            | {"flips": {"A": 0, "B": 2}}
        ],
    }
    words, ways = decoding(evidence_of({DECODING: json.dumps(told).encode()}))
    assert isinstance(words, Text)
    assert words.text == "The images were decoded by the method exact."
    assert isinstance(ways, Table)
    assert ways.rows == (("fast: x", pytest.approx(3), 64, 0.7, 31, "A: 0 of 64, B: 2 of 64"),)


def test_a_run_of_an_older_version_tells_its_decoding_as_it_kept_it(evidence_of):
    told = {"method": "exact", "tried": ["one way", "another way"]}
    (words,) = decoding(evidence_of({DECODING: json.dumps(told).encode()}))
    assert words == Text("The images were decoded by the method exact. Tried: one way; another way.")


def test_ways_to_decode_that_differ_are_both_told_with_who_saw_what(make_card):
    tried = {"method": "fast: x", "images": 8, "mean": 0.7, "most": 31, "seconds": 1, "exact_seconds": 2, "flips": {}}
    records = {
        name: json.dumps({"method": how, "mean": 0.5, "tried": [tried]}).encode()
        for name, how in (("A", "exact"), ("B", "fast: x"))
    }
    evidence = SimpleNamespace(contenders=[make_card("A"), make_card("B")], artifact=lambda _, name: records.get(name))
    words = [each.text for each in decoding(evidence) if isinstance(each, Text)]
    assert words == ["A was shown images decoded by exact.", "B was shown images decoded by fast: x."]


def test_pixels_that_could_not_be_kept_are_told_of_once(evidence_of):
    (words,) = uncached(evidence_of({CACHE: b"{}"}))
    assert words.text.startswith("The decoded images were not kept on disk")
    assert list(uncached(evidence_of({}))) == []


def _own_levels(card, right: list[float], *, early: bool) -> Table:
    """The table of one contender's own top-1."""
    seen = Sample(tuple(f"{i}" for i in range(len(right))), np.array(right))
    evidence = SimpleNamespace(
        contenders=[card], seeds=[0], data=SimpleNamespace(classes=tuple("0123456789")), stops_early=early,
        series=lambda _name, metric, _seed=None: seen if metric == "top1" else None,
        artifact=lambda *_: None,
    )  # fmt: skip
    return next(each for each in exhibit(evidence) if isinstance(each, Table))


def test_an_own_level_has_the_exact_binomial_interval_and_test(make_card):
    table = _own_levels(make_card("A"), [1.0] * 30 + [0.0] * 70, early=False)
    ((_, _, n, level, interval, p),) = table.rows
    known = binomtest(30, 100, 0.1, alternative="greater")
    ends = binomtest(30, 100).proportion_ci(0.95, method="exact")
    assert (n, level) == (100, pytest.approx(30))
    assert interval == f"[{100 * ends.low:.1f}, {100 * ends.high:.1f}]"
    assert float(p) == pytest.approx(known.pvalue, rel=0.05)


def test_where_the_reading_may_stop_an_own_level_has_a_confidence_sequence_and_no_p(make_card):
    right = [1.0] * 30 + [0.0] * 70
    table = _own_levels(make_card("A"), right, early=True)
    ((_, _, _, _, interval, p),) = table.rows
    low, high = (float(end) for end in interval.strip("[]").split(", "))
    fixed = binomtest(30, 100, 0.5).proportion_ci(0.95, method="exact")
    assert low < 100 * fixed.low
    assert high > 100 * fixed.high
    assert p is None
    assert "confidence sequence" in table.note


def test_a_p_that_no_number_is_small_enough_for_is_no_nought(make_card):
    ((*_, p),) = _own_levels(make_card("A"), [1.0] * 1000, early=False).rows
    assert p == "< 1e-300"
