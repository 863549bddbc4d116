from __future__ import annotations

from fractions import Fraction
from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln

from netversus.errors import StatisticsError
from netversus.records import Direction, Verdict
from netversus.statistics.sequential import (
    SequentialComparison,
    asymptotic_interval,
    betting_interval,
    boundary,
    log_betting_e,
    log_sign_e,
    normal_mixture_bound,
    normal_mixture_rho,
)

SIGNS = np.array([-1, 0, 1])


def walks(runs: int, n: int, gap: float, psi: float, seed: int) -> np.ndarray:
    """Differences of so many runs, shape (runs, n), int8."""
    rng = np.random.default_rng(seed)
    u = rng.random((runs, n), dtype=np.float32)
    return (u < (psi + gap) / 2).astype(np.int8) - (u > 1 - (psi - gap) / 2).astype(np.int8)


def test_the_e_values_of_sixty_to_forty() -> None:
    up, down = np.exp(log_sign_e([60, 40], [40, 60]))
    assert up == pytest.approx(3.56364, abs=5e-6)
    assert down == pytest.approx(0.301659, abs=5e-7)
    assert (up + down) / 2 == pytest.approx(1.93265, abs=5e-6)


def test_the_boundary_table() -> None:
    assert boundary([50, 100, 500, 1000, 5000]).tolist() == [41, 69, 285, 549, 2613]


def test_with_few_disagreements_nothing_can_be_decided() -> None:
    assert boundary([0, 1, 5]).tolist() == [1, 2, 6]


@pytest.mark.parametrize(("b", "c", "prior"), [(0, 0, 50), (7, 2, 10), (130, 90, 50), (3, 40, 10)])
def test_the_closed_form_is_the_integral_over_the_prior(b: int, c: int, prior: float) -> None:
    def integrand(p: float) -> float:
        density = 2 * exp((prior - 1) * log(p * (1 - p)) - betaln(prior, prior))
        return density * exp((b + c) * log(2) + b * log(p) + c * log(1 - p))

    assert float(np.exp(log_sign_e(b, c, prior=prior))) == pytest.approx(quad(integrand, 0.5, 1)[0], rel=1e-8)


@pytest.mark.parametrize("n", [1, 10, 100, 400])
def test_under_equality_the_e_value_has_mean_one(n: int) -> None:
    b = np.arange(n + 1)
    chance = np.array([float(Fraction(comb(n, int(k)), 2**n)) for k in b])
    assert float(chance @ np.exp(log_sign_e(b, n - b))) == pytest.approx(1, rel=1e-9)


def test_if_a_is_better_the_e_value_for_b_has_a_mean_below_one() -> None:
    n, p = 100, 0.45
    b = np.arange(n + 1)
    chance = np.array([comb(n, int(k)) * p**k * (1 - p) ** (n - k) for k in b])
    assert float(chance @ np.exp(log_sign_e(b, n - b))) < 1


@pytest.mark.parametrize("prior", [10.0, 50.0])
def test_by_dynamic_programming_the_two_sided_error_stays_below_alpha(prior: float) -> None:
    """The chance that a fair walk ever reaches the boundary, looking after each of 3000 disagreements."""
    edges = boundary(np.arange(3001), prior=prior)
    wins = np.arange(3002)
    inside = np.zeros(3002)
    inside[0] = 1.0
    error = 0.0
    for n in range(1, 3001):
        inside = 0.5 * (inside + np.roll(inside, 1))
        crossed = (wins >= edges[n]) | (n - wins >= edges[n])
        crossed &= wins <= n
        error += inside[crossed].sum()
        inside[crossed] = 0
    assert error + inside.sum() == pytest.approx(1)
    assert 0.02 < error <= 0.05


def test_more_ties_change_nothing_for_the_sign_test() -> None:
    some, many = (log_betting_e(SIGNS, [[40, z, 60]], 0.0)[0] for z in (0, 100_000))
    assert some == pytest.approx(many)


@given(st.integers(0, 4000), st.integers(0, 4000), st.sampled_from([10.0, 50.0]))
def test_betting_against_zero_is_the_sign_test(b: int, c: int, prior: float) -> None:
    bet = float(log_betting_e(SIGNS, [[c, 17, b]], 0.0, prior=prior)[0])
    sign = float(log_sign_e(b, c, prior=prior))
    assert bet == pytest.approx(sign, abs=1e-3) or max(bet, sign) < -5 or min(bet, sign) > 20


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200), st.integers(0, 10**6))
def test_the_interval_depends_on_counts_only_and_mirrors(b: int, c: int, z: int, seed: int) -> None:
    read = np.repeat([1.0, -1.0, 0.0], [b, c, z])
    one = betting_interval(read)
    other = betting_interval(-np.random.default_rng(seed).permutation(read))
    assert one.low <= one.estimate <= one.high
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-8)


