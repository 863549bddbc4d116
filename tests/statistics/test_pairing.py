from __future__ import annotations

import numpy as np
import pytest

from netversus.errors import PairingError, StatisticsError
from netversus.statistics.pairing import Sample, pair, vector


def sample(units: str, values: list[float]) -> Sample:
    return Sample(tuple(units), np.array(values, dtype=float))


def test_pairs_on_the_unit_and_keeps_the_order_of_a() -> None:
    paired = pair(sample("cab", [3, 1, 2]), sample("abc", [10, 20, 30]))
    assert paired.units == ("c", "a", "b")
    assert paired.b.tolist() == [30, 10, 20]
    assert paired.differences.tolist() == [27, 9, 18]


def test_by_unit_orders_both_by_the_unit_id() -> None:
    paired = pair(sample("cab", [3, 1, 2]), sample("abc", [10, 20, 30])).by_unit()
    assert (paired.units, paired.a.tolist(), paired.b.tolist()) == (("a", "b", "c"), [1, 2, 3], [10, 20, 30])


def test_a_mismatch_names_counts_and_a_few_units() -> None:
    with pytest.raises(PairingError) as caught:
        pair(sample("abcdefg", [0] * 7), sample("agxy", [0] * 4))
    text = str(caught.value)
    assert "5 units (b, c, d, ...) only in A" in text
    assert "2 units (x, y) only in B" in text


def test_a_contender_that_lacks_units_is_refused() -> None:
    with pytest.raises(PairingError, match=r"1 unit \(c\) only in A, 0 units only in B"):
        pair(sample("abc", [0, 0, 0]), sample("ab", [0, 0]))


def test_a_repeated_unit_is_refused_even_when_both_repeat_it() -> None:
    with pytest.raises(PairingError, match=r"in A 1 unit \(a\)"):
        pair(sample("aba", [0, 0, 0]), sample("aba", [0, 0, 0]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_unit(bad: float) -> None:
    with pytest.raises(PairingError, match=r"in B 1 unit \(b\) are not"):
        pair(sample("ab", [0, 0]), sample("ab", [0, bad]))


def test_no_units_at_all_are_refused() -> None:
    with pytest.raises(PairingError, match="A has no units"):
        pair(sample("", []), sample("", []))


def test_values_that_do_not_match_the_units_are_refused() -> None:
    with pytest.raises(PairingError, match="2 units and shape"):
        pair(sample("ab", [0]), sample("ab", [0, 0]))


@pytest.mark.parametrize("values", [[], [[1.0]], [np.nan], 3.0])
def test_a_vector_is_one_dimensional_finite_and_not_empty(values: object) -> None:
    with pytest.raises(StatisticsError):
        vector(values, "x")  # type: ignore[arg-type]
