"""Conditions judged on intervals: three ways to end, the right level for each direction, and how often they err."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.stats import norm

from netversus.analyse import analyse
from netversus.decide.conditions import parse_conditions
from netversus.decide.gate import Gate, State, judge
from netversus.errors import OptionError
from netversus.report import gate_files
from netversus.statistics.proportions import tango


def gate(made, *texts: str, **subject: object) -> Gate:
    return judge(made.subject(**subject), parse_conditions(texts, made.plan))


def one(made, text: str, **subject: object):
    return gate(made, text, **subject).judged[0]


def test_the_threshold_s_place_in_the_interval_decides(two):
    finding = next(f for f in analyse(two.store) if f.metric == "top1" and not f.slice)
    low, high = finding.effect.low, finding.effect.high
    assert 0 < low < high < 0.2
    for threshold, state in (
        (low, State.MET),
        (low + 1e-6, State.UNDECIDED),
        (high, State.UNDECIDED),
        (high + 1e-6, State.FAILED),
    ):
        assert one(two, f"accuracy.top1.delta >= {threshold!r}").state is state
    assert one(two, f"accuracy.top1.delta > {low!r}").state is State.UNDECIDED
    assert one(two, f"accuracy.top1.delta <= {high!r}").state is State.MET
    assert one(two, f"accuracy.top1.delta < {low!r}").state is State.FAILED


def test_a_difference_is_a_fraction_and_the_candidate_s_less_the_baseline_s(two):
    judged = one(two, "accuracy.top1.delta >= 0")
    assert 0.0 < judged.estimate < 0.15  # 8 points by construction, give or take the noise
    mirrored = one(two, "accuracy.top1.delta >= 0", candidate="old", baseline="new")
    assert (mirrored.estimate, mirrored.low, mirrored.high) == pytest.approx(
        (-judged.estimate, -judged.high, -judged.low), abs=1e-9
    )
    assert mirrored.state is State.FAILED


def test_a_ratio_and_a_value_are_in_stored_units(two):
    assert one(two, "speed.latency.ratio <= 1.5").estimate == pytest.approx(2.0, rel=0.05)
    assert one(two, "speed.latency.value <= 20ms").estimate == pytest.approx(0.020, rel=0.05)
    assert one(two, "speed.latency.value <= 30ms").state is State.MET
    assert one(two, "structure.parameters.delta <= 20M").state is State.MET
    assert one(two, "structure.parameters.ratio < 2").state is State.FAILED
    assert one(two, "structure.parameters.value <= 39.9M").state is State.FAILED


def test_passing_is_not_corrected_and_failing_is(two):
    alone = one(two, "accuracy.top1.delta >= 0.01")
    texts = ["accuracy.top1.delta >= 0.01", "accuracy.nll.delta <= 1", "speed.latency.ratio <= 9"]
    joint = gate(two, *texts, "structure.parameters.value <= 90M")
    assert joint.failing_level == pytest.approx(1 - 0.05 / 3)  # a counted number cannot fail by chance
    first = joint.judged[0]
    assert first.low == alone.low
    assert first.high > alone.high
    finding = next(f for f in analyse(two.store) if f.metric == "top1" and not f.slice)
    n = finding.n
    b, c = (round(n * share) for share in _discordant(two))
    assert first.high == pytest.approx(tango(b, c, n, joint.failing_level).high, abs=1e-9)


def _discordant(made) -> tuple[float, float]:
    from netversus.evidence import StudyEvidence

    evidence = StudyEvidence(made.store, made.plan, "accuracy")
    old, new = (evidence.series(name, "top1").values for name in ("old", "new"))
    return float(((new == 1) & (old == 0)).mean()), float(((old == 1) & (new == 0)).mean())


def test_a_gate_errs_no_more_often_than_it_says():
    """On normal estimates: passing wrongly with one condition at its border, failing wrongly with all at theirs."""
    generator, trials, k, alpha = np.random.default_rng(0), 40_000, 5, 0.05
    seen = generator.normal(size=(trials, k))
    inner, outer = norm.isf(alpha / 2), norm.isf(alpha / 2 / k)
    all_but_one_clear = seen + np.array([0, 9, 9, 9, 9])  # thresholds at 0: the first is just violated
    passes_wrongly = (all_but_one_clear - inner >= 0).all(axis=1).mean()
    fails_wrongly = (seen + outer < 0).any(axis=1).mean()
    uncorrected = (seen + inner < 0).any(axis=1).mean()
    assert passes_wrongly == pytest.approx(alpha / 2, abs=0.003)
    assert 0.015 < fails_wrongly <= alpha / 2 + 0.002
    assert uncorrected > 2 * alpha  # what the correction is for


@pytest.mark.parametrize("direction", ["new", "old"])
def test_a_claim_of_a_difference_agrees_with_the_run_s_own_verdict(two, direction):
    other = {"new": "old", "old": "new"}[direction]
    finding = next(f for f in analyse(two.store) if f.metric == "top1" and not f.slice)
    judged = one(two, "accuracy.top1.delta > 0", candidate=direction, baseline=other)
    assert finding.verdict == "B better"
    assert judged.state is {"new": State.MET, "old": State.FAILED}[direction]


def test_an_interval_alone_claims_no_difference_where_the_test_does_not_reject(make):
    made = make()
    # Six blocks, all on one side: the signed-rank interval leaves out 1 at 0.95, the test's p is 2/64.
    blocks = [f"{i}" for i in range(6)]
    made.observe("speed", "old", "latency", [1.0] * 6, blocks)
    made.observe("speed", "new", "latency", [1.10, 1.11, 1.12, 1.13, 1.14, 1.15], blocks)
    made.end()
    assert one(made, "speed.latency.ratio > 1").state is State.MET
    few = one(made, "speed.latency.ratio > 1", level=0.99)
    assert few.state is State.UNDECIDED
    assert "too few" in few.reason
    assert few.low is None


def half_the_time(make):
    """Six blocks, each in half the time: enough for 0.95, too few for 1 - 0.05 / 3."""
    made = make()
    blocks = [f"{i}" for i in range(6)]
    made.observe("speed", "old", "latency", [1.0] * 6, blocks)
    made.observe("speed", "new", "latency", [0.5] * 6, blocks)
    for name in ("old", "new"):
        made.observe("accuracy", name, "top1", [1.0] * 300)
    return made.end()


def test_too_few_units_to_fail_are_no_reason_not_to_pass(make):
    made = half_the_time(make)
    others = ["accuracy.top1.delta >= -0.5", "accuracy.top1.value >= 0.5"]
    joint = gate(made, "speed.latency.ratio <= 1.2", *others)
    assert [each.state for each in joint.judged] == [State.MET] * 3
    alone = one(made, "speed.latency.ratio <= 1.2")
    assert joint.judged[0].high == alone.high
    assert joint.judged[0].low == 0.0
    assert "[0.00×, " in gate_files.interval(joint.judged[0])
    assert gate_files.json_text(joint)  # no number in it is infinite
    more = gate(made, "speed.latency.ratio >= 0.2", *others).judged[0]
    assert (more.state, more.high) == (State.MET, np.inf)


def test_too_few_units_to_fail_are_said_to_be_so_where_they_do_not_pass(make):
    made = half_the_time(make)
    judged = gate(made, "speed.latency.ratio <= 0.4", "accuracy.top1.delta >= 0", "accuracy.top1.value >= 0.5").judged[
        0
    ]
    assert (judged.state, judged.low, judged.high) == (State.UNDECIDED, None, None)
    assert "6 units are too few" in judged.reason
    assert one(made, "speed.latency.ratio <= 0.4").state is State.FAILED


def test_what_has_no_interval_for_another_reason_is_not_called_too_few(make):
    made = make()
    for name in ("old", "new"):
        made.observe("accuracy", name, "nll", [0.5] * 300)
    judged = one(made.end(), "accuracy.nll.delta <= 0.1")
    assert (judged.state, judged.reason) == (State.UNDECIDED, "none: every value is the same")


def test_a_failed_cell_is_not_judged_even_where_it_left_observations(two, make):
    made = make()
    made.observe("accuracy", "old", "top1", [1.0] * 50)
    made.observe("accuracy", "new", "top1", [0.0] * 50)
    made.end("accuracy", error="out of memory")
    judged = one(made, "accuracy.top1.delta >= 0")
    assert judged.state is State.MISSING
    assert "failed: out of memory" in judged.reason


def test_a_cell_that_has_not_ended_or_was_skipped_is_not_judged(make):
    made = make()
    assert "has not ended" in one(made, "speed.latency.ratio <= 2").reason


def test_a_value_asks_nothing_of_the_baseline(make):
    made = make()
    made.observe("accuracy", "new", "top1", [1.0] * 99 + [0.0])
    for cell in made.plan.cells:
        if cell.contenders == ("new",):
            from netversus.records import Done

            made.store.cell(cell).end(Done(cell.key, 1.0, 1))
    assert one(made, "accuracy.top1.value >= 0.9").state is State.MET
    assert one(made, "accuracy.top1.delta >= -0.9").state is State.MISSING


def test_contenders_measured_on_other_images_are_not_compared(make):
    made = make()
    made.observe("accuracy", "old", "top1", [1.0] * 50)
    made.observe("accuracy", "new", "top1", [1.0] * 60)
    made.end()
    judged = one(made, "accuracy.top1.delta >= -0.5")
    assert judged.state is State.MISSING
    assert "not measured on the same units" in judged.reason


def test_the_worst_that_is_certain_comes_first(two, make):
    fail, open_, met = "structure.parameters.value < 1", "accuracy.top1.delta >= 0.05", "structure.parameters.value > 1"
    missing = "accuracy.brier.delta <= 0"
    for texts, code in (
        ((met,), 0),
        ((met, open_), 4),
        ((met, open_, missing), 5),
        ((met, open_, missing, fail), 3),
    ):
        assert gate(two, *texts).exit_code == code


def test_a_verdict_on_security_needs_a_security_study(two):
    with pytest.raises(OptionError, match=r"security verdict needs a security study.*this run holds"):
        gate(two, "security.verdict == pass")


def test_a_study_s_verdict_is_asked_of_its_function(two, monkeypatch):
    from netversus.decide import verdicts
    from netversus.decide.subject import Answer

    for word, state in (("pass", State.MET), ("fail", State.FAILED), ("", State.UNDECIDED)):
        monkeypatch.setattr(
            verdicts, "VERDICTS", {"security": lambda subject, word=word: Answer(word, subject.candidate)}
        )
        monkeypatch.setattr("netversus.decide.gate.VERDICTS", verdicts.VERDICTS)
        judged = one(two, "security.verdict == pass")
        assert (judged.state, judged.reason) == (state, "new")


@pytest.mark.parametrize(("word", "passing", "failing"), [("pass", 0.95, 0.975), ("fail", 0.975, 0.95)])
def test_a_study_s_verdict_meets_at_the_gate_s_level_and_fails_at_its_share(two, monkeypatch, word, passing, failing):
    from netversus.decide.subject import Answer

    asked = []
    monkeypatch.setattr("netversus.decide.gate.VERDICTS", {"security": lambda s: asked.append(s) or Answer("", "")})
    gate(two, "accuracy.top1.delta >= -0.005", f"security.verdict == {word}")
    (subject,) = asked
    assert (subject.level, subject.failing_level) == pytest.approx((passing, failing))


# What JUnit's readers accept: the attributes that the schema of Ant's and Jenkins' readers asks for.
SUITE = {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"}


def test_the_junit_file_has_the_shape_that_its_readers_ask_for(two):
    texts = (
        "structure.parameters.value < 1",
        "accuracy.top1.delta >= 0.05",
        "accuracy.brier.delta <= 0",
        "speed.latency.ratio < 9",
    )
    root = ET.fromstring(gate_files.junit(gate(two, *texts)))
    assert (root.tag, root.attrib) == ("testsuites", {})
    (suite,) = root
    assert set(suite.attrib) == SUITE
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["4", "1", "2"]
    assert len(suite.get("timestamp")) == len("2026-01-01T00:00:00")
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 4, "system-out", "system-err"]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == list(texts)
    assert all(set(case.attrib) == {"name", "classname", "time"} for case in cases)
    assert [[child.tag for child in case] for case in cases] == [["failure"], ["error"], ["error"], []]
    assert all({"message", "type"} == set(child.attrib) for case in cases for child in case)
    assert "not measured" in cases[2][0].get("message")


def test_hostile_names_are_text_in_every_output(make):
    hostile = 'file:<b>&"]]> | `x` \x00\x1b[31m\u202e.pt'
    made = make("old", hostile)
    made.end(error="boom <script>\x08 | x")
    judged = gate(made, "accuracy.top1.delta >= 0", candidate=hostile)
    root = ET.fromstring(gate_files.junit(judged))  # parses: nothing that XML forbids
    assert r"\x00\x1b[31m\u202e" in root[0].get("name")
    summary = gate_files.summary(judged)
    assert "\x1b" not in summary
    assert "<b>" not in summary.replace("\\<b", "")
    assert summary.count("\n|") == 3
    assert "\x00" not in gate_files.json_text(judged)
