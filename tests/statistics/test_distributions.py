"""The distributions beside their peers, over all that the tests and intervals ask of them and far beyond."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from netversus.statistics.distributions import beta, binom, norm, student

TAILS = np.array([1e-12, 1e-9, 1e-6, 1e-3, 0.025, 0.2, 0.5, 0.8, 0.975, 1 - 1e-6, 1 - 1e-9])
DEGREES = np.array([1, 1.5, 2, 3, 7.3, 30, 1000, 1e6])


def test_the_normal_is_scipy_s() -> None:
    x = np.array([-40, -8, -3, -0.1, 0, 0.1, 3, 8, 40])
    for name in ("cdf", "sf"):
        assert getattr(norm, name)(x) == pytest.approx(getattr(stats.norm, name)(x), rel=1e-12, abs=1e-320)
    for name in ("ppf", "isf"):
        assert getattr(norm, name)(TAILS) == pytest.approx(getattr(stats.norm, name)(TAILS), rel=1e-12, abs=1e-15)
    assert (norm.isf(0.0), norm.ppf(0.0), norm.isf(1.0)) == (np.inf, -np.inf, -np.inf)


def test_student_s_t_is_scipy_s() -> None:
    x, df = np.meshgrid([-200, -20, -2, -0.1, 0, 0.1, 2, 20, 200], DEGREES)
    assert student.sf(x, df) == pytest.approx(stats.t.sf(x, df), rel=1e-9, abs=1e-300)
    q, df = np.meshgrid(TAILS, DEGREES)
    assert student.isf(q, df) == pytest.approx(stats.t.isf(q, df), rel=1e-8, abs=1e-9)


def test_student_s_t_without_end_of_freedom_is_the_normal() -> None:
    assert student.sf(2.0, np.inf) == pytest.approx(norm.sf(2.0), rel=1e-12)
    assert student.isf(0.025, np.inf) == pytest.approx(norm.isf(0.025), rel=1e-12)


def test_the_beta_is_scipy_s() -> None:
    shapes = [(1, 1), (1, 400), (400, 1), (0.5, 0.5), (51, 950), (7, 3), (50_000, 1), (1, 50_000)]
    for a, b in shapes:
        assert beta.ppf(TAILS, a, b) == pytest.approx(stats.beta.ppf(TAILS, a, b), rel=1e-9)
        assert beta.isf(TAILS, a, b) == pytest.approx(stats.beta.isf(TAILS, a, b), rel=1e-9)


@pytest.mark.parametrize("p", [0.5, 1e-3, 0.1, 0.999])
@pytest.mark.parametrize("n", [0, 1, 5, 24, 1000, 50_000])
def test_the_binomial_is_scipy_s_on_and_beyond_its_ends(n: int, p: float) -> None:
    k = np.unique(np.array([-2, -1, 0, 1, n // 2 - 30, n // 2 - 1, n // 2, n // 2 + 30, n - 1, n, n + 1]))
    assert binom.cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-9, abs=1e-300)
    assert binom.sf(k, n, p) == pytest.approx(stats.binom.sf(k, n, p), rel=1e-9, abs=1e-300)
    inside = (TAILS > 1e-11) & (TAILS < 1 - 1e-8)  # a rounding error further out is a whole success
    assert binom.ppf(TAILS[inside], n, p).tolist() == stats.binom.ppf(TAILS[inside], n, p).tolist()


@pytest.mark.parametrize("n", [1, 2, 5, 6, 10, 23, 24, 59, 60, 500])
def test_the_quantile_of_a_binomial_is_the_first_count_that_reaches_the_tail(n: int) -> None:
    """By adding up, and just at the steps, where a median's interval is decided."""
    reached = binom.cdf(np.arange(n + 1), n, 0.5)
    for tail in (0.025, 0.005, 0.3, *reached[: min(n, 6)]):
        assert binom.ppf(tail, n, 0.5) == np.argmax(reached >= tail)
