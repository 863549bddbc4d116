from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from netversus.errors import StatisticsError
from netversus.records import Direction, Verdict
from netversus.statistics.equivalence import decide, non_inferior, tost

ends = st.floats(-1, 1)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.02, 0.05, Verdict.B_BETTER),
        (-0.05, -0.02, Verdict.A_BETTER),
        (0.005, 0.05, Verdict.B_BETTER),  # may be of no practical size, but it is not shown to be
        (0.002, 0.008, Verdict.EQUIVALENT),  # certain, and of no practical size
        (-0.01, 0.01, Verdict.EQUIVALENT),
        (-0.02, 0.005, Verdict.UNDECIDED),
        (0.0, 0.05, Verdict.UNDECIDED),
        (-inf, inf, Verdict.UNDECIDED),
    ],
)
def test_the_order_of_precedence(low: float, high: float, verdict: Verdict) -> None:
    assert decide(low, high, 0.01, Direction.HIGHER) is verdict
    assert decide(low, high, 0.01, Direction.LOWER) is verdict.mirrored()
    assert decide(low, high, 0.01, Direction.NEITHER) is Verdict.DESCRIBED


@given(ends, ends, st.floats(0, 1))
def test_exchanging_the_contenders_mirrors_the_verdict(x: float, y: float, margin: float) -> None:
    low, high = min(x, y), max(x, y)
    for direction in (Direction.HIGHER, Direction.LOWER):
        assert decide(-high, -low, margin, direction) is decide(low, high, margin, direction).mirrored()


@pytest.mark.parametrize(("low", "high", "margin"), [(1, 0, 0.1), (nan, 1, 0.1), (0, 1, -0.1), (0, 1, nan)])
def test_an_interval_or_margin_that_is_none_is_refused(low: float, high: float, margin: float) -> None:
    with pytest.raises(StatisticsError):
        decide(low, high, margin, Direction.HIGHER)


def test_tost_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(3)
    for margin in (0.05, 0.2, 0.5):
        x, y = rng.normal(0, 1, 40), rng.normal(0.1, 1, 40)
        d = y - x
        p = tost(d.mean(), d.std(ddof=1) / np.sqrt(40), margin, freedom=39)
        assert p == pytest.approx(ttost_paired(y, x, -margin, margin)[0])


@settings(max_examples=40)
@given(
    st.lists(st.floats(-2, 2).map(lambda x: round(x, 2)), min_size=3, max_size=30),
    st.floats(0.01, 3),
)
def test_tost_agrees_with_statsmodels_on_any_differences(differences: list[float], margin: float) -> None:
    d = np.array(differences)
    if np.ptp(d) == 0:
        return
    p = tost(d.mean(), d.std(ddof=1) / np.sqrt(len(d)), margin, freedom=len(d) - 1)
    assert p == pytest.approx(ttost_paired(d, np.zeros(len(d)), -margin, margin)[0], rel=1e-6, abs=1e-12)


def test_an_interval_within_the_margin_means_tost_rejects_at_half_of_alpha() -> None:
    error = 0.004
    inside, outside = 0.01 - 1.95996 * error, 0.01 - 1.95998 * error
    assert tost(inside, error, 0.01) > 0.025 > tost(outside - 1e-6, error, 0.01)


def test_non_inferiority_is_one_sided() -> None:
    assert non_inferior(-0.005, 0.9, 0.01, Direction.HIGHER)
    assert not non_inferior(-0.02, 0.9, 0.01, Direction.HIGHER)
    assert non_inferior(-0.9, 0.005, 0.01, Direction.LOWER)
    assert not non_inferior(-0.9, 0.02, 0.01, Direction.LOWER)
    with pytest.raises(StatisticsError):
        non_inferior(0, 1, 0.1, Direction.NEITHER)
