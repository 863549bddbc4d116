from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student
from scipy.stats import ttest_ind

from netversus.errors import PairingError, StatisticsError
from netversus.records import Direction, Question, Scale, Verdict
from netversus.statistics.comparison import Comparison, _spread, compare, compare_across_seeds
from netversus.statistics.pairing import Sample


def question(scale: Scale, direction: Direction = Direction.HIGHER, **more: object) -> Question:
    return Question("m", "?", scale, direction, "fraction", "image", **more)  # type: ignore[arg-type]


CALIBRATION = question(
    Scale.AGGREGATE,
    Direction.LOWER,
    estimator="debiased_squared_calibration_error",
    inputs=("confidence", "top1"),
)


def sample(values: object) -> Sample:
    array = np.asarray(values, dtype=float)
    return Sample(tuple(f"unit-{i}" for i in range(len(array))), array)


def judge(
    asked: Question | Scale,
    a: Mapping[str, Sample] | object,
    b: Mapping[str, Sample] | object,
    margin: float = 0.01,
    level: float = 0.95,
) -> Comparison:
    asked = question(asked) if isinstance(asked, Scale) else asked
    a = a if isinstance(a, Mapping) else {"m": sample(a)}
    b = b if isinstance(b, Mapping) else {"m": sample(b)}
    return compare(asked, a, b, level=level, margin=margin, seed=0)


def outcomes(b: int, c: int, both: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = [b, c, both, neither]
    return np.repeat([0.0, 1, 1, 0], counts), np.repeat([1.0, 0, 1, 0], counts)


def calibrated(n: int, seed: int, shift: float) -> dict[str, Sample]:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 0.95, n)
    right = rng.random(n) < confidence - shift
    return {"confidence": sample(confidence), "top1": sample(right)}


# Each scale gives its verdicts.


def test_a_proportion_has_counts_mid_p_and_tangos_interval() -> None:
    found = judge(Scale.PROPORTION, *outcomes(60, 20, 400, 20))
    assert found.verdict is Verdict.B_BETTER
    assert (found.n, found.value_a, found.value_b) == (500, 0.84, 0.92)
    assert found.discordant == (60, 20)
    assert found.effect is not None
    assert found.effect.estimate == pytest.approx(0.08)
    assert found.further_units is None


def test_a_significant_but_practically_irrelevant_gap_is_equivalent() -> None:
    found = judge(Scale.PROPORTION, *outcomes(600, 400, 90_000, 9000), margin=0.01)
    assert found.p_value is not None
    assert found.p_value < 1e-8
    assert found.verdict is Verdict.EQUIVALENT


def test_an_undecided_gap_says_about_how_many_more_units_decide() -> None:
    found = judge(Scale.PROPORTION, *outcomes(12, 8, 60, 20), margin=0.0)
    assert found.verdict is Verdict.UNDECIDED
    assert found.further_units == pytest.approx(7.85 * 0.2 / 0.04**2 - 100, rel=0.15)


@pytest.mark.parametrize("level", [0.95, 0.995])
@pytest.mark.parametrize(
    "asked",
    [question(Scale.PROPORTION), question(Scale.MEAN, bounds=(0.0, 1.0)), question(Scale.MEAN, bounds=(0.0, 5.0))],
)
def test_where_no_unit_differs_exactly_so_many_more_that_do_not_decide(asked: Question, level: float) -> None:
    """1 / n, not 1 / sqrt(n): from 64 images it would be told ten times as many."""
    found = judge(asked, np.ones(64), np.ones(64), level=level)
    assert found.verdict is Verdict.UNDECIDED
    assert found.further_units is not None
    enough = np.ones(64 + found.further_units)
    assert judge(asked, enough, enough, level=level).verdict is Verdict.EQUIVALENT
    assert judge(asked, enough[1:], enough[1:], level=level).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("scale", [Scale.PROPORTION, Scale.MEAN])
