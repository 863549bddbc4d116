"""Each finding in plain words, and in a statistician's."""

from __future__ import annotations

from dataclasses import replace

from netversus.messages import speaking
from netversus.records import Direction, Effect, Finding, Role, Scale, Verdict
from netversus.wording import expert_sentence, further, plain_error_rate, sentence, winner

TOP1 = Finding(
    study="accuracy",
    metric="top1",
    a="resnet50",
    b="resnet101",
    verdict=Verdict.B_BETTER,
    role=Role.PRIMARY,
    scale=Scale.PROPORTION,
    direction=Direction.HIGHER,
    unit="%",
    paired_on="image",
    n=5000,
    value_a=0.761,
    value_b=0.774,
    effect=Effect(0.013, 0.006, 0.02, 0.95),
    margin=0.01,
    margin_declared=0.01,
    method="McNemar mid-p; Tango interval",
    sentence="",
    expert="",
    p_raw=0.0004,
    p_value=0.0012,
)
LATENCY = replace(
    TOP1,
    study="speed",
    metric="latency",
    scale=Scale.RATIO,
    direction=Direction.LOWER,
    unit="s",
    paired_on="timing block",
    value_a=0.01,
    value_b=0.018,
    effect=Effect(1.8, 1.7, 1.9, 0.95),
    verdict=Verdict.A_BETTER,
)


def test_better_names_the_winner_both_values_and_the_interval():
    assert sentence(TOP1) == (
        "resnet101 is better than resnet50: resnet50 76.1 %, resnet101 77.4 %; "
        "the difference lies within [+0.6, +2.0 points]."
    )
    assert winner(TOP1) == "resnet101"


def test_a_time_is_said_as_faster_whichever_way_round():
    assert sentence(LATENCY) == "resnet50 is 1.80× faster than resnet101 (between 1.70× and 1.90×)."
    mirrored = replace(LATENCY, effect=Effect(0.5, 0.4, 0.625, 0.95), verdict=Verdict.B_BETTER)
    assert sentence(mirrored) == "resnet101 is 2.00× faster than resnet50 (between 1.60× and 2.50×)."


def test_a_throughput_is_said_as_images_a_second():
    finding = replace(LATENCY, unit="images/s", direction=Direction.HIGHER, effect=Effect(0.5, 0.4, 0.625, 0.95))
    said = "resnet50 does 2.00× as many images a second as resnet101 (between 1.60× and 2.50×)."
    assert sentence(finding) == said


def test_equivalent_names_the_margin_and_never_says_not_significant():
    said = sentence(replace(TOP1, verdict=Verdict.EQUIVALENT))
    assert said.startswith("Practically the same: the difference is smaller than 1 point")
    assert "significant" not in said


def test_a_margin_that_was_changed_later_was_not_named_beforehand():
    said = sentence(replace(TOP1, verdict=Verdict.EQUIVALENT, margin=0.05))
    assert said == "Practically the same: the difference is smaller than 5 points."


def test_what_would_decide_recipes_is_counted_in_training_seeds():
    recipes = replace(TOP1, verdict=Verdict.UNDECIDED, further_units=4, scope="recipes")
    assert further(recipes) == ("4", "training seeds")
    assert further(replace(recipes, further_units=1)) == ("1", "training seed")
    assert sentence(recipes).startswith("Cannot tell yet; about 4 more training seeds would be needed (")
    assert sentence(recipes).endswith("on 5,000 images).")
    with speaking("zh"):
        assert "4 个训练种子" in sentence(recipes)
    assert further(replace(recipes, scope="checkpoints")) == ("4", "images")


def test_nothing_more_is_needed_where_nothing_is_open():
    for changes in ({"verdict": Verdict.EQUIVALENT}, {"further_units": None}):
        assert further(replace(TOP1, **{"verdict": Verdict.UNDECIDED, "further_units": 4, **changes})) is None


def test_undecided_says_how_many_more_units_and_never_says_equal():
    said = sentence(replace(TOP1, verdict=Verdict.UNDECIDED, further_units=12_345))
    assert said.startswith("Cannot tell yet; about 13,000 more images would be needed")
    assert "equal" not in said
    assert "same" not in said
    assert sentence(replace(TOP1, verdict=Verdict.UNDECIDED, further_units=None)).startswith("Cannot tell yet (")


def test_a_fact_has_no_interval_in_words():
    fact = replace(
        TOP1, scale=Scale.FACT, unit="parameters", value_a=25_557_032, value_b=44_549_160, effect=None, p_raw=None
    )
    assert sentence(fact) == "resnet50 25.6 M, resnet101 44.5 M: resnet101 has 1.74× as many parameters as resnet50."
    assert "no interval" in expert_sentence(fact)


def test_the_expert_reads_estimate_interval_level_margin_n_and_test():
    said = expert_sentence(TOP1)
    for part in ("+1.3 points", "95 % interval", "[+0.6, +2.0 points]", "margin 1 point", "n = 5,000", "p < 0.001",
                 "after correction p = 0.001", "McNemar mid-p"):  # fmt: skip
        assert part in said, part


def test_an_error_rate_in_plain_words():
    assert plain_error_rate(0.95) == "wrong at most 1 time in 20"
    assert plain_error_rate(0.99) == "wrong at most 1 time in 100"
    assert plain_error_rate(0.975) == "wrong at most 1 time in 40"


def test_what_has_no_interval_for_another_reason_is_not_called_too_few():
    bare = replace(TOP1, effect=None, p_raw=None, p_value=None, verdict=Verdict.UNDECIDED)
    why = "none: its bias depends on the number of units, so that no interval holds the truth"
    assert "too few" not in expert_sentence(replace(bare, method=why))
    assert expert_sentence(replace(bare, method=why)).endswith(f"on 5,000 paired images. Method: {why}.")
    assert "4 paired images are too few for an interval" in expert_sentence(replace(bare, n=4, method="Wilcoxon"))


EARLY = replace(TOP1, n=6016, available=50_000, e_value=23.4, p_raw=None, p_value=None)


def test_a_verdict_reached_early_says_after_how_many_and_that_looking_is_accounted_for():
    for verdict in (Verdict.B_BETTER, Verdict.EQUIVALENT):
        said = sentence(replace(EARLY, verdict=verdict))
        assert said.endswith("Decided after 6,016 of 50,000 images; looking while they were read is accounted for.")
    assert "Decided" not in sentence(TOP1)


def test_the_expert_reads_a_confidence_sequence_and_no_p_value_of_what_stopped_early():
    said = expert_sentence(EARLY)
    assert "95 % confidence sequence [+0.6, +2.0 points]" in said
    assert "e = 23.4, valid at every look" in said
    assert "p =" not in said
    assert "p <" not in said


def test_what_has_no_interval_after_an_early_stop_says_so():
    method = "none: no interval for it holds when the reading may stop early"
    said = expert_sentence(replace(EARLY, effect=None, e_value=None, method=method, verdict=Verdict.UNDECIDED))
    assert said == f"resnet50 76.1 %, resnet101 77.4 % on 6,016 paired images. Method: {method}."
