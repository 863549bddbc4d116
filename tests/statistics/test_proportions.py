from __future__ import annotations

from fractions import Fraction
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.proportion import proportion_confint

from netversus.errors import StatisticsError
from netversus.statistics.proportions import (
    Table,
    above_chance,
    mcnemar_exact,
    mcnemar_mid_p,
    tabulate,
    tango,
)

counts = st.integers(0, 300)


def test_the_textbook_table_gives_the_textbook_values() -> None:
    assert mcnemar_exact(2, 9) == pytest.approx(0.0654297, abs=1e-7)
    assert mcnemar_mid_p(2, 9) == pytest.approx(0.0385742, abs=1e-7)


@pytest.mark.parametrize("k", [0, 1, 7, 400])
def test_as_many_either_way_gives_p_of_one(k: int) -> None:
    assert [mcnemar_exact(k, k), mcnemar_mid_p(k, k)] == pytest.approx([1, 1])


@given(counts, counts)
def test_mcnemar_agrees_with_statsmodels(b: int, c: int) -> None:
    if b + c == 0:
        return
    table = [[5, c], [b, 5]]
    assert mcnemar_exact(b, c) == pytest.approx(sm_mcnemar(table, exact=True).pvalue, abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mid_p_and_the_exact_p_are_the_binomial_counted_out(b: int, c: int) -> None:
    n, least = b + c, min(b, c)
    beyond = Fraction(sum(comb(n, k) for k in range(least)), 2**n)
    here = Fraction(comb(n, least), 2**n)
    assert mcnemar_mid_p(b, c) == pytest.approx(float(min(1, 2 * beyond + here)))
    assert mcnemar_exact(b, c) == pytest.approx(float(min(1, 2 * (beyond + here))))
    if n:
        assert mcnemar_exact(b, c) == pytest.approx(binomtest(b, n).pvalue)


@given(counts, counts)
def test_mid_p_is_below_the_exact_p_and_symmetric(b: int, c: int) -> None:
    assert mcnemar_mid_p(b, c) <= mcnemar_exact(b, c)
    assert mcnemar_mid_p(b, c) == mcnemar_mid_p(c, b)


def score(b: int, c: int, n: int, delta: float) -> float:
    """Tango's statistic with the constrained estimate found by brute maximisation of the likelihood."""

    def minus_likelihood(q: float) -> float:
        cells = [(b, q + delta), (c, q), (n - b - c, 1 - 2 * q - delta)]
        return -sum(k * np.log(max(p, 1e-300)) for k, p in cells if k)

    low, high = max(0.0, -delta), (1 - delta) / 2
    q = minimize_scalar(minus_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (b - c - n * delta) / sqrt(n * (2 * q + delta - delta**2))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200))
def test_at_tangos_ends_the_score_statistic_is_z(b: int, c: int, ties: int) -> None:
    n = b + c + ties
    effect = tango(b, c, n, 0.95)
    assert -1 < effect.low < effect.estimate < effect.high < 1
    if b and c:  # else the likelihood has its maximum on an edge, where the search is not exact
        assert score(b, c, n, effect.low) == pytest.approx(1.959964, rel=1e-3)
        assert score(b, c, n, effect.high) == pytest.approx(-1.959964, rel=1e-3)


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_without_discordant_pairs_the_interval_keeps_its_width(n: int) -> None:
    z2 = 1.959963984540054**2
    effect = tango(0, 0, n, 0.95)
    assert (effect.low, effect.high) == pytest.approx((-z2 / (n + z2), z2 / (n + z2)))


def test_tango_reaches_the_edge_when_all_units_favour_one() -> None:
    effect = tango(5, 0, 5, 0.95)
    assert effect.estimate == effect.high == 1
    assert 0 < effect.low < 1


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 120))
def test_intervals_mirror_when_the_contenders_are_exchanged(b: int, c: int, ties: int) -> None:
    n = b + c + ties
    if n == 0:
        return
    there, back = tango(b, c, n, 0.9), tango(c, b, n, 0.9)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@pytest.mark.parametrize(("psi", "gap", "n"), [(0.12, 0.0124, 1000), (0.1, 0.0, 200), (0.3, 0.15, 60)])
def test_tango_covers_the_truth_nearly_as_often_as_it_says(psi: float, gap: float, n: int) -> None:
    # Exact coverage, summed over all outcomes that matter rather than simulated.
    total = np.arange(n + 1)
    chance_total = binom.pmf(total, n, psi)
    covered = 0.0
    for d in total[chance_total > 1e-6]:
        b = np.arange(d + 1)
        chance = binom.pmf(b, d, (psi + gap) / (2 * psi))
        likely = chance > 1e-5
        inside = [tango(int(k), int(d - k), n, 0.95) for k in b[likely]]
        covered += chance_total[d] * sum(
            p for p, e in zip(chance[likely], inside, strict=True) if e.low <= gap <= e.high
        )
    assert 0.94 < covered < 0.965


def test_tabulate_counts_and_refuses_other_values() -> None:
    a, b = np.array([1.0, 1, 0, 0, 0]), np.array([1.0, 0, 1, 1, 0])
    assert tabulate(a, b) == Table(both=1, only_b=2, only_a=1, neither=1)
    with pytest.raises(StatisticsError, match="1 of 5 units"):
        tabulate(a, np.array([1, 0, 0.5, 1, 0]))
    with pytest.raises(StatisticsError, match="one shape"):
        tabulate(a, b[:4])


@given(st.integers(0, 200), st.integers(1, 200), st.sampled_from([0.1, 0.25, 0.5]))
def test_above_chance_agrees_with_scipy_and_statsmodels(correct: int, n: int, chance: float) -> None:
    correct = min(correct, n)
    found = above_chance(correct, n, chance)
    assert found.p_value == pytest.approx(binomtest(correct, n, chance, "greater").pvalue, abs=1e-10)
    peer = proportion_confint(correct, n, 0.05, "beta")
    assert (found.proportion.low, found.proportion.high) == pytest.approx(peer, abs=1e-9)


@pytest.mark.parametrize("arguments", [(1, 0, 0), (0, 0, 0), (-1, 0, 4), (3, 2, 4)])
def test_counts_that_cannot_be_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(StatisticsError):
        tango(*arguments, 0.95)


def test_above_chance_refuses_counts_that_cannot_be() -> None:
    with pytest.raises(StatisticsError):
        above_chance(5, 4, 0.1)