def test_lower_is_better_turns_the_verdict_round(scale: Scale) -> None:
    a, b = outcomes(60, 20, 400, 20)
    for direction, verdict in ((Direction.HIGHER, Verdict.B_BETTER), (Direction.LOWER, Verdict.A_BETTER)):
        assert judge(question(scale, direction), a, b).verdict is verdict
    described = judge(question(scale, Direction.NEITHER), a, b)
    assert described.verdict is Verdict.DESCRIBED
    assert described.effect is not None
    assert described.further_units is None


def test_a_mean_uses_t_where_it_is_safe_and_the_bootstrap_where_it_is_not() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(1, 0.3, 400)
    normal = judge(Scale.MEAN, a, a + rng.normal(0.2, 0.5, 400))
    assert (normal.method, normal.verdict) == ("paired t", Verdict.B_BETTER)
    heavy = judge(Scale.MEAN, a, a + rng.pareto(1.5, 400))
    assert "bootstrap" in heavy.method
    assert heavy.verdict is Verdict.B_BETTER


def test_few_units_are_put_to_a_sign_flip_test_that_tells_its_limits() -> None:
    a = np.linspace(0, 1, 7)
    found = judge(Scale.MEAN, a, a + np.linspace(0.1, 0.12, 7))
    assert found.p_value == 1 / 64
    assert found.caveats == ("so few units cannot give a two-sided p below 0.0156",)
    assert found.verdict is Verdict.B_BETTER
    assert judge(Scale.MEAN, a, a + np.linspace(0.1, 0.12, 7), level=0.99).verdict is Verdict.UNDECIDED


def test_a_ratio_is_b_over_a_and_its_margin_is_relative() -> None:
    rng = np.random.default_rng(0)
    a = rng.lognormal(0, 0.05, 30)
    found = judge(question(Scale.RATIO, Direction.LOWER), a, a * 1.5 * rng.lognormal(0, 0.02, 30), margin=0.05)
    assert found.verdict is Verdict.A_BETTER
    assert found.effect is not None
    assert found.effect.low < 1.5 < found.effect.high
    higher = judge(Scale.RATIO, a, a * 1.5 * rng.lognormal(0, 0.02, 30), margin=0.05)
    assert higher.verdict is Verdict.B_BETTER
    near = judge(question(Scale.RATIO, Direction.LOWER), a, a * 1.01 * rng.lognormal(0, 0.02, 30), margin=0.05)
    assert near.verdict is Verdict.EQUIVALENT


def test_timings_that_drift_or_remember_carry_a_caveat() -> None:
    rng = np.random.default_rng(0)
    drift = np.exp(np.linspace(0, 0.3, 60) + rng.normal(0, 0.02, 60))
    caveats = " ".join(judge(Scale.RATIO, np.ones(60), drift).caveats)
    assert "drifts with time" in caveats
    assert "autocorrelation" in caveats
    assert judge(Scale.RATIO, np.ones(60), np.exp(rng.normal(0, 0.02, 60))).caveats == ()


def test_an_aggregate_is_bootstrapped_over_its_inputs() -> None:
    worse = judge(CALIBRATION, calibrated(3000, 0, 0.0), calibrated(3000, 1, 0.15))
    assert worse.verdict is Verdict.A_BETTER
    assert worse.value_b == pytest.approx(0.15**2, abs=0.005)
    same = judge(CALIBRATION, calibrated(3000, 0, 0.1), calibrated(3000, 0, 0.1))
    assert same.verdict is Verdict.EQUIVALENT
    few = judge(CALIBRATION, calibrated(10, 0, 0.0), calibrated(10, 1, 0.2))
    assert "sign-flip" in few.method


P95 = question(Scale.RATIO, Direction.LOWER, estimator="percentile_95", inputs=("raw",))


