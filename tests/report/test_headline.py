"""The run in one sentence, its reasons, and what must be known before believing it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest

from netversus.records import DataCard, Direction, Effect, Finding, Role, Scale, Verdict
from netversus.report.caveats import caveats
from netversus.report.guessing import guessers
from netversus.report.headline import headline, reasons
from netversus.report.standing import Standing
from netversus.report.view import ReportView

from .conftest import A, B, example_view, make_finding

VIEW = example_view()
DATA = VIEW.data
TOP1 = VIEW.sections[2].questions[0]
LATENCY, PARAMETERS = VIEW.sections[3].findings[0], VIEW.sections[0].findings[0]
ASKS = {(s.name, q.metric): q.asks for s in VIEW.sections for q in s.questions}


def _top1(a: str = A, b: str = B, **changes: object) -> Finding:
    values = changes.pop("values", (0.832, 0.841))
    given = {"n": 797, "effect": Effect(0.009, -0.0061, 0.0242, 0.95), "margin_declared": 0.02, "a": a, "b": b}
    return make_finding("accuracy", TOP1, values, **{**given, **changes})  # type: ignore[arg-type]


def _better(a: str = A, b: str = B, gain: float = 0.05) -> Finding:
    verdict = Verdict.B_BETTER if gain > 0 else Verdict.A_BETTER
    effect = Effect(gain, gain - 0.02, gain + 0.02, 0.95)
    return _top1(a, b, values=(0.8, 0.8 + gain), effect=effect, verdict=verdict)


def _same(a: str = A, b: str = B) -> Finding:
    return _top1(a, b, effect=Effect(0.001, -0.008, 0.01, 0.95), verdict=Verdict.EQUIVALENT)


def _open(a: str = A, b: str = B) -> Finding:
    return _top1(a, b, further_units=1234)


def _refused(a: str = A, b: str = B) -> Finding:
    reason = "seed 1 was not measured on the units of seed 0"
    return replace(_top1(a, b), value_a=None, value_b=None, effect=None, caveats=(reason,), sentence="No comparison.")


def _say(*findings: Finding, data: DataCard = DATA, level: float = 0.95, baseline: str = "") -> str:
    said = headline(findings, data, level, baseline)
    assert said.endswith(".")
    assert "significant" not in said
    return said


# -- two contenders


def test_a_winner_without_a_drawback_is_recommended_with_the_error_rate():
    assert _say(_better(gain=-0.05), LATENCY) == (
        f"Take {A}: it is more accurate than {B} by 5.0 points, and a verdict like this is wrong at most 1 time in 20."
    )
    assert "wrong at most 1 time in 100" in _say(_better(), level=0.99)


def test_a_winner_that_is_slower_and_larger_is_recommended_with_that_beside_it():
    assert _say(_better(), LATENCY, PARAMETERS) == (
        f"Take {B} if that decides: it is more accurate than {A} by 5.0 points, and a verdict like this is wrong at "
        f"most 1 time in 20; but {A} is 1.80× faster and has 0.57× the parameters."
    )


def test_of_equals_the_one_that_is_faster_and_smaller_is_recommended():
    assert _say(_same(), LATENCY, PARAMETERS) == (
        f"Take {A}: the two are equally accurate within 2 points, and a verdict like this is wrong at most 1 time in "
        "20; it is 1.80× faster and has 0.57× the parameters."
    )


def test_of_equals_with_nothing_between_them_either_will_do():
    assert _say(_same()).startswith("Either will do: the two are equally accurate within 2 points")


def test_of_equals_with_something_for_each_nobody_is_recommended():
    smaller = replace(PARAMETERS, verdict=Verdict.B_BETTER, value_a=44e6, value_b=25e6)
    said = _say(_same(), LATENCY, smaller)
    assert said.startswith("Either will do")
    assert f"{A} is 1.80× faster and {B} has 0.57× the parameters" in said


def test_undecided_is_said_to_be_so_with_what_would_decide_and_what_is_known():
    assert _say(_open(), LATENCY, PARAMETERS) == (
        f"Cannot tell yet which is more accurate: {A} 83.2 %, {B} 84.1 % on 797 images, and about 1,300 more images "
        f"would be needed; {A} is 1.80× faster and has 0.57× the parameters."
    )


def test_undecided_recipes_want_more_training_seeds_on_the_same_images():
    said = _say(_top1(further_units=4, scope="recipes"))
    assert said.endswith("on 797 images, and about 4 more training seeds would be needed.")


def test_an_undecided_timing_is_not_said_as_a_fact():
    assert "faster" not in _say(_open(), replace(LATENCY, verdict=Verdict.UNDECIDED))


def test_a_timing_of_the_training_is_called_one_and_speed_comes_before_it():
    training = replace(LATENCY, study="training", effect=Effect(1.4, 1.3, 1.5, 0.95))
    assert f"{A} trains 1.40× faster" in _say(_open(), training)
    assert f"{A} is 1.80× faster" in _say(_open(), training, LATENCY)


def test_a_throughput_is_said_as_how_many_times_as_many():
    throughput = replace(
        LATENCY, metric="throughput", direction=Direction.HIGHER, unit="images/s", effect=Effect(0.5, 0.4, 0.6, 0.95)
    )
    assert f"{A} does 2.00× as many images/s" in _say(_open(), throughput)


def test_what_was_only_described_is_not_judged():
    said = _say(_top1(verdict=Verdict.DESCRIBED))
    assert said == f"{A} 83.2 %, {B} 84.1 % on 797 images: described, not judged."


def test_a_primary_question_without_words_of_its_own_is_named():
    other = replace(_better(), study="corruption", metric="retained")
    assert f"{B}: it is better on corruption (retained) than {A}" in _say(other)


# -- nothing to rest on


def test_without_a_primary_question_there_is_no_verdict_but_what_is_known():
    assert _say(LATENCY, PARAMETERS) == (
        f"No verdict on which is better, for that was not measured; {A} is 1.80× faster and has 0.57× the parameters."
    )
    assert _say() == "No verdict: the question that would decide was not measured."


def test_contenders_that_could_not_be_paired_get_the_reason():
    assert _say(_refused(), LATENCY) == "No verdict: seed 1 was not measured on the units of seed 0."


def test_contenders_that_guess_are_no_tie_and_no_contest():
    guess = _top1(values=(0.10, 0.11), effect=Effect(0.01, -0.005, 0.015, 0.95), verdict=Verdict.EQUIVALENT)
    assert set(guessers(guess, DATA)) == {A, B}
    said = _say(guess, LATENCY)
    assert said == "Cannot tell: on these images no contender is better than guessing (10.0 % is right by chance)."


def test_one_that_guesses_may_lose_and_is_said_to_have_learned_nothing():
    finding = _top1(values=(0.10, 0.80), effect=Effect(0.7, 0.65, 0.75, 0.95), verdict=Verdict.B_BETTER)
    assert _say(finding).startswith(f"Take {B}")
    assert caveats([finding], VIEW.contenders, DATA, 0)[0] == (
        f"{A} is not better than guessing (10.0 %) on these images: it has not learned them."
    )


def test_what_is_no_top_1_cannot_be_called_guessing():
    assert guessers(replace(_top1(values=(0.1, 0.1)), metric="top5"), DATA) == ()
    assert guessers(replace(_top1(values=(0.1, 0.1)), scope="recipes"), DATA) == ()
    assert guessers(_top1(values=(0.1, 0.1)), replace(DATA, classes=("one",))) == ()


# -- several contenders


def _pairs(names: str, **verdicts: Finding) -> list[Finding]:
    """A finding a pair of one-letter names; those that are not given are undecided."""
    return [verdicts.get(a + b, _open(a, b)) for a, b in combinations(names, 2)]


def test_one_that_beats_all_is_recommended():
    found = _pairs("ABC", AC=_better("A", "C"), BC=_better("B", "C"))
    assert _say(*found) == (
        "Take C: it is more accurate than each of the 2 others, and a verdict like this is wrong at most 1 time in 20."
    )


def test_of_several_equals_at_the_top_any_will_do_or_the_fastest():
    found = _pairs("ABC", AB=_better("A", "B"), AC=_better("A", "C"), BC=_same("B", "C"))
    end = (
        "they are equally accurate within 2 points and more accurate than the other, and a verdict like this is wrong "
    )
    assert _say(*found) == f"Take any of B and C: {end}at most 1 time in 20."
    faster = replace(LATENCY, a="B", b="C", verdict=Verdict.B_BETTER, effect=Effect(0.5, 0.4, 0.6, 0.95))
    assert _say(*found, faster).startswith("Take C, the fastest of B and C: they are equally accurate")


def test_all_the_same_is_no_better_than_the_others():
    found = _pairs("ABC", AB=_same("A", "B"), AC=_same("A", "C"), BC=_same("B", "C"))
    assert _say(*found).startswith("Take any of A, B and C: they are equally accurate within 2 points, and a verdict")


def test_sameness_is_not_carried_over_from_pair_to_pair():
    found = _pairs("ABC", AB=_same("A", "B"), BC=_same("B", "C"), AC=_better("A", "C"))
    assert Standing(found).leaders() == ()
    assert _say(*found).startswith(
        "Cannot tell yet which is more accurate among B and C: 3 of 3 pairs are decided; A is"
    )


def test_those_that_nobody_beats_are_named_and_the_others_are_out():
    found = _pairs("ABCD", AC=_better("A", "C"), AD=_better("A", "D"), BD=_better("B", "D"))
    standing = Standing(found)
    assert standing.unbeaten() == ("C", "D")
    assert (standing.decided, standing.pairs) == (3, 6)
    assert _say(*found) == (
        "Cannot tell yet which is more accurate among C and D: 3 of 6 pairs are decided; A and B are out, and a verdict "
        "like this is wrong at most 1 time in 20."
    )


def test_a_leader_that_has_not_beaten_all_yet_is_not_recommended():
    found = _pairs("ABC", AC=_better("A", "C"), AB=_better("A", "B", -0.05))
    assert Standing(found).unbeaten() == ("C",)
    assert _say(*found).startswith("Cannot tell yet whether C is more accurate than each of the others: 2 of 3 pairs")


def test_nothing_decided_is_said_plainly():
    assert _say(*_pairs("ABC")) == "Cannot tell yet which of the 3 is more accurate: 0 of 3 pairs are decided."


def test_a_standing_of_one_that_beats_all():
    standing = Standing(_pairs("ABC", AB=_better("A", "B", -0.05), AC=_better("A", "C", -0.05)))
    assert standing.beats_all() == "A"
    assert standing.unbeaten() == ("A",)


def test_a_contender_without_a_finding_is_left_out_and_that_is_said(view: ReportView):
    third = replace(view.contenders[0], name="onnx:third.onnx")
    said = caveats([_better()], (*view.contenders, third), DATA, 0)
    assert said == ("onnx:third.onnx has no finding on the primary question: it is left out of the verdict.",)


# -- compared with a baseline


SURE = ", and a verdict like this is wrong at most 1 time in 20."


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (
            (_better("A", "B"), _same("A", "C")),
            f"Take B: it is more accurate than A; A and C are equally accurate within 2 points{SURE}",
        ),
        (
            (_better("A", "B"), _better("A", "C")),
            f"Take one of B and C: they are more accurate than A (and were not compared with each other){SURE}",
        ),
        (
            (_better("A", "B", -0.05), _same("A", "C")),
            f"Stay with A: A and C are equally accurate within 2 points; A is more accurate than B{SURE}",
        ),
        (
            (_better("A", "B", -0.05), _open("A", "C")),
            f"Cannot tell yet whether to leave A: A is more accurate than B; of C it cannot be told yet{SURE}",
        ),
        ((_open("A", "B"), _open("A", "C")), "Cannot tell yet whether to leave A: of B and C it cannot be told yet."),
    ],
    ids=["one better", "two better", "none better", "some open", "all open"],
)
def test_a_baseline_is_left_or_kept(verdicts: tuple[Finding, ...], said: str):
    assert _say(*verdicts, baseline="A") == said


def test_a_baseline_with_one_other_is_a_comparison_of_two():
    assert _say(_better("A", "B"), baseline="A").startswith("Take B: it is more accurate than A by 5.0 points")


# -- reasons


def test_there_are_three_reasons_at_most_the_primary_question_first():
    known = "The difference lies within [−0.6, +2.4 points]; less than 2 points would not matter."
    assert reasons(VIEW.findings, ASKS) == (
        f"Which contender's first answer is right more often? {known}",
        f"Which contender answers faster, one image at a time? {LATENCY.sentence}",
        f"Which contender trains faster, per image? {VIEW.sections[1].findings[0].sentence}",
    )


def test_a_decided_primary_question_is_said_with_its_own_sentence():
    assert reasons([_better()], ASKS) == (f"Which contender's first answer is right more often? {_better().sentence}",)


def test_an_undecided_finding_of_another_study_is_no_reason():
    assert len(reasons([_better(), replace(LATENCY, verdict=Verdict.UNDECIDED)], ASKS)) == 1


def test_slices_are_no_reasons():
    assert len(reasons([_better(), replace(LATENCY, slice="class: 7")], ASKS)) == 1


def test_of_many_pairs_those_of_the_best_come_first_and_each_says_whom_it_is_about():
    found = _pairs("WXYZ", WX=_better("W", "X"), WZ=_better("W", "Z"), XZ=_better("X", "Z"), YZ=_same("Y", "Z"))
    said = reasons(found, ASKS)
    assert len(said) == 3
    asks = "Which contender's first answer is right more often?"
    assert said[0].startswith(f"{asks} Y and Z: Practically the same"), "those that nobody beats"
    assert said[1].startswith(f"{asks} W and Y: The difference lies within")
    assert said[2].startswith(f"{asks} Z is better than W")


def test_the_words_of_a_reason_are_the_ratio_where_ratios_are_meant():
    timed = replace(LATENCY, role=Role.PRIMARY, scale=Scale.RATIO, verdict=Verdict.UNDECIDED)
    assert reasons([timed], ASKS)[0].endswith("The ratio lies within [1.71×, 1.91×]; less than 5 % would not matter.")


# -- what must be known


def test_unfinished_work_is_counted():
    assert caveats([_better()], VIEW.contenders, DATA, 1)[-1].startswith("1 planned cell was not measured whole")
    assert caveats([_better()], VIEW.contenders, DATA, 1234)[-1].startswith("1,234 planned cells were not")
    assert caveats([_better()], VIEW.contenders, DATA, 0) == ()


def test_the_caveats_of_the_primary_findings_are_said_once_and_at_most_two():
    found = [replace(_better(a, b), caveats=("one", "two", "three")) for a, b in (("A", "B"), ("A", "C"), ("B", "C"))]
    cards = [replace(VIEW.contenders[0], name=name) for name in "ABC"]
    assert caveats(found, cards, DATA, 0) == ("one", "two")


def test_a_refusal_is_the_headline_and_no_caveat():
    assert caveats([_refused()], VIEW.contenders, DATA, 0) == ()
