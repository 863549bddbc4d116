"""The grammar of a gate, and amounts as people write them."""

from __future__ import annotations

import pytest

from netversus.decide.amounts import Ask, parse_amount
from netversus.decide.conditions import parse_condition, parse_conditions
from netversus.decide.naming import find_sides
from netversus.errors import OptionError
from netversus.records import Direction, Question, Scale


@pytest.mark.parametrize(
    ("text", "statistic", "relation", "threshold"),
    [
        ("accuracy.top1.delta >= -0.005", "delta", ">=", -0.005),
        ("accuracy.top1.delta>=-0.5 points", "delta", ">=", -0.005),
        ("accuracy.top1.value >= 75%", "value", ">=", 0.75),
        ("  accuracy.top1.value   >  .75 ", "value", ">", 0.75),
        ("speed.latency_p95.ratio <= 1.2", "ratio", "<=", 1.2),
        ("speed.latency_p95.ratio < 1.2x", "ratio", "<", 1.2),
        ("speed.latency.value <= 20ms", "value", "<=", 0.02),
        ("structure.parameters.value <= 30M", "value", "<=", 30e6),
        ("structure.parameters.ratio <= 2", "ratio", "<=", 2.0),
        ("accuracy.nll.delta <= 5e-2 nats", "delta", "<=", 0.05),
    ],
)
def test_a_condition_is_read(two, text, statistic, relation, threshold):
    read = parse_condition(text, two.plan)
    assert (read.statistic, read.relation) == (statistic, relation)
    assert read.threshold == pytest.approx(threshold, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("acuracy.top1.delta >= 0", "did you mean accuracy?"),
        ("accuracy.top2.delta >= 0", "has no metric 'top2' (did you mean top5 or top1?)"),
        (
            "accuracy.top1.detla >= 0",
            "at character 15: expected value, delta or ratio, got 'detla' (did you mean delta?)",
        ),
        ("accuracy.top1.delta => 0", "at character 21: expected >=, <=, > or <, got '=>'"),
        ("accuracy.top1.delta == 0", "an interval cannot show that a measured number equals another"),
        ("accuracy.top1.delta", "at character 20: expected >=, <=, > or <, got the end"),
        ("accuracy.top1.delta 0", "at character 21: expected >=, <=, > or <, got '0'"),
        ("accuracy.top1.delta >= zero", "at character 24: expected a number, alone or with %, point or points"),
        ("accuracy.top1.delta >= 1ms", "got the unit 'ms'"),
        ("accuracy.top1.delta >= 1 2", "got the unit '2'"),
        ("accuracy.top1.value >= nan", "expected a number"),
        ("accuracy.top1.value >= 75", "write 0.75 or 75%"),
        ("accuracy.top1.delta >= -2", "would be -200 %"),
        ("accuracy.top1.ratio >= 1", "compared by its delta, not by its ratio (accuracy.top1.delta)"),
        ("speed.latency.delta <= 1", "compared by its ratio"),
        ("accuracy.ece.value <= 5%", "at character 1: accuracy.ece is only described"),
        ("accuracy.ece.delta <= 0", "it has no interval (accuracy.calibration is judged)"),
        ("speed.latency.ratio <= -1", "a ratio is above 0"),
        ("speed.latency.value <= 0", "is above 0"),
        ("accuracy.delta >= 0", "expected study.metric.statistic or study.verdict"),
        ("accuracy..delta >= 0", "at character 10: expected a name"),
        (">= 0", "expected a name"),
        ("", "expected a name"),
        ("detection.map.delta >= 0", "there is no study 'detection' in this run"),
        ("securty.verdict == pass", "did you mean security?"),
        ("security.verdict >= pass", "at character 18: expected =="),
        ("security.verdict == passed", "expected pass or fail, got 'passed' (did you mean pass?)"),
    ],
)
def test_a_wrong_condition_gets_one_line_that_says_where_and_what_is_allowed(two, text, told):
    with pytest.raises(OptionError) as caught:
        parse_condition(text, two.plan)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_condition_written_twice_counts_once(two):
    texts = ["accuracy.top1.delta >= 0", "accuracy.top1.delta  >=  0", "accuracy.top1.delta > 0"]
    assert len(parse_conditions(texts, two.plan)) == 2


def test_a_gate_without_a_condition_is_refused(two):
    with pytest.raises(OptionError, match="needs a condition"):
        parse_conditions([], two.plan)


@pytest.mark.parametrize(
    ("unit", "text", "number"),
    [
        ("s", "20ms", 0.02),
        ("s", "150 µs", 150e-6),
        ("s", "150us", 150e-6),
        ("s", "0.5", 0.5),
        ("bytes", "2GiB", 2.0**31),
        ("bytes", "1.5 MB", 1.5e6),
        ("bytes", "4096", 4096.0),
        ("MACs", "4.1G", 4.1e9),
        ("images/s", "300", 300.0),
        ("images/s", "300 images/s", 300.0),
        ("", "−1.5", -1.5),
    ],
)
def test_an_amount_is_read_in_the_metric_s_unit(unit, text, number):
    question = Question("m", "?", Scale.MEAN, Direction.LOWER, unit, "image")
    assert parse_amount(text, Ask(question)) == pytest.approx(number, rel=1e-12)


def test_the_sides_of_a_gate_are_told_apart_as_far_as_they_can_be(two, four):
    assert find_sides(two.plan, "", "") == ("new", "old")
    assert find_sides(two.plan, "old", "") == ("old", "new")
    assert find_sides(two.plan, "", "new") == ("old", "new")
    assert find_sides(two.plan, "spec of new", "") == ("new", "old")
    assert find_sides(four.plan, "twin", "small") == ("twin", "small")
    for candidate, baseline, told in (
        ("twin", "", "--baseline"),
        ("", "small", "--candidate"),
        ("twin", "twin", "both the candidate and the baseline"),
        ("twn", "small", "did you mean twin?"),
    ):
        with pytest.raises(OptionError, match=told.replace("?", r"\?")):
            find_sides(four.plan, candidate, baseline)


def test_the_run_s_baseline_is_the_gate_s(make):
    made = make("a", "b", "c", baseline="b")
    assert find_sides(made.plan, "c", "") == ("c", "b")