def repetitions(rng: np.random.Generator, blocks: int, common: np.ndarray, factor: float = 1.0) -> dict[str, Sample]:
    """Six repetitions a block. Those of a block share its luck, of which a part is the contender's own; some stall."""
    luck = common + rng.normal(0, 0.02, blocks)
    noise = rng.normal(0, 0.03, (blocks, 6)) + (rng.random((blocks, 6)) < 0.04) * rng.exponential(0.5, (blocks, 6))
    units = tuple(f"p0/block-{i:03d}/rep-{j}" for i in range(blocks) for j in range(6))
    return {"raw": Sample(units, factor * np.exp(luck[:, None] + noise).ravel())}


def test_a_percentile_of_repetitions_is_judged_on_their_blocks() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(0, 0.05, 40)
    a, b = repetitions(rng, 40, common), repetitions(rng, 40, common, 1.6)
    found = judge(P95, a, b, margin=0.05)
    assert found.verdict is Verdict.A_BETTER
    assert found.n == 40
    assert found.value_a == np.percentile(a["raw"].values, 95, method="inverted_cdf")
    assert found.value_b == np.percentile(b["raw"].values, 95, method="inverted_cdf")
    assert found.effect is not None
    assert found.effect.low < 1.6 < found.effect.high
    assert found.effect.estimate == pytest.approx(found.value_b / found.value_a)
    assert "over blocks" in found.method


def test_repetitions_of_one_block_are_not_so_many_units() -> None:
    """Drawn one by one they would seem to know far more than their few blocks do."""
    rng = np.random.default_rng(1)
    a, b = (Sample((), np.exp(np.repeat(rng.normal(0, 0.3, 30), 6))) for _ in range(2))
    blocks = tuple(f"block-{i:02d}/rep-{j}" for i in range(30) for j in range(6))
    alone = tuple(unit.replace("/", "-") for unit in blocks)
    together, apart = (judge(P95, *({"raw": Sample(units, s.values)} for s in (a, b))) for units in (blocks, alone))
    assert (together.n, apart.n) == (30, 180)
    assert together.effect is not None
    assert apart.effect is not None
    assert np.log(together.effect.high / together.effect.low) > 1.3 * np.log(apart.effect.high / apart.effect.low)


def test_a_percentile_of_few_blocks_is_put_to_an_exchange_test_or_decides_nothing() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.05, 8)
    found = judge(P95, repetitions(rng, 8, common), repetitions(rng, 8, common, 5.0))
    assert "exact sign-flip" in found.method
    assert found.verdict is Verdict.A_BETTER
    assert found.p_value == 1 / 128
    few = judge(P95, repetitions(rng, 5, common[:5]), repetitions(rng, 5, common[:5], 5.0))
    assert (few.verdict, few.effect, few.further_units) == (Verdict.UNDECIDED, None, 1)


@pytest.mark.parametrize("blocks", [12, 24])
def test_the_interval_of_a_percentile_covers_as_often_as_it_says(blocks: int) -> None:
    rng = np.random.default_rng(blocks)
    covered = wrong = 0
    for i in range(200):
        common = rng.normal(0, 0.05, blocks)
        a, b = repetitions(rng, blocks, common), repetitions(rng, blocks, common)
        found = compare(P95, a, b, level=0.95, margin=0.0, seed=i)
        assert found.effect is not None
        covered += found.effect.low <= 1 <= found.effect.high
        wrong += found.verdict in (Verdict.A_BETTER, Verdict.B_BETTER)
    slack = 3 * np.sqrt(0.05 * 0.95 / 200)
    assert covered / 200 >= 0.95 - slack
    assert wrong / 200 <= 0.05 + slack


