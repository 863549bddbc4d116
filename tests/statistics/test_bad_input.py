"""What observations can have wrong with them, on every scale: a clear refusal, or a defined verdict."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from netversus.errors import PairingError
from netversus.records import Direction, Question, Scale, Verdict
from netversus.statistics.anytime import compare_anytime
from netversus.statistics.comparison import Comparison, compare, compare_across_seeds
from netversus.statistics.pairing import Sample

ECE = {"estimator": "expected_calibration_error", "inputs": ("confidence", "top1")}
P95 = {"estimator": "percentile_95", "inputs": ("m",)}
QUESTIONS = {
    "proportion": Question("m", "?", Scale.PROPORTION, Direction.HIGHER, "%", "image"),
    "mean": Question("m", "?", Scale.MEAN, Direction.HIGHER, "", "image"),
    "ratio": Question("m", "?", Scale.RATIO, Direction.LOWER, "s", "timing block"),
    "percentile": Question("m", "?", Scale.RATIO, Direction.LOWER, "s", "timing block", **P95),  # type: ignore[arg-type]
    "aggregate": Question("m", "?", Scale.AGGREGATE, Direction.LOWER, "%", "image", **ECE),  # type: ignore[arg-type]
    "fact": Question("m", "?", Scale.FACT, Direction.LOWER, "parameters", "contender"),
}
CHANCE = [name for name in QUESTIONS if name != "fact"]


def units(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"unit-{i:02d}" for i in range(first, last))


def sample(names: tuple[str, ...], *values: float) -> Sample:
    """Ones on all units, but for the values given for the first of them."""
    column = np.ones(len(names))
    column[: len(values)] = values
    return Sample(names, column)


def one_by_one(asked: Question, a: Sample, b: Sample) -> Comparison:
    metrics = asked.inputs or (asked.metric,)
    return compare(asked, dict.fromkeys(metrics, a), dict.fromkeys(metrics, b), level=0.95, margin=0.01, seed=0)


def across_seeds(asked: Question, a: Sample, b: Sample) -> Comparison:
    good = sample(a.units)
    return compare_across_seeds(asked, {0: good, 1: good, 2: a}, {0: good, 1: good, 2: b}, level=0.95, margin=0, seed=0)


def anytime(asked: Question, a: Sample, b: Sample) -> Comparison:
    metrics = asked.inputs or (asked.metric,)
    return compare_anytime(asked, dict.fromkeys(metrics, a), dict.fromkeys(metrics, b), level=0.95, margin=0.01, look=4)


DOORS = [
    *((one_by_one, name) for name in QUESTIONS),
    *((across_seeds, name) for name in ("proportion", "mean")),
    *((anytime, name) for name in ("proportion", "mean", "aggregate")),
]
Door = Callable[[Question, Sample, Sample], Comparison]


@pytest.fixture(params=DOORS, ids=lambda each: f"{each[0].__name__}-{each[1]}")
def refuse(request: pytest.FixtureRequest) -> Callable[[Sample, Sample, str], None]:
    """Both ways round: what is wrong with A is as wrong with B."""
    door, name = request.param

    def refuse(a: Sample, b: Sample, said: str) -> None:
        for one, two in ((a, b), (b, a)):
            with pytest.raises(PairingError, match=said):
                door(QUESTIONS[name], one, two)

    return refuse


def test_mismatched_units_are_refused(refuse: Callable[[Sample, Sample, str], None]) -> None:
    refuse(
        sample(units(0, 30)), sample(units(10, 40)), r"10 units \(unit-\d\d, unit-\d\d, unit-\d\d, \.\.\.\) only in A"
    )


def test_duplicated_units_are_refused(refuse: Callable[[Sample, Sample, str], None]) -> None:
    twice = (*units(0, 29), "unit-07")
    refuse(sample(units(0, 30)), sample(twice), r"1 unit \(unit-07\) appear more often")
    refuse(sample(twice), sample(twice), r"1 unit \(unit-07\) appear more often")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(refuse: Callable[[Sample, Sample, str], None], bad: float) -> None:
    refuse(sample(units(0, 30)), sample(units(0, 30), 1.0, bad), r"1 unit \(unit-01\) are not")


def test_no_units_are_refused(refuse: Callable[[Sample, Sample, str], None]) -> None:
    refuse(sample(()), sample(()), "has no units")


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_contender_that_lacks_units_is_refused(name: str) -> None:
    whole, part = sample(units(0, 30)), sample(units(0, 28))
    with pytest.raises(PairingError, match=r"2 units \(unit-28, unit-29\) only in A, 0 units only in B"):
        one_by_one(QUESTIONS[name], whole, part)
    with pytest.raises(PairingError, match="0 units only in A, 2 units"):
        one_by_one(QUESTIONS[name], part, whole)


@pytest.mark.parametrize("name", ["proportion", "mean"])
def test_a_seed_that_lacks_units_is_refused(name: str) -> None:
    with pytest.raises(PairingError, match="2 units"):
        across_seeds(QUESTIONS[name], sample(units(0, 30)), sample(units(0, 28)))


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("name", CHANCE)
def test_few_units_that_are_all_identical_decide_nothing(name: str, n: int) -> None:
    found = one_by_one(QUESTIONS[name], sample(units(0, n)), sample(units(0, n)))
    assert found.verdict is Verdict.UNDECIDED
    assert found.value_a == found.value_b
    assert found.p_value == 1


@pytest.mark.parametrize("name", CHANCE)
def test_many_units_that_are_all_identical_never_make_one_better(name: str) -> None:
    names = tuple(f"unit-{i:04d}" for i in range(2000))
    found = one_by_one(QUESTIONS[name], sample(names), sample(names))
    assert found.verdict in (Verdict.EQUIVALENT, Verdict.UNDECIDED)
    assert found.p_value == 1
    if found.effect is not None:
        assert found.effect.low <= found.effect.estimate <= found.effect.high


@pytest.mark.parametrize(
    ("n", "verdict"), [(1, Verdict.UNDECIDED), (380, Verdict.UNDECIDED), (381, Verdict.EQUIVALENT)]
)
def test_without_discordant_pairs_equivalence_takes_as_many_units_as_tangos_interval_does(
    n: int, verdict: Verdict
) -> None:
    """z^2 / (n + z^2) is below a margin of a point from 381 units on."""
    names = tuple(f"unit-{i:03d}" for i in range(n))
    found = one_by_one(QUESTIONS["proportion"], sample(names), sample(names))
    assert found.verdict is verdict
    assert found.discordant == (0, 0)
    assert found.p_value == 1
    if verdict is Verdict.UNDECIDED:
        assert found.further_units is not None
        assert found.further_units >= 1


def test_a_fact_on_one_unit_is_decided_and_on_none_refused() -> None:
    found = one_by_one(QUESTIONS["fact"], sample(("net",), 25e6), sample(("net",), 44e6))
    assert (found.verdict, found.effect, found.p_value) == (Verdict.A_BETTER, None, None)
