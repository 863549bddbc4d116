"""What would turn the verdict is where the verdict turns: checked against the rule itself."""

from __future__ import annotations

from dataclasses import replace
from math import log, log1p

import pytest

from netversus.records import Effect, Finding, Scale, Verdict
from netversus.report.flips import flips, turning_margin
from netversus.report.view import ReportView
from netversus.statistics.equivalence import decide


def _primary(view: ReportView, low: float, high: float, verdict: Verdict) -> Finding:
    found = next(f for f in view.findings if f.metric == "top1" and not f.slice)
    return replace(found, effect=Effect((low + high) / 2, low, high, 0.95), verdict=verdict)


@pytest.mark.parametrize(("low", "high"), [(-0.006, 0.0242), (0.013, 0.031), (-0.05, -0.011), (-0.004, 0.003)])
def test_a_difference_turns_at_the_margin_that_is_named(view: ReportView, low: float, high: float):
    finding = _primary(view, low, high, Verdict.UNDECIDED)
    turn = turning_margin(finding)
    assert turn is not None
    assert decide(low, high, 1.0001 * turn, finding.direction) is Verdict.EQUIVALENT
    assert decide(low, high, 0.9999 * turn, finding.direction) is not Verdict.EQUIVALENT


@pytest.mark.parametrize(("low", "high"), [(0.97, 1.08), (1.71, 1.91), (0.5, 0.6)])
def test_a_ratio_turns_at_the_margin_that_is_named(view: ReportView, low: float, high: float):
    finding = replace(_primary(view, low, high, Verdict.UNDECIDED), scale=Scale.RATIO)
    turn = turning_margin(finding)
    assert turn is not None
    assert decide(log(low), log(high), log1p(1.0001 * turn), finding.direction) is Verdict.EQUIVALENT
    assert decide(log(low), log(high), log1p(0.9999 * turn), finding.direction) is not Verdict.EQUIVALENT


def test_an_interval_without_an_end_turns_at_no_margin(view: ReportView):
    assert turning_margin(_primary(view, -0.1, float("inf"), Verdict.UNDECIDED)) is None
    assert turning_margin(replace(_primary(view, 0.0, 0.1, Verdict.UNDECIDED), effect=None)) is None


def test_an_open_verdict_is_turned_by_margin_units_and_other_questions(view: ReportView):
    margin, units, speed = flips(view.findings)
    assert margin == (
        "With a margin of 2.5 points or more, in the place of 2 points, the two would be practically the same."
    )
    assert units == "About 1,300 more images would decide it, if the difference stays as it is."
    assert speed.startswith("Were it speed that decides, resnet50@scratch: resnet50@scratch is 1.80× faster")


def test_recipes_are_decided_by_more_training_seeds(view: ReportView):
    recipes = replace(_primary(view, -0.006, 0.0242, Verdict.UNDECIDED), scope="recipes", further_units=4)
    assert flips((recipes,))[1] == "About 4 more training seeds would decide it, if the difference stays as it is."


def test_a_tie_says_who_would_win_under_a_smaller_margin(view: ReportView):
    tie = replace(_primary(view, 0.0012, 0.0087, Verdict.EQUIVALENT), p_raw=0.01)
    (said,) = flips((tie,))
    assert said == (
        "With a margin below 0.87 points, in the place of 2 points, the two would not be practically the same: "
        "resnet101@scratch would be better."
    )
    across = _primary(view, -0.0012, 0.0087, Verdict.EQUIVALENT)
    assert flips((across,))[0].endswith("it could not be told which is better.")
    untested = replace(tie, p_raw=0.06)
    assert flips((untested,))[0].endswith("it could not be told which is better.")


def test_so_few_units_are_the_same_at_no_margin(view: ReportView):
    assert turning_margin(_primary(view, -0.1, 0.1, Verdict.UNDECIDED)) == 0.1
    assert turning_margin(replace(_primary(view, -0.1, 0.1, Verdict.UNDECIDED), n=5)) is None


def test_without_a_verdict_there_is_nothing_to_turn(view: ReportView):
    assert flips(()) == ()
    assert flips([replace(f, value_a=None) for f in view.findings]) == ()