def test_exchanging_the_contenders_of_a_percentile_mirrors_its_ratio() -> None:
    rng = np.random.default_rng(3)
    common = rng.normal(0, 0.05, 30)
    a, b = repetitions(rng, 30, common), repetitions(rng, 30, common, 1.2)
    there, back = judge(P95, a, b, margin=0.05), judge(P95, b, a, margin=0.05)
    assert there.verdict is back.verdict.mirrored()
    assert there.effect is not None
    assert back.effect is not None
    assert there.effect.low == pytest.approx(1 / back.effect.high)


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [(25.6e6, 44.5e6, Verdict.A_BETTER), (5.0, 5.0, Verdict.EQUIVALENT), (5.0, 5.005, Verdict.EQUIVALENT)],
)
def test_a_fact_is_compared_directly_and_has_no_interval(a: float, b: float, verdict: Verdict) -> None:
    found = judge(question(Scale.FACT, Direction.LOWER), [a], [b])
    assert found.verdict is verdict
    assert found.effect is None
    assert found.p_value is None
    assert judge(question(Scale.FACT, Direction.NEITHER), [a], [b]).verdict is Verdict.DESCRIBED


# Degenerate data have a defined verdict, never a false certainty.


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("scale", [Scale.PROPORTION, Scale.MEAN, Scale.RATIO])
def test_one_unit_decides_nothing(scale: Scale, a: float, b: float) -> None:
    if scale is Scale.RATIO:
        a, b = a + 1, b + 1
    found = judge(scale, [a], [b])
    assert found.verdict is Verdict.UNDECIDED
    assert found.further_units is None or found.further_units > 0


def test_one_unit_decides_nothing_about_an_aggregate() -> None:
    assert judge(CALIBRATION, calibrated(1, 0, 0), calibrated(1, 1, 0)).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("n", "verdict"), [(50, Verdict.UNDECIDED), (200, Verdict.UNDECIDED), (2000, Verdict.EQUIVALENT)]
)
@pytest.mark.parametrize("scale", [Scale.PROPORTION, Scale.MEAN])
def test_contenders_that_never_differ_are_equivalent_only_on_enough_units(
    scale: Scale, n: int, verdict: Verdict
) -> None:
    values = np.arange(n) % 2.0
    found = judge(scale, values, values)
    assert found.verdict is verdict
    assert found.p_value == 1
    assert found.effect is not None
    assert found.effect.low < 0 < found.effect.high


def test_without_any_scale_there_is_no_interval() -> None:
    found = judge(Scale.MEAN, np.zeros(100), np.zeros(100))
    assert (found.verdict, found.effect) == (Verdict.UNDECIDED, None)


@pytest.mark.parametrize("n", [2, 4, 5])
def test_a_constant_gain_on_few_units_is_not_certain(n: int) -> None:
    assert judge(Scale.MEAN, np.arange(n) / 10, np.arange(n) / 10 + 1).verdict is Verdict.UNDECIDED
    assert judge(Scale.PROPORTION, np.zeros(n), np.ones(n)).verdict is Verdict.UNDECIDED
    assert judge(Scale.RATIO, np.ones(n), np.full(n, 2.0)).verdict is Verdict.UNDECIDED


def test_four_wins_of_four_are_not_yet_a_win_and_six_are() -> None:
    # The score interval alone would call 4:0 a win, though the mid-p is 1/16.
    assert judge(Scale.PROPORTION, *outcomes(4, 0, 6, 6)).verdict is Verdict.UNDECIDED
    assert judge(Scale.PROPORTION, *outcomes(6, 0, 6, 6)).verdict is Verdict.B_BETTER


# Properties.


binary = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
real = st.lists(st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([Scale.MEAN, Scale.RATIO, Scale.FACT]), real, st.sampled_from([0.0, 0.1, 1.0]))
def test_exchanging_real_contenders_mirrors_the_verdict(
    scale: Scale, pairs: list[tuple[float, float]], margin: float
) -> None:
    a, b = np.array(pairs).T
    there, back = judge(scale, a, b, margin), judge(scale, b, a, margin)
    assert there.verdict is back.verdict.mirrored()
    assert there.p_value == pytest.approx(back.p_value)


