"""A contender's own level: its value is the findings', its interval that of an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import t as student

from netversus.analyse import analyse
from netversus.decide.levels import Level, level_of, levels_of, simultaneous_level
from netversus.evidence import StudyEvidence
from netversus.records import Observations, Role, Scale
from netversus.statistics.order import recorded_shuffle


def level(made, study: str, metric: str, contender: str = "new", confidence: float = 0.95) -> Level | None:
    question = next(q for q in made.plan.questions[study] if q.metric == metric)
    return level_of(StudyEvidence(made.store, made.plan, study), question, contender, confidence)


def test_the_value_is_the_one_that_the_findings_show(two):
    seen = {
        (each.study, each.metric, each.contender): each
        for study in two.plan.questions
        for each in levels_of(StudyEvidence(two.store, two.plan, study), 0.95)
    }
    findings = [f for f in analyse(two.store) if not f.slice]
    assert {(f.study, f.metric) for f in findings} == {key[:2] for key in seen}
    for finding in findings:
        for name, value in ((finding.a, finding.value_a), (finding.b, finding.value_b)):
            own = seen[finding.study, finding.metric, name]
            assert own.value == pytest.approx(value, rel=1e-12)
            assert (own.low is None) == (finding.metric == "ece")
            assert own.low is None or own.low <= own.value <= own.high


def test_a_proportion_gets_the_exact_interval_of_a_peer(two):
    own = level(two, "accuracy", "top1")
    answers = StudyEvidence(two.store, two.plan, "accuracy").series("new", "top1").values
    peer = binomtest(int(answers.sum()), len(answers)).proportion_ci(0.95, "exact")
    assert (own.low, own.high) == pytest.approx((peer.low, peer.high), abs=1e-9)


def test_a_mean_gets_student_s_interval(two):
    own = level(two, "accuracy", "nll")
    values = StudyEvidence(two.store, two.plan, "accuracy").series("new", "nll").values
    ends = student.interval(0.95, len(values) - 1, values.mean(), values.std(ddof=1) / len(values) ** 0.5)
    assert (own.low, own.high) == pytest.approx(ends, rel=1e-9)


def test_a_percentile_keeps_timing_blocks_whole(two):
    own = level(two, "speed", "latency_p95")
    assert own.n == 24  # blocks, not calls
    assert 0 < own.low < own.value < own.high


def test_a_fact_is_its_own_interval(two):
    own = level(two, "structure", "parameters")
    assert (own.low, own.value, own.high) == (40e6, 40e6, 40e6)


def test_what_was_not_measured_has_no_level(two):
    assert level(two, "accuracy", "brier") is None


def test_too_few_units_give_a_value_and_no_interval(make):
    made = make()
    made.observe("speed", "new", "latency", [0.01, 0.02, 0.03], ["a", "b", "c"])
    made.observe("accuracy", "new", "nll", [0.1, 0.4])
    for own in (level(made, "speed", "latency"), level(made, "accuracy", "nll")):
        assert own.value > 0
        assert own.low is own.high is None


def test_a_reading_that_could_stop_gets_the_wider_interval_of_a_sequence(make):
    made = make(stop_when_decided=True)
    units = made.store.units("test")["unit"]
    order = [units[i] for i in recorded_shuffle(len(units), 0)]
    answers = (np.random.default_rng(0).random(len(units)) < 0.8).astype(float)
    made.observe("accuracy", "new", "top1", answers, order)
    made.observe("accuracy", "new", "confidence", answers, order)
    own = level(made, "accuracy", "top1")
    fixed = binomtest(int(answers.sum()), len(answers)).proportion_ci(0.95, "exact")
    assert own.method == "betting confidence sequence"
    assert own.low < fixed.low < own.value < fixed.high < own.high
    assert level(made, "accuracy", "calibration").low is None


def test_all_levels_of_a_run_share_its_error_rate(two):
    asked = [q for questions in two.plan.questions.values() for q in questions]
    chancy = sum(q.scale is not Scale.FACT for q in asked)
    assert any(q.role is Role.PRIMARY for q in asked)
    assert simultaneous_level(two.plan) == pytest.approx(1 - 0.05 / (2 * chancy))


@pytest.mark.parametrize("trained", [False, True])
def test_training_seeds_count_only_where_they_make_checkpoints(make, monkeypatch, trained: bool):
    """Of a contender that came trained each seed measures the same weights again: that tells nothing of a recipe."""
    monkeypatch.setattr("netversus.records.ContenderCard.untrained", property(lambda _: True))
    monkeypatch.setattr("netversus.study.Study.trains", lambda _, __: trained)
    made = make(repeats=3, studies=("training", "accuracy"))
    cells = [cell for cell in made.plan.cells if cell.study == "accuracy" and "new" in cell.contenders]
    units = tuple(made.store.units("test")["unit"])
    for cell in cells:
        answers = np.random.default_rng(cell.seed).random(len(units)) < 0.7 + 0.05 * cell.seed
        made.store.cell(cell).append([Observations("new", "top1", units, tuple(map(float, answers)))])
    own = level(made, "accuracy", "top1")
    assert len(cells) == 3
    assert own.method == ("two-way bootstrap over seeds and units" if trained else "Clopper-Pearson interval")
