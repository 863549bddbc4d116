from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas import DataFrame
from scipy.stats import ncf
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from netversus.errors import StatisticsError
from netversus.statistics.anova import BETWEEN, Anova, anova, noncentralities

FACTORS = {"a": ("x", "y", "z"), "b": (1, 2), "c": (True, False)}


def experiment(seed: int, repeats: int = 2) -> tuple[np.ndarray, dict[str, list]]:
    """A balanced experiment whose `a` matters much, `b` less, `a × b` a little and `c` not at all."""
    rng = np.random.default_rng(seed)
    trials = list(product(*FACTORS.values())) * repeats
    columns = {name: [trial[i] for trial in trials] for i, name in enumerate(FACTORS)}
    effect = {"x": 0.0, "y": 1.0, "z": 2.5}
    y = [effect[a] + 0.8 * b + 0.3 * (a == "z") * b + rng.normal() for a, b, _ in trials]
    return np.array(y), columns


def peer(y: np.ndarray, columns: dict[str, list], *, pairs: bool):
    """statsmodels' table of type II, with sum-to-zero contrasts, its rows named as ours are."""
    terms = " + ".join(f"C({name}, Sum)" for name in columns)
    model = ols(f"y ~ ({terms}){'**2' if pairs else ''}", data=DataFrame({"y": y, **columns})).fit()
    return anova_lm(model, typ=2).rename(
        index=lambda name: name.replace("C(", "").replace(", Sum)", "").replace(":", BETWEEN)
    )


def drop(y: np.ndarray, columns: dict[str, list], lost: list[int]) -> tuple[np.ndarray, dict[str, list]]:
    keep = [i for i in range(len(y)) if i not in lost]
    return y[keep], {name: [levels[i] for i in keep] for name, levels in columns.items()}


def assert_agrees(ours: Anova, theirs) -> None:
    assert {term.name for term in ours.terms} == set(theirs.index) - {"Residual"}
    assert ours.squares == pytest.approx(theirs["sum_sq"]["Residual"])
    assert ours.freedom == theirs["df"]["Residual"]
    for term in ours.terms:
        assert term.squares == pytest.approx(theirs["sum_sq"][term.name], abs=1e-9)
        assert term.freedom == theirs["df"][term.name]
        assert term.f == pytest.approx(theirs["F"][term.name], abs=1e-9)
        assert term.p_value == pytest.approx(theirs["PR(>F)"][term.name])


@pytest.mark.parametrize("pairs", [False, True])
def test_it_agrees_with_statsmodels_on_a_balanced_experiment(pairs: bool) -> None:
    y, columns = experiment(0)
    assert_agrees(anova(y, columns, pairs=pairs), peer(y, columns, pairs=pairs))


@pytest.mark.parametrize("pairs", [False, True])
def test_it_agrees_with_statsmodels_where_trials_are_missing(pairs: bool) -> None:
    y, columns = drop(*experiment(1), lost=[0, 7, 13])
    assert_agrees(anova(y, columns, pairs=pairs), peer(y, columns, pairs=pairs))


def test_eta_and_omega_squared_follow_from_statsmodels_table() -> None:
    y, columns = experiment(2)
    theirs = peer(y, columns, pairs=True)
    total, noise = theirs["sum_sq"].sum(), theirs["sum_sq"]["Residual"] / theirs["df"]["Residual"]
    for term in anova(y, columns, pairs=True).terms:
        squares, freedom = theirs["sum_sq"][term.name], theirs["df"][term.name]
        assert term.eta == pytest.approx(squares / total)
        assert term.omega == pytest.approx(max(0.0, (squares - freedom * noise) / (total + noise)))


@given(st.integers(0, 10**6))
def test_the_shares_of_a_balanced_experiment_add_up_to_one(seed: int) -> None:
    table = anova(*experiment(seed), pairs=True)
    assert sum(term.eta for term in table.terms) + table.squares / table.total == pytest.approx(1)
    for term in table.terms:
        assert 0 <= term.omega <= term.eta
        assert 0 <= term.low <= term.high <= 1