@settings(max_examples=60, deadline=None)
@given(binary, st.sampled_from([0.0, 0.1]))
def test_exchanging_right_and_wrong_contenders_mirrors_everything(
    pairs: list[tuple[bool, bool]], margin: float
) -> None:
    a, b = np.array(pairs, dtype=float).T
    there, back = judge(Scale.PROPORTION, a, b, margin), judge(Scale.PROPORTION, b, a, margin)
    assert there.verdict is back.verdict.mirrored()
    assert there.further_units == back.further_units
    assert there.effect is not None
    assert back.effect is not None
    assert there.effect.low == pytest.approx(-back.effect.high, abs=1e-12)


def test_exchanging_the_contenders_of_an_aggregate_mirrors_the_interval() -> None:
    a, b = calibrated(200, 0, 0.0), calibrated(200, 1, 0.2)
    there, back = judge(CALIBRATION, a, b), judge(CALIBRATION, b, a)
    assert there.verdict is back.verdict.mirrored()
    assert there.effect is not None
    assert back.effect is not None
    assert there.effect.low == pytest.approx(-back.effect.high)


@pytest.mark.parametrize(
    "asked", [question(Scale.PROPORTION), question(Scale.MEAN), question(Scale.RATIO), CALIBRATION]
)
@pytest.mark.parametrize("n", [12, 150])
def test_the_order_of_the_units_changes_nothing(asked: Question, n: int) -> None:
    rng = np.random.default_rng(n)
    order = rng.permutation(n)
    samples = []
    for seed in (0, 1):
        both = calibrated(n, seed, 0.1 * seed)
        values = both["top1"].values if asked.scale is Scale.PROPORTION else rng.pareto(1.5, n) + 0.1
        samples.append({**both, "m": sample(values)})
    mixed = [{k: Sample(tuple(s.units[i] for i in order), s.values[order]) for k, s in one.items()} for one in samples]
    there, back = judge(asked, *samples), judge(asked, *mixed)
    half = judge(asked, samples[0], mixed[1])
    for other in (back, half):
        assert other.verdict is there.verdict
        assert other.p_value == pytest.approx(there.p_value)
        assert (other.effect is None) == (there.effect is None)
        if other.effect and there.effect:
            assert (other.effect.low, other.effect.high) == pytest.approx((there.effect.low, there.effect.high))


@settings(max_examples=80, deadline=None)
@given(binary, st.booleans(), st.sampled_from([0.0, 0.05]))
def test_a_tie_never_makes_a_contender_better(pairs: list[tuple[bool, bool]], right: bool, margin: float) -> None:
    before = judge(Scale.PROPORTION, *np.array(pairs, dtype=float).T, margin)
    after = judge(Scale.PROPORTION, *np.array([*pairs, (right, right)], dtype=float).T, margin)
    assert after.p_value == before.p_value
    if before.verdict is not Verdict.A_BETTER and before.verdict is not Verdict.B_BETTER:
        assert after.verdict is before.verdict or after.verdict is Verdict.EQUIVALENT
    assert before.effect is not None
    assert after.effect is not None
    assert abs(after.effect.estimate) <= abs(before.effect.estimate)


@pytest.mark.parametrize(("n", "runs"), [(8, 600), (25, 600), (300, 300)])
@pytest.mark.parametrize("scale", [Scale.PROPORTION, Scale.MEAN, Scale.RATIO])
def test_equal_contenders_are_told_apart_at_most_as_often_as_declared(scale: Scale, n: int, runs: int) -> None:
    rng = np.random.default_rng(n)
    wrong = 0
    for _ in range(runs):
        if scale is Scale.PROPORTION:
            u = rng.random((2, n))
            a, b = (u < 0.3).astype(float)
        else:
            a, b = rng.lognormal(0, 0.5, (2, n))
        wrong += judge(scale, a, b, margin=0.0).verdict in (Verdict.A_BETTER, Verdict.B_BETTER)
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_contenders_a_margin_apart_are_called_equivalent_at_most_as_often_as_declared() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        a = rng.normal(size=60)
        wrong += judge(Scale.MEAN, a, a + rng.normal(0.5, 1, 60), margin=0.5).verdict is Verdict.EQUIVALENT
    assert wrong / 400 <= 0.025 + 3 * np.sqrt(0.025 / 400)


