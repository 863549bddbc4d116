"""What must not matter does not: who is called A, in which order units and seeds come, how many ties there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netversus.records import Direction, Question, Scale, Verdict
from netversus.statistics.comparison import compare, compare_across_seeds
from netversus.statistics.pairing import Sample
from netversus.statistics.sequential import SequentialComparison

PROPORTION = Question("m", "?", Scale.PROPORTION, Direction.HIGHER, "%", "image")
MEAN = Question("m", "?", Scale.MEAN, Direction.LOWER, "", "image")
BETTER = (Verdict.A_BETTER, Verdict.B_BETTER)

signs = st.lists(st.sampled_from([-1.0, 0.0, 1.0, 1.0]), min_size=1, max_size=300)
answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


def named(values: np.ndarray, order: np.ndarray | None = None) -> Sample:
    order = np.arange(len(values)) if order is None else order
    return Sample(tuple(f"unit-{i:04d}" for i in order), values[order].astype(float))


def trained(gap: float, seed: int, n: int = 150) -> dict[int, np.ndarray]:
    rng = np.random.default_rng(seed)
    hard = rng.random(n)
    return {s: (hard < 0.6 + gap + rng.normal(0, 0.02)).astype(float) for s in range(4)}


@pytest.mark.parametrize("asked", [PROPORTION, MEAN])
@pytest.mark.parametrize("gap", [0.0, 0.2])
def test_exchanging_recipes_mirrors_the_verdict(asked: Question, gap: float) -> None:
    a, b = ({s: named(v) for s, v in trained(g, seed).items()} for g, seed in ((0.0, 0), (gap, 1)))
    there = compare_across_seeds(asked, a, b, level=0.95, margin=0.01, seed=0)
    back = compare_across_seeds(asked, b, a, level=0.95, margin=0.01, seed=0)
    assert there.verdict is back.verdict.mirrored()
    assert (there.verdict in BETTER) == (gap > 0)
    assert there.effect is not None
    assert back.effect is not None
    assert there.effect.estimate == pytest.approx(-back.effect.estimate)
    # the two draw other weights for their seeds: the same spread but for the noise of 2,000 draws
    assert there.effect.low == pytest.approx(-back.effect.high, abs=0.15 * (there.effect.high - there.effect.low))


def test_the_order_of_units_and_of_seeds_changes_nothing_across_seeds() -> None:
    a, b = trained(0.0, 0), trained(0.1, 1)
    order = np.random.default_rng(0).permutation(150)
    there, back = (
        compare_across_seeds(
            PROPORTION,
            {s: named(v, mixed) for s, v in list(a.items())[::step]},
            {s: named(v, mixed) for s, v in list(b.items())[::step]},
            level=0.95,
            margin=0.01,
            seed=0,
        )
        for mixed, step in ((None, 1), (order, -1))
    )
    assert there == back


@settings(max_examples=40)
@given(answers, st.integers(0, 10**6))
def test_permuting_the_units_of_a_proportion_changes_nothing_at_all(pairs: list[tuple[bool, bool]], seed: int) -> None:
    a, b = np.array(pairs, dtype=float).T
    order = np.random.default_rng(seed).permutation(len(a))
    there = compare(PROPORTION, {"m": named(a)}, {"m": named(b)}, level=0.95, margin=0.01, seed=0)
    back = compare(PROPORTION, {"m": named(a, order)}, {"m": named(b)}, level=0.95, margin=0.01, seed=0)
    assert there == back


def read(
    differences: list[float], look: int, margin: float, population: int | None
) -> tuple[list[Verdict], SequentialComparison]:
    """The verdict after each look."""
    sequence = SequentialComparison(margin=margin, level=0.6, prior=5.0, population=population)  # decides soon
    return [sequence.observe(differences[i : i + look]) for i in range(0, len(differences), look)], sequence


@settings(max_examples=60)
@given(signs, st.sampled_from([1, 7, 64]), st.sampled_from([0.0, 0.2]), st.booleans())
def test_exchanging_the_contenders_mirrors_the_verdict_at_every_look(
    differences: list[float], look: int, margin: float, whole: bool
) -> None:
    population = len(differences) if whole else None
    there, one = read(differences, look, margin, population)
    back, two = read([-d for d in differences], look, margin, population)
    assert there == [verdict.mirrored() for verdict in back]
    assert one.decided_at == two.decided_at
    assert one.e_value == pytest.approx(two.e_value)


@settings(max_examples=60)
@given(signs, st.lists(st.integers(0, 300), max_size=60))
def test_ties_between_never_make_a_sequential_verdict_better(differences: list[float], places: list[int]) -> None:
    tied = list(differences)
    for place in places:
        tied.insert(min(place, len(tied)), 0.0)
    plain, one = read(differences, 1, 0.1, None)
    mixed, two = read(tied, 1, 0.1, None)
    assert one.e_value == pytest.approx(two.e_value, rel=1e-6)
    if mixed[-1] in BETTER:
        assert plain[-1] in (mixed[-1], Verdict.EQUIVALENT)
