"""Quality against cost: levels and intervals from the findings, and a front that rests on verdicts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netversus.records import Verdict
from netversus.report.tradeoffs import table_of, trade_offs
from netversus.report.view import ReportView

from .conftest import MANY, A, B


def test_each_cost_is_set_against_the_primary_question_measured_ones_first(view: ReportView):
    plots = trade_offs(view)
    assert [(plot.quality.metric, plot.cost.metric) for plot in plots] == [
        *(("top1", "latency"), ("top1", "train_time"), ("top1", "parameters"), ("top1", "macs"))
    ]


def test_the_whiskers_are_the_intervals_of_the_findings_laid_at_the_reference(view: ReportView):
    first, second = trade_offs(view)[0].points
    assert (first.name, second.name) == (A, B)
    assert (first.quality.low, first.cost.low) == (None, None)
    assert (second.quality.low, second.quality.high) == pytest.approx((0.832 - 0.0061, 0.832 + 0.0242))
    assert (second.cost.low, second.cost.high) == pytest.approx((0.01163 * 1.71, 0.01163 * 1.91))


def test_whiskers_follow_the_baseline_where_there_is_one(view: ReportView):
    first, second = trade_offs(replace(view, baseline=B))[0].points
    assert second.quality.low is None
    assert (first.quality.low, first.quality.high) == pytest.approx((0.841 - 0.0242, 0.841 + 0.0061))
    assert (first.cost.low, first.cost.high) == pytest.approx((0.02094 / 1.91, 0.02094 / 1.71))


def test_what_cannot_be_told_beats_nobody(view: ReportView):
    assert all(point.front for point in trade_offs(view)[0].points)


def test_worse_on_one_and_no_better_on_the_other_is_off_the_front(view: ReportView):
    accuracy = view.sections[2]
    for verdict in (Verdict.EQUIVALENT, Verdict.A_BETTER):
        found = tuple(replace(f, verdict=verdict) for f in accuracy.findings)
        changed = replace(view, sections=(*view.sections[:2], replace(accuracy, findings=found), *view.sections[3:]))
        plot = trade_offs(changed)[0]
        assert {point.name: point.front for point in plot.points} == {A: True, B: False}
        assert [row[-1] for row in table_of(plot).rows] == ["yes", "no"]


def test_the_front_of_many_is_who_is_beaten_by_none(view_of_many: ReportView):
    (plot,) = trade_offs(view_of_many)
    # resnet18 is the fastest; the last is practically as accurate as the third, and faster
    assert {point.name: point.front for point in plot.points} == dict(zip(MANY, (True, True, False, True), strict=True))


def test_a_contender_without_a_value_is_named_and_not_drawn(view_of_many: ReportView):
    accuracy, speed = view_of_many.sections
    timed = tuple(f for f in speed.findings if MANY[3] not in (f.a, f.b))
    (plot,) = trade_offs(replace(view_of_many, sections=(accuracy, replace(speed, findings=timed))))
    assert [point.name for point in plot.points] == list(MANY[:3])
    assert plot.left_out == (MANY[3],)


def test_without_a_primary_question_there_is_no_trade_off(view: ReportView):
    assert trade_offs(replace(view, sections=view.sections[:2])) == ()