# What does not fit is refused.


def test_a_missing_metric_and_mismatched_units_are_refused() -> None:
    with pytest.raises(PairingError, match="B was not measured on m, only on other"):
        judge(Scale.MEAN, {"m": sample([1.0])}, {"other": sample([1.0])})
    with pytest.raises(PairingError, match="not measured on the same units"):
        judge(Scale.MEAN, [1.0, 2.0], [1.0])
    with pytest.raises(PairingError, match="finite"):
        judge(Scale.MEAN, [1.0, np.nan], [1.0, 2.0])
    two = {"confidence": sample([0.5, 0.5]), "top1": sample([1.0])}
    with pytest.raises(PairingError, match="top1 and confidence"):
        judge(CALIBRATION, two, two)


def test_values_that_do_not_fit_the_scale_are_refused() -> None:
    with pytest.raises(StatisticsError, match="0 or 1"):
        judge(Scale.PROPORTION, [0.5], [1.0])
    with pytest.raises(StatisticsError, match="positive"):
        judge(Scale.RATIO, [0.0], [1.0])
    with pytest.raises(StatisticsError, match="no estimator"):
        judge(question(Scale.AGGREGATE, estimator="ecee", inputs=("m",)), [0.0], [1.0])
    with pytest.raises(StatisticsError, match="ratio is estimated by percentile_50"):
        judge(question(Scale.RATIO, estimator="expected_calibration_error", inputs=("m",)), [1.0], [1.0])
    with pytest.raises(StatisticsError, match="names no inputs"):
        judge(question(Scale.AGGREGATE, estimator="expected_calibration_error"), [0.0], [1.0])


@pytest.mark.parametrize("settings", [{"margin": -1.0}, {"margin": np.nan}, {"level": 1.0}, {"level": 0.0}])
def test_a_margin_or_level_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(StatisticsError):
        judge(Scale.MEAN, [1.0, 2.0], [1.0, 2.0], **settings)


# Across seeds.


def recipe(gap: float, seeds: int, seed: int, n: int = 400, between: float = 0.01) -> dict[int, Sample]:
    rng = np.random.default_rng(seed)
    return {s: sample(rng.random(n) < 0.7 + gap + rng.normal(0, between)) for s in range(seeds)}


def test_recipes_apart_are_told_apart_and_recipes_alike_are_not() -> None:
    asked = question(Scale.PROPORTION)
    found = compare_across_seeds(asked, recipe(0, 5, 0), recipe(0.15, 5, 1), level=0.95, margin=0.01, seed=0)
    assert found.verdict is Verdict.B_BETTER
    assert found.value_b - found.value_a == pytest.approx(0.15, abs=0.03)
    alike = compare_across_seeds(asked, recipe(0, 3, 0), recipe(0, 4, 1), level=0.95, margin=0.01, seed=0)
    assert alike.verdict is Verdict.UNDECIDED


def test_fewer_than_three_seeds_make_no_claim_about_a_recipe() -> None:
    with pytest.raises(StatisticsError, match="at least 3 seeds"):
        compare_across_seeds(question(Scale.MEAN), recipe(0, 2, 0), recipe(0, 5, 1), level=0.95, margin=0.01, seed=0)


def test_alike_recipes_whose_seeds_scatter_are_told_apart_at_most_as_often_as_declared() -> None:
    asked = question(Scale.MEAN)
    wrong = inside = 0
    for i in range(200):
        a, b = recipe(0, 3, 2 * i, 200, 0.05), recipe(0, 3, 2 * i + 1, 200, 0.05)
        found = compare_across_seeds(asked, a, b, level=0.95, margin=0.0, seed=i)
        wrong += found.verdict in (Verdict.A_BETTER, Verdict.B_BETTER)
        assert found.effect is not None
        inside += found.effect.low <= 0 <= found.effect.high
    assert wrong / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert inside / 200 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 200)