@pytest.mark.parametrize(("gap", "psi"), [(0.0, 0.12), (0.03, 0.12), (-0.2, 0.5)])
def test_the_sequence_covers_the_truth_at_all_looks_at_once(gap: float, psi: float) -> None:
    runs, n = 1500, 6000
    differences = walks(runs, n, gap, psi, seed=1)
    looks = np.arange(63, n, 64)
    up = np.cumsum(differences == 1, axis=1)[:, looks]
    down = np.cumsum(differences == -1, axis=1)[:, looks]
    counts = np.stack([down, looks + 1 - up - down, up], axis=-1)
    outside = log_betting_e(SIGNS, counts, gap).max(axis=1) >= log(40)
    outside |= log_betting_e(SIGNS, counts[..., ::-1], -gap).max(axis=1) >= log(40)
    assert outside.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert outside.mean() > 0.003  # not empty talk: it is the level that is used, not a bound far above


def test_of_bounded_values_the_sequence_covers_the_mean() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(100):
        read = 2 * rng.beta(2, 3, 300) - 1
        missed += any(not e.low <= -0.2 <= e.high for e in (betting_interval(read[:k]) for k in (50, 300)))
    assert missed / 100 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)


def test_without_replacement_the_benchmarks_own_mean_is_covered_and_found_sooner() -> None:
    rng = np.random.default_rng(1)
    benchmark = np.repeat([1.0, -1.0, 0.0], [150, 90, 1760])
    truth = benchmark.mean()
    missed, narrower = 0, 0
    for _ in range(30):
        read = rng.permutation(benchmark)
        for k in (300, 1200):
            whole = betting_interval(read[:k], population=2000)
            missed += not whole.low <= truth <= whole.high
        drawn = betting_interval(read[:1200])
        narrower += whole.high - whole.low < drawn.high - drawn.low
    assert missed <= 5  # 1.5 runs are expected at most
    assert narrower == 30


