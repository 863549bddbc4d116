from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress
from statsmodels.stats.weightstats import DescrStatsW

from netversus.errors import StatisticsError
from netversus.statistics.powerlaw import exponents, fit_blocks

X = np.array([1.0, 2.0, 4.0, 8.0, 16.0])


def blocks(seed: int, exponent: float = 1.3, count: int = 12, noise: float = 0.1) -> np.ndarray:
    """Blocks of a power law with luck of their own and noise on each point."""
    rng = np.random.default_rng(seed)
    luck = rng.normal(0, 0.5, (count, 1))
    return np.exp(0.7 + exponent * np.log(X) + luck + rng.normal(0, noise, (count, len(X))))


def test_each_block_s_slope_is_scipy_s_of_the_logarithms() -> None:
    y = blocks(0)
    theirs = [linregress(np.log(X), np.log(row)).slope for row in y]
    assert exponents(X, y) == pytest.approx(np.array(theirs))


def test_the_law_is_scipy_s_line_through_all_points() -> None:
    y = blocks(1)
    line = linregress(np.tile(np.log(X), len(y)), np.log(y).ravel())
    law = fit_blocks(X, y, 0.95)
    assert law.exponent == pytest.approx(line.slope)
    assert law.coefficient == pytest.approx(np.exp(line.intercept))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_the_interval_is_statsmodels_t_over_the_blocks_slopes(level: float) -> None:
    y = blocks(2)
    slopes = [linregress(np.log(X), np.log(row)).slope for row in y]
    interval = fit_blocks(X, y, level).interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx(DescrStatsW(slopes).tconfint_mean(alpha=1 - level))
    assert interval.level == level


def test_the_interval_holds_the_true_exponent_as_often_as_it_says() -> None:
    """400 intervals of 90 %, less three standard errors; the luck that a block's points share does not matter."""
    held = [
        interval.low <= 1.3 <= interval.high
        for seed in range(400)
        if (interval := fit_blocks(X, blocks(seed, count=6), 0.9).interval)
    ]
    assert len(held) == 400
    assert abs(np.mean(held) - 0.9) < 3 * np.sqrt(0.9 * 0.1 / 400)


@given(st.floats(-3, 3), st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_an_exact_law_is_found_whatever_its_units(exponent: float, coefficient: float, unit: float) -> None:
    law = fit_blocks(X * unit, np.tile(coefficient * (X * unit) ** exponent, (3, 1)), 0.95)
    assert law.exponent == pytest.approx(exponent, abs=1e-9)
    assert law.coefficient == pytest.approx(coefficient, rel=1e-6)
    assert law.misfit == pytest.approx(1, abs=1e-9)


def test_the_misfit_tells_a_curve_from_a_line() -> None:
    """A fixed cost and one that grows: no power law, and the interval alone would not show it."""
    y = np.tile(10 + X, (6, 1))
    law = fit_blocks(X, y, 0.95)
    theirs = linregress(np.log(X), np.log(y[0]))
    off = np.abs(np.log(y[0]) - theirs.intercept - theirs.slope * np.log(X)).max()
    assert law.misfit == pytest.approx(np.exp(off))
    assert law.misfit > 1.1
    assert law.interval is not None
    assert law.interval.high - law.interval.low < 1e-9


def test_one_block_has_an_exponent_and_no_interval() -> None:
    law = fit_blocks(X, blocks(0)[:1], 0.95)
    assert law.interval is None
    assert np.isfinite(law.exponent)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ([1.0, 2.0], [1.0, 2.0], "shape"),
        ([1.0, 2.0], [[1.0, 2.0, 3.0]], "shape"),
        ([1.0, 2.0], np.empty((0, 2)), "shape"),
        ([1.0, 2.0], [[1.0, 0.0]], "positive"),
        ([-1.0, 2.0], [[1.0, 2.0]], "positive"),
        ([1.0, 2.0], [[1.0, np.nan]], "positive"),
        ([3.0, 3.0], [[1.0, 2.0]], "different x"),
        ([1.0], [[1.0]], "at least 2"),
    ],
)
def test_what_has_no_exponent_is_refused(x: object, y: object, words: str) -> None:
    with pytest.raises(StatisticsError, match=words):
        fit_blocks(x, y, 0.95)