def test_seeds_that_all_agree_exactly_keep_a_width() -> None:
    same = {s: sample(np.arange(50) % 2) for s in range(3)}
    found = compare_across_seeds(question(Scale.PROPORTION), same, same, level=0.95, margin=0.01, seed=0)
    assert found.verdict is Verdict.UNDECIDED
    assert found.effect is not None
    assert found.effect.low < 0 < found.effect.high


def test_welch_cross_checks_and_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    hard = rng.random(300) < 0.5  # images on which the recipes differ, whatever the seed
    a = {s: sample(rng.normal(0, 0.01, 300)) for s in range(3)}
    b = {s: sample(hard * 0.5 * rng.choice([-1, 1.1], 300, p=[0.5, 0.5]) + a[s].values) for s in range(3)}
    found = compare_across_seeds(question(Scale.MEAN), a, b, level=0.95, margin=0.0, seed=0)
    means = [[x.values.mean() for x in one.values()] for one in (b, a)]
    peer = ttest_ind(*means, equal_var=False).pvalue
    assert found.p_value is not None
    assert found.p_value > peer  # Welch takes these images as given, the bootstrap does not
    spread = _spread(np.array([a[s].values for s in a]), np.array([b[s].values for s in b]), 2000, 0)
    statistic = abs(np.mean(means[0]) - np.mean(means[1])) / np.sqrt(spread.over_seeds)
    assert 2 * student.sf(statistic, spread.seeds_freedom) == pytest.approx(peer)


def test_recipes_on_other_units_or_other_scales_are_refused() -> None:
    with pytest.raises(PairingError):
        compare_across_seeds(
            question(Scale.MEAN), recipe(0, 3, 0, 50), recipe(0, 3, 1, 60), level=0.95, margin=0.01, seed=0
        )
    with pytest.raises(StatisticsError, match="means and proportions"):
        compare_across_seeds(CALIBRATION, recipe(0, 3, 0), recipe(0, 3, 1), level=0.95, margin=0.01, seed=0)


# Calibration.


@pytest.mark.parametrize("n", [60, 300])
def test_of_contenders_that_are_equally_calibrated_the_difference_is_covered(n: int) -> None:
    """Both are right as often as they say; a bootstrap of the ECE adds noise that was never there once more."""
    wrong = covered = 0
    for i in range(150):
        found = judge(CALIBRATION, calibrated(n, 2 * i, 0.0), calibrated(n, 2 * i + 1, 0.0), margin=0.0)
        assert found.effect is not None
        covered += found.effect.low <= 0 <= found.effect.high
        wrong += found.verdict in (Verdict.A_BETTER, Verdict.B_BETTER)
    slack = 3 * np.sqrt(0.05 * 0.95 / 150)
    assert covered / 150 >= 0.95 - slack
    assert wrong / 150 <= 0.05 + slack


def test_a_gap_in_calibration_is_covered() -> None:
    """One is right as often as it says, the other 10 points less often: the square is 0.01."""
    covered = 0
    for i in range(150):
        found = judge(CALIBRATION, calibrated(500, 2 * i, 0.0), calibrated(500, 2 * i + 1, 0.1))
        assert found.effect is not None
        covered += found.effect.low <= 0.01 <= found.effect.high
    assert covered / 150 >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 150)


def test_what_is_only_described_has_no_interval_and_no_verdict() -> None:
    ece = question(
        *(Scale.AGGREGATE, Direction.LOWER),
        estimator="expected_calibration_error",
        inputs=("confidence", "top1"),
    )
    found = judge(ece, calibrated(3000, 0, 0.0), calibrated(3000, 1, 0.15))
    assert found.value_b == pytest.approx(0.15, abs=0.02)
    assert (found.effect, found.verdict, found.further_units) == (None, Verdict.UNDECIDED, None)
    assert "bias" in found.method
