from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netversus.errors import StatisticsError
from netversus.records import Direction, Verdict
from netversus.statistics.equivalence import decide

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