@pytest.mark.parametrize("seed", range(5))
def test_a_benchmark_read_to_the_end_leaves_nothing_open(seed: int) -> None:
    read = np.random.default_rng(seed).choice(SIGNS, 97)
    effect = betting_interval(read, population=97)
    assert (effect.low, effect.high) == pytest.approx((read.mean(), read.mean()), abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_even_when_the_last_units_are_forced_the_truth_stays_possible(seed: int) -> None:
    read = np.random.default_rng(seed).permutation([1.0] * 20 + [-1.0] * 20)
    for k in range(1, 41):
        effect = betting_interval(read[:k], population=40)
        assert effect.low <= 1e-9
        assert effect.high >= -1e-9


def run(differences: np.ndarray, look: int = 64, **settings: object) -> SequentialComparison:
    sequence = SequentialComparison(**settings)  # type: ignore[arg-type]
    for start in range(0, len(differences), look):
        if sequence.observe(differences[start : start + look]) is not Verdict.UNDECIDED:
            break
    return sequence


def test_a_clear_gap_is_decided_soon_and_by_the_right_side() -> None:
    read = walks(1, 50_000, 0.05, 0.12, seed=0)[0]
    higher = run(read, margin=0.01)
    assert higher.verdict is Verdict.B_BETTER
    assert higher.decided_at == higher.n < 3000
    assert higher.interval().low > 0
    assert run(-read, margin=0.01).verdict is Verdict.A_BETTER
    assert run(read, margin=0.01, direction=Direction.LOWER).verdict is Verdict.A_BETTER


def test_it_decides_at_the_look_at_which_the_boundary_table_does() -> None:
    read = walks(1, 50_000, 0.0124, 0.12, seed=3)[0]
    up, down = np.cumsum(read == 1), np.cumsum(read == -1)
    looks = np.arange(63, 50_000, 64)
    crossed = np.maximum(up, down)[looks] >= boundary((up + down)[looks])
    assert run(read, margin=0.0).decided_at == looks[crossed.argmax()] + 1


def test_no_gap_within_the_margin_is_equivalent_and_the_interval_says_so() -> None:
    sequence = run(walks(1, 50_000, 0.0, 0.08, seed=1)[0], look=500, margin=0.02)
    assert sequence.verdict is Verdict.EQUIVALENT
    effect = sequence.interval()
    assert -0.02 <= effect.low <= effect.high <= 0.02


def test_two_contenders_that_never_differ_become_equivalent_but_not_at_once() -> None:
    sequence = run(np.zeros(20_000), margin=0.01)
    assert sequence.verdict is Verdict.EQUIVALENT
    assert sequence.decided_at is not None
    assert sequence.decided_at > 300
    one = SequentialComparison(margin=0.01)
    assert one.observe([0.0]) is one.observe([1.0]) is Verdict.UNDECIDED


def test_the_first_verdict_stands() -> None:
    sequence = SequentialComparison(margin=0.0)
    assert sequence.observe(np.ones(100)) is Verdict.B_BETTER
    assert sequence.observe(-np.ones(1000)) is Verdict.B_BETTER
    assert sequence.decided_at == 100


def test_a_whole_benchmark_is_judged_by_its_own_gap() -> None:
    for gap, verdict in ((2, Verdict.B_BETTER), (-2, Verdict.A_BETTER), (0, Verdict.EQUIVALENT)):
        read = np.concatenate([np.zeros(48), [np.sign(gap)] * 2])
        sequence = run(read, margin=0.01, population=50)
        assert (sequence.verdict, sequence.n) == (verdict, 50)


def test_how_the_units_are_batched_does_not_matter() -> None:
    read = walks(1, 3000, 0.0, 0.12, seed=5)[0]
    for population in (None, 4000):
        values = []
        for look in (1000, 50, 3000):
            sequence = SequentialComparison(margin=0.001, population=population)
            for start in range(0, 3000, look):
                sequence.observe(read[start : start + look])
            values.append(sequence.e_value)
        assert values == pytest.approx([values[0]] * 3)


def test_looking_early_is_wrong_at_most_one_time_in_twenty_in_a_finite_benchmark() -> None:
    rng = np.random.default_rng(2)
    benchmark = np.repeat([1.0, -1.0, 0.0], [180, 180, 2640])
    wrong = 0
    for _ in range(150):
        sequence = SequentialComparison(margin=0.0, population=3001)
        read = rng.permutation(benchmark)
        for start in range(0, 3000, 100):
            sequence.observe(read[start : start + 100])
        wrong += sequence.verdict is not Verdict.UNDECIDED
    assert wrong / 150 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_on_images_sorted_by_class_the_guarantee_is_void_and_a_shuffle_restores_it() -> None:
    """The canary: equal contenders whose gap differs by 6 points from class to class."""
    rng = np.random.default_rng(0)
    classes, images, runs = 100, 100, 200
    wrong = {"sorted": 0, "shuffled": 0}
    for _ in range(runs):
        gaps = rng.normal(0, 0.06, classes)
        gaps = np.clip(gaps - gaps.mean(), -0.11, 0.11)
        u = rng.random((classes, images))
        read = (u < (0.12 + gaps[:, None]) / 2).astype(int) - (u > 1 - (0.12 - gaps[:, None]) / 2).astype(int)
        for order, units in (("sorted", read.ravel()), ("shuffled", rng.permutation(read.ravel()))):
            up, down = np.cumsum(units == 1)[63::64], np.cumsum(units == -1)[63::64]
            wrong[order] += bool((np.maximum(up, down) >= EDGES[up + down]).any())
    assert wrong["sorted"] / runs > 0.15
    assert wrong["shuffled"] / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


EDGES = boundary(np.arange(3000))


def test_the_normal_mixture_has_its_published_values() -> None:
    rho = normal_mixture_rho(100, 0.05)
    assert rho == pytest.approx(12.60056, abs=5e-6)
    assert float(normal_mixture_bound(100, 0.05, rho)) == pytest.approx(30.35209, abs=5e-6)


def test_the_asymptotic_sequence_covers_skewed_values_at_all_looks() -> None:
    rng = np.random.default_rng(0)
    runs, looks = 400, np.arange(200, 4001, 100)
    values = rng.exponential(size=(runs, 4000))
    bound = normal_mixture_bound(looks, 0.05, normal_mixture_rho(1000, 0.05))
    means = np.cumsum(values, axis=1)[:, looks - 1] / looks
    squares = np.cumsum(values**2, axis=1)[:, looks - 1] / looks
    spread = np.sqrt((squares - means**2) * looks / (looks - 1))
    missed = (np.abs(means - 1) > spread * bound / looks).any(axis=1)
    assert missed.mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    effect = asymptotic_interval(values[0], tightest_at=1000)
    assert (effect.high - effect.low) / 2 == pytest.approx(values[0].std(ddof=1) * bound[-1] / 4000)


@pytest.mark.parametrize(
    "call",
    [
        lambda: log_sign_e(-1, 0),
        lambda: log_sign_e(1, 0, prior=0.0),
        lambda: betting_interval([]),
        lambda: betting_interval([1.5]),
        lambda: betting_interval([np.nan]),
        lambda: betting_interval([0.0, 1.0], population=1),
        lambda: SequentialComparison(margin=-0.1),
        lambda: SequentialComparison(margin=0.1, direction=Direction.NEITHER),
        lambda: SequentialComparison(margin=0.1, level=1.0),
        lambda: SequentialComparison(margin=0.1).observe([2.0]),
        lambda: SequentialComparison(margin=0.1, prior=-1.0),
        lambda: SequentialComparison(margin=0.1).interval(),
        lambda: normal_mixture_rho(0, 0.05),
    ],
)
def test_what_makes_no_sense_is_refused(call: object) -> None:
    with pytest.raises(StatisticsError):
        call()  # type: ignore[operator]


def test_reading_nothing_changes_nothing() -> None:
    sequence = SequentialComparison(margin=0.01)
    assert sequence.observe([]) is Verdict.UNDECIDED
    assert sequence.n == 0
    assert sequence.e_value == pytest.approx(1)
