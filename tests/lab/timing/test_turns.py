from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netversus.lab.timing.turns import turns


def test_two_contenders_meet_in_abba_and_then_in_baab() -> None:
    assert [turns("AB", block) for block in range(3)] == [tuple("ABBA"), tuple("BAAB"), tuple("ABBA")]


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(0, 100))
def test_what_drifts_linearly_in_a_block_cancels_for_any_number_of_contenders(count: int, block: int) -> None:
    order = turns(range(count), block)
    assert Counter(order) == dict.fromkeys(range(count), 2)
    places = {c: [i for i, one in enumerate(order) if one == c] for c in range(count)}
    assert {sum(both) for both in places.values()} == {2 * count - 1}


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_contender_is_first_equally_often(count: int) -> None:
    first = Counter(turns(range(count), block)[0] for block in range(4 * count))
    assert first == dict.fromkeys(range(count), 4)
