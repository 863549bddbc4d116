"""Limits and priorities: the utility by hand, flips that flip, probabilities against a peer, and honest doubt."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from netversus.analyse import analyse
from netversus.decide.axes import Axis, Gain
from netversus.decide.choice import Field, choice, fits
from netversus.decide.draws import normal_draws
from netversus.decide.flips import find_flips
from netversus.decide.front import Sure, front
from netversus.decide.levels import Level
from netversus.decide.priorities import (
    Limit,
    Priorities,
    default_weights,
    parse_limits,
    parse_weights,
    refuse_unweighable,
)
from netversus.decide.recommend import field_of, recommend
from netversus.decide.utility import chances, lead, utility
from netversus.errors import OptionError
from netversus.records import Direction, Finding, Question, Scale, Verdict


@pytest.fixture(scope="module")
def field(four) -> Field:
    return field_of(four.store, four.plan)


@pytest.fixture(scope="module")
def of_two(two) -> Field:
    return field_of(two.store, two.plan)


def weights(**given: float) -> Priorities:
    return Priorities({name.replace("__", "."): weight for name, weight in given.items()})


def test_steps_are_margins_of_quality_and_halvings_of_cost(two, of_two):
    found = {(f.study, f.metric): f for f in analyse(two.store) if not f.slice}
    top1, latency = found["accuracy", "top1"], found["speed", "latency"]
    wanted = {"accuracy.top1": 2.0, "speed.latency": 0.5, "structure.parameters": 0.25}
    gap = utility(of_two.axes, wanted, "new") - utility(of_two.axes, wanted, "old")
    by_hand = 2 * (top1.effect.estimate / 0.01) - 0.5 * log2(latency.effect.estimate) - 0.25 * log2(2)
    assert gap == pytest.approx(by_hand, rel=1e-12)


def test_a_standard_deviation_is_the_interval_s_width_over_twice_its_normal_quantile(two, of_two):
    finding = next(f for f in analyse(two.store) if f.metric == "top1" and not f.slice)
    z = norm.isf((1 - finding.effect.level) / 2)
    by_hand = (finding.effect.high - finding.effect.low) / (2 * z) / 0.01
    assert lead(of_two.axes, {"accuracy.top1": 1.0}, "new", "old").spread == pytest.approx(by_hand, rel=1e-12)


def test_questions_are_taken_to_go_together_wholly(of_two):
    spread = lambda w: lead(of_two.axes, w, "new", "old").spread  # noqa: E731
    top1, nll, latency = ({name: weight} for name, weight in WEIGHED)
    for one, two in ((top1, nll), (top1, latency)):
        assert spread(one | two) == pytest.approx(spread(one) + spread(two))


WEIGHED = (("accuracy.top1", 1.0), ("accuracy.nll", 0.5), ("speed.latency", 2.0))


@pytest.mark.parametrize("together", [-0.5, 0.0, 0.5, 1.0])
def test_two_studies_of_the_same_images_lead_surely_no_more_often_wrongly_than_agreed(together):
    """Two equals on two questions whose errors go together so much: whoever leads surely leads wrongly."""
    generator, deviation, trials = np.random.default_rng(0), 0.1, 20_000
    seen = generator.multivariate_normal([0, 0], deviation**2 * np.array([[1, together], [together, 1]]), trials)
    field = plane(x={"a": 0.0, "b": 0.0}, y={"a": 0.0, "b": 0.0})
    split = [replace(axis, study=study) for axis, study in zip(field.axes, ("accuracy", "corruption"), strict=True)]
    spread = lead(split, {"accuracy.x": 1.0, "corruption.y": 1.0}, "a", "b").spread
    wrong = (seen.sum(axis=1) > field.reach * spread).mean()
    assert wrong <= 0.025 + 0.0025
    apart = (seen.sum(axis=1) > field.reach * np.sqrt(2) * deviation).mean()
    assert apart > 0.05 or together <= 0  # what adding the variances would come to: 5.5 % at 0.5


def test_places_of_many_are_the_least_squares_fit_to_all_pairs(four, field):
    axis = field.by_name["speed.latency"]
    found = [f for f in analyse(four.store) if f.metric == "latency"]
    pairs = {(f.a, f.b): -log2(f.effect.estimate) for f in found}
    names = list(axis.places)
    # With all pairs compared, the fit is each contender's mean gain over the others.
    mean = {n: np.mean([pairs.get((m, n), -pairs.get((n, m), 0.0)) for m in names]) for n in names}
    for n in names:
        assert axis.places[n] - axis.places[names[0]] == pytest.approx(mean[n] - mean[names[0]], abs=1e-12)


def test_a_baseline_s_comparisons_lead_from_each_to_each(make):
    from decide.conftest import fill

    made = make("base", "a", "b", baseline="base")
    for name, seconds, seed in (("base", 0.01, 1), ("a", 0.02, 2), ("b", 0.04, 3)):
        fill(made, name, right=0.8, seconds=seconds, parameters=1e6, seed=seed)
    axis = field_of(made.end().store, made.plan).by_name["speed.latency"]
    to_a, to_b, between = axis.gains["base", "a"], axis.gains["base", "b"], axis.gains["a", "b"]
    assert axis.places["b"] - axis.places["a"] == pytest.approx(to_b.mean - to_a.mean)
    assert between.spread == pytest.approx(np.hypot(to_a.spread, to_b.spread))
    assert between.low == pytest.approx(to_b.low - to_a.high)


def test_the_default_priority_is_the_primary_question(of_two):
    assert default_weights(of_two.axes) == {"accuracy.top1": 1.0}
    found = recommend(of_two, Priorities(default_weights(of_two.axes)))
    assert (found.choice, found.certain, found.exit_code) == ("new", True, 0)


def few(make, differences) -> tuple[Finding, Field]:
    """Two contenders whose loss was seen on a few images."""
    made = make(primary="accuracy.nll")
    made.observe("accuracy", "old", "nll", [2.0] * len(differences))
    made.observe("accuracy", "new", "nll", [2.0 - each for each in differences])
    made.end()
    (finding,) = (f for f in analyse(made.store) if f.metric == "nll")
    return finding, field_of(made.store, made.plan)


def test_nothing_is_surer_than_the_test_that_made_the_report_undecided(make):
    """Six images: the t interval leaves out 0, and the sign-flip test has p = 4 / 64."""
    finding, field = few(make, (1.1, 1.2, 0.9, 1.0, 1.0, -0.05))
    assert finding.p_raw == pytest.approx(1 / 16)
    assert (finding.verdict, finding.effect.high < 0) == (Verdict.UNDECIDED, True)
    found = recommend(field, weights(accuracy__nll=1))
    assert (found.choice, found.certain, found.exit_code) == ("new", False, 4)
    assert {option.contender: option.on_front for option in found.options} == {"old": Sure.PERHAPS, "new": Sure.PERHAPS}
    assert found.options[1].chance == pytest.approx(1 - finding.p_raw / 2)


def test_few_units_are_certain_where_the_report_is(make):
    finding, field = few(make, (1.1, 1.2, 0.9, 1.0, 1.0, 0.95))
    assert finding.verdict is Verdict.B_BETTER
    assert recommend(field, weights(accuracy__nll=1)).certain


def test_fewer_units_than_any_test_could_reject_with_are_never_certain(make):
    made = make()
    made.observe("accuracy", "old", "top1", [0.0] * 5)
    made.observe("accuracy", "new", "top1", [1.0] * 5)
    made.end()
    finding = next(f for f in analyse(made.store) if f.metric == "top1")
    assert finding.p_raw < 0.05
    assert (finding.verdict, finding.effect.low > 0) == (Verdict.UNDECIDED, True)
    assert not recommend(field_of(made.store, made.plan), weights(accuracy__top1=1)).certain


@pytest.mark.parametrize("seed", range(6))
def test_of_two_on_one_question_the_choice_is_certain_where_the_verdict_is(make, seed: int):
    generator = np.random.default_rng(seed)
    finding, field = few(make, generator.normal(0.8 * (seed % 3), 0.5, 6 + seed) ** 3)
    decided = finding.verdict in (Verdict.A_BETTER, Verdict.B_BETTER)
    assert recommend(field, weights(accuracy__nll=1)).certain is decided


def test_what_cannot_be_told_is_undecided(field):
    found = recommend(field, weights(accuracy__top1=1))
    assert found.choice in ("middle", "twin")
    assert not found.certain
    assert found.exit_code == 4


@pytest.mark.parametrize(
    ("at_least", "threshold", "expected"),
    [
        (True, 0.1, Sure.YES),
        (True, 0.2, Sure.YES),
        (True, 0.25, Sure.PERHAPS),
        (True, 0.3, Sure.PERHAPS),
        (True, 0.31, Sure.NO),
        (False, 0.31, Sure.YES),
        (False, 0.3, Sure.YES),
        (False, 0.25, Sure.PERHAPS),
        (False, 0.2, Sure.PERHAPS),
        (False, 0.19, Sure.NO),
    ],
)
def test_a_limit_is_kept_by_the_interval(at_least, threshold, expected):
    field = plane(x={"a": 0.0, "b": 1.0})
    field = with_levels(field, "s.x", {"a": (0.2, 0.3), "b": (0.2, 0.3)})
    assert fits(field, Priorities({"s.x": 1.0}, (Limit("s.x", at_least, threshold),)), "a") is expected


def test_the_choice_surely_keeps_the_limits_where_one_does(two, of_two):
    wanted = Priorities({"accuracy.top1": 1.0}, parse_limits(two.plan, (), ("speed.latency=15ms",)))
    found = recommend(of_two, wanted)
    assert (found.choice, found.certain) == ("old", True)
    assert [o.fit for o in found.options] == [Sure.YES, Sure.NO]
    assert [o.chance for o in found.options] == [1.0, None]


def test_no_contender_within_the_limits_is_an_answer(two, of_two):
    found = recommend(of_two, Priorities({"accuracy.top1": 1.0}, parse_limits(two.plan, ("accuracy.top1=99%",), ())))
    assert (found.choice, found.exit_code, found.flips) == (None, 3, ())


def test_a_contender_that_was_not_measured_is_named_and_not_chosen(two, of_two):
    axes = tuple(replace(a, places={k: v for k, v in a.places.items() if k == "old"}) for a in of_two.axes)
    found = recommend(replace(of_two, axes=axes), weights(accuracy__top1=1))
    assert (found.choice, found.unmeasured, found.exit_code) == ("old", ("new",), 5)


def plane(**axes: dict[str, float]) -> Field:
    """Contenders at given places, all differences with a standard deviation of 0.1 steps."""
    names = tuple(next(iter(axes.values())))
    made = []
    for metric, places in axes.items():
        question = Question(metric, "?", Scale.MEAN, Direction.HIGHER, "", "image", margin=1.0)
        gains = {
            (i, j): Gain(places[j] - places[i], places[j] - places[i] - 0.2, places[j] - places[i] + 0.2, 0.1)
            for i in names
            for j in names
            if i != j
        }
        made.append(Axis("s", question, "margin", places, gains, {}))
    return Field(names, tuple(made), 0.95)


def with_levels(field: Field, name: str, ends: dict[str, tuple[float, float]]) -> Field:
    levels = {c: Level("s", "x", c, sum(e) / 2, *e, 0.95, 100, "") for c, e in ends.items()}
    return replace(field, axes=tuple(replace(a, levels=levels) if a.name == name else a for a in field.axes))


def test_a_weight_flips_where_the_lines_cross():
    # a is 3 better on x, b is 2 better on y: with weights (1, w) they are level at w = 1.5.
    field = plane(x={"a": 3.0, "b": 0.0}, y={"a": 0.0, "b": 2.0})
    flips = {(f.axis, f.side): f for f in find_flips(field, Priorities({"s.x": 1.0, "s.y": 1.0}))}
    assert flips["s.y", "above"].at == pytest.approx(1.5)
    assert flips["s.x", "below"].at == pytest.approx(2 / 3)
    assert {f.to for f in flips.values()} == {"b"}
    assert len(flips) == 2


@pytest.mark.parametrize("seed", range(8))
def test_just_before_a_flip_the_choice_stands_and_just_beyond_it_is_the_one_named(field, four, seed):
    generator = np.random.default_rng(seed)
    names = [axis.name for axis in field.axes if axis.places]
    wanted = dict(
        zip(names, generator.exponential(size=len(names)) * (generator.random(len(names)) < 0.6), strict=True)
    )
    latency, top1 = float(generator.uniform(0.004, 0.06)), float(generator.uniform(0.6, 0.9))
    limits = (Limit("speed.latency", False, latency), Limit("accuracy.top1", True, top1))
    priorities = Priorities(wanted, limits if seed % 2 else limits[:1])
    if not any(wanted.values()) or choice(field, priorities) is None:
        pytest.skip("nothing to flip")
    flips = find_flips(field, priorities)
    assert flips
    for flip in flips:
        sign = 1 if flip.side == "above" else -1
        before, beyond = (_moved(priorities, flip, flip.at * (1 + sign * by)) for by in (-1e-7, 1e-7))
        assert choice(field, beyond) == flip.to
        assert choice(field, before) == choice(field, priorities)


def _moved(priorities: Priorities, flip, to: float) -> Priorities:
    if flip.kind == "weight":
        return replace(priorities, weights={**priorities.weights, flip.axis: to})
    limits = tuple(replace(x, threshold=to) if x.axis == flip.axis else x for x in priorities.limits)
    return replace(priorities, limits=limits)


def test_nothing_else_flips_the_choice_on_a_grid_of_weights(field):
    """A slow search: walking a weight from 0 to 20, the choice changes where the flips say and nowhere before."""
    priorities = Priorities({"accuracy.top1": 1.0, "speed.latency": 1.0})
    chosen = choice(field, priorities)
    flips = {f.side: f.at for f in find_flips(field, priorities) if f.axis == "speed.latency"}
    for weight in np.linspace(0.01, 20, 500):
        same = choice(field, _moved_weight(priorities, weight)) == chosen
        inside = flips.get("below", -1.0) < weight < flips.get("above", np.inf)
        if inside:
            assert same
    for side, at in flips.items():
        assert choice(field, _moved_weight(priorities, at * (1.001 if side == "above" else 0.999))) != chosen


def _moved_weight(priorities: Priorities, weight: float) -> Priorities:
    return replace(priorities, weights={**priorities.weights, "speed.latency": float(weight)})


def test_the_draws_are_standard_normal_and_independent():
    draws = normal_draws()[:, :5]
    assert np.abs(draws.mean(axis=0)).max() < 0.06
    assert np.abs(draws.std(axis=0) - 1).max() < 0.04
    assert np.abs(np.corrcoef(draws.T) - np.eye(5)).max() < 0.06


def test_of_two_the_probability_is_the_normal_distribution_s():
    field = plane(x={"a": 0.0, "b": 0.15})
    assert chances(field.axes, {"s.x": 1.0}, ("a", "b"))["b"] == pytest.approx(norm.cdf(1.5), abs=1e-12)


def test_of_three_the_probability_is_that_of_a_peer_s_multivariate_normal():
    field = plane(x={"a": 0.0, "b": 0.05, "c": 0.1})
    found = chances(field.axes, {"s.x": 1.0}, ("a", "b", "c"))
    # All pairs differ with variance 0.01, as three independent places of variance 0.005 would.
    places, cov = np.array([0.0, 0.05, 0.1]), 0.005 * np.eye(3)
    for i, name in enumerate("abc"):
        others = [j for j in range(3) if j != i]
        contrast = np.array([[(k == j) - (k == i) for k in range(3)] for j in others], dtype=float)
        peer = multivariate_normal(contrast @ places, contrast @ cov @ contrast.T).cdf(np.zeros(2))
        assert found[name] == pytest.approx(float(peer), abs=0.02)
    assert sum(found.values()) == pytest.approx(1.0)


def test_the_wrong_one_is_called_surely_best_no_more_often_than_agreed():
    """Three equals: whoever is called surely best is called so wrongly."""
    generator, wrong, trials = np.random.default_rng(0), 0, 1500
    for _ in range(trials):
        seen = generator.normal(scale=0.1 / np.sqrt(2), size=3)
        field = plane(x=dict(zip("abc", seen.tolist(), strict=True)))
        wrong += recommend_only(field)
    assert wrong / trials <= 0.06


def recommend_only(field: Field) -> bool:
    from netversus.decide.choice import certain

    priorities = Priorities({"s.x": 1.0})
    return certain(field, priorities, str(choice(field, priorities)))


def test_the_front_holds_those_that_no_other_surely_beats(field):
    axes = [field.by_name[name] for name in ("accuracy.top1", "speed.latency")]
    found = {name: front(axes, name, field.contenders) for name in field.contenders}
    assert found["small"] is Sure.YES
    assert found["waste"] is Sure.NO
    assert Sure.NO not in (found["middle"], found["twin"])


def test_limits_and_weights_are_read_or_refused_in_one_line(two, of_two):
    (limit,) = parse_limits(two.plan, (), ("speed.latency_p95=20ms",))
    assert limit == Limit("speed.latency_p95", at_least=False, threshold=pytest.approx(0.02))
    assert parse_weights(two.plan, ("accuracy.top1=2",)) == {"accuracy.top1": 2.0}
    for texts, told in (
        (("accuracy.top1=-1",), "from 0 on"),
        (("accuracy=1",), "study.metric"),
        (("a.b=1",), "no study"),
    ):
        with pytest.raises(OptionError, match=told):
            parse_weights(two.plan, texts)
    for texts, told in (
        (("accuracy.top1=75",), "75%"),
        (("speed.latency",), "study.metric=value"),
        (("accuracy.ece=5%",), "has no interval.*accuracy.calibration is judged"),
    ):
        with pytest.raises(OptionError, match=told):
            parse_limits(two.plan, texts, ())
    with pytest.raises(OptionError, match="described and not judged"):
        refuse_unweighable(of_two.axes, {"structure.depth": 1.0})
