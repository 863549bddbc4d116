from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from netversus.errors import StatisticsError
from netversus.statistics.multiplicity import benjamini_hochberg, e_benjamini_hochberg, holm

probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(probabilities)
def test_holm_and_benjamini_hochberg_agree_with_statsmodels(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


@given(probabilities)
def test_no_correction_ever_strengthens(p: list[float]) -> None:
    assert (holm(p) >= np.array(p)).all()
    assert (benjamini_hochberg(p) >= np.array(p) * (1 - 1e-12)).all()


@given(probabilities)
def test_the_order_of_the_questions_does_not_matter(p: list[float]) -> None:
    order = np.random.default_rng(len(p)).permutation(len(p))
    assert holm(np.array(p)[order]) == pytest.approx(holm(p)[order])


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=30), st.floats(0.01, 0.5))
def test_e_bh_is_bh_on_the_inverse(p: list[float], rate: float) -> None:
    found = e_benjamini_hochberg(1 / np.array(p), rate)
    assert (found == (benjamini_hochberg(p) <= rate)).all() or np.isclose(benjamini_hochberg(p), rate).any()


def test_e_bh_finds_none_or_some() -> None:
    assert not e_benjamini_hochberg([1.0, 2.0, 3.0], 0.05).any()
    assert e_benjamini_hochberg([100.0, 1.0, 45.0], 0.05).tolist() == [True, False, True]


def test_e_bh_keeps_the_false_discovery_rate() -> None:
    rng = np.random.default_rng(0)
    lost = []
    for _ in range(2000):
        x = rng.normal(np.where(np.arange(10) < 3, 3.0, 0.0))
        found = e_benjamini_hochberg(np.exp(3 * x - 4.5), 0.2)
        lost.append(found[3:].sum() / max(1, found.sum()))
    assert np.mean(lost) < 0.2 * 0.7 + 3 * np.std(lost) / np.sqrt(2000)


@pytest.mark.parametrize("p", [[], [-0.1], [1.1], [np.nan]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    with pytest.raises(StatisticsError):
        holm(p)
    with pytest.raises(StatisticsError):
        benjamini_hochberg(p)


def test_a_negative_e_value_is_refused() -> None:
    with pytest.raises(StatisticsError):
        e_benjamini_hochberg([-1.0], 0.05)