@given(st.integers(0, 10**6), st.floats(0.001, 1000), st.floats(-100, 100))
def test_neither_the_scale_nor_the_origin_nor_the_order_of_the_trials_matters(seed: int, scale: float, origin: float):
    y, columns = experiment(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    other = anova((scale * y + origin)[order], {name: [levels[i] for i in order] for name, levels in columns.items()})
    for one, two in zip(anova(y, columns).terms, other.terms, strict=True):
        assert two.f == pytest.approx(one.f, rel=1e-6, abs=1e-9)
        assert two.eta == pytest.approx(one.eta, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("f", "freedom", "residual"), [(0.2, 1, 10), (1.0, 3, 8), (12.0, 1, 26), (5e7, 2, 40)])
def test_the_ends_of_a_noncentrality_leave_the_tails_that_they_promise(f: float, freedom: int, residual: int) -> None:
    low, high = noncentralities(f, freedom, residual, 0.9)
    if high > 0:
        assert ncf.cdf(f, freedom, residual, high) == pytest.approx(0.05, abs=1e-6)
    if low > 0:
        assert ncf.sf(f, freedom, residual, low) == pytest.approx(0.05, abs=1e-6)
    assert 0 <= low <= high


@pytest.mark.parametrize("effects", [(0.0, 0.0, 0.0, 0.0), (2.0, 0.5, 0.2, 0.0), (0.3, 0.3, 0.3, 0.3)])
def test_the_intervals_hold_the_true_shares_as_often_as_they_say(effects: tuple[float, ...]) -> None:
    """16 trials of 4 factors, 200 times: 95 % of 800 intervals, less three standard errors of a proportion."""
    rng = np.random.default_rng(0)
    grid = np.array(list(product((-1, 1), repeat=4)))
    columns = {name: grid[:, i].tolist() for i, name in enumerate("abcd")}
    truth = np.square(effects) / (np.square(effects).sum() + 1)
    held = [
        term.low <= share <= term.high
        for _ in range(200)
        for term, share in zip(anova(grid @ effects + rng.normal(size=16), columns).terms, truth, strict=True)
    ]
    assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 800)


def test_pooled_terms_are_tested_as_the_model_that_lacks_them_all() -> None:
    y, columns = experiment(3)
    table = anova(y, columns)
    pooled = table.pooled("both", ["b", "c"])
    whole = ols("y ~ C(a) + C(b) + C(c)", data=DataFrame({"y": y, **columns})).fit()
    f, p, freedom = whole.compare_f_test(ols("y ~ C(a)", data=DataFrame({"y": y, **columns})).fit())
    assert (pooled.f, pooled.p_value, pooled.freedom) == pytest.approx((f, p, freedom))
    assert pooled.eta == pytest.approx(table.term("b").eta + table.term("c").eta)


def test_without_a_residual_there_are_shares_and_no_judgement() -> None:
    table = anova([1.0, 2.0, 4.0, 9.0], {"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]}, pairs=True)
    assert table.freedom == 0
    assert sum(term.eta for term in table.terms) == pytest.approx(1)
    assert all(term.p_value is term.omega is term.low is None for term in table.terms)


@pytest.mark.parametrize(
    ("values", "factors", "pairs", "words"),
    [
        ([1.0, 1.0, 1.0, 1.0], {"a": [0, 0, 1, 1]}, False, "no variation"),
        ([1.0, 2.0, 3.0, 4.0], {"a": [0, 0, 0, 0]}, False, "one level only"),
        ([1.0, 2.0, 3.0], {"a": [0, 1]}, False, "3 values but 2 levels"),
        ([1.0, 2.0, 3.0, 5.0], {"a": [0, 0, 1, 1], "b": ["p", "p", "q", "q"]}, False, "cannot tell"),
        ([1.0, 2.0, 3.0, 5.0], {"a": [0, 0, 1, 1], "b": [0, 1, 0, 1], "c": [0, 1, 1, 0]}, True, "cannot tell"),
        ([1.0, float("nan"), 3.0, 5.0], {"a": [0, 0, 1, 1]}, False, "finite"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_words(values, factors, pairs: bool, words: str) -> None:
    with pytest.raises(StatisticsError, match=words):
        anova(values, factors, pairs=pairs)


def test_an_unknown_term_is_named_beside_the_known() -> None:
    with pytest.raises(StatisticsError, match="no term 'd', only a, b, c"):
        anova(*experiment(4)).term("d")
