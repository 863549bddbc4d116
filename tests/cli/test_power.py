"""`netversus power`: how many units a gap needs, assumed or estimated from a stored run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from netversus.plan import make_plan
from netversus.records import ContenderCard, DataCard, Observations, Rates
from netversus.request import make_request
from netversus.statistics.power import (
    blocks_for_ratio,
    images_for_proportions,
    seeds_for_recipes,
    sequences_for_means,
)
from netversus.store import RunStore


class Stored:
    """A run of the contenders a, b, ... whose observations a test writes by hand."""

    def __init__(self, path: Path, cards: Sequence[ContenderCard], data: DataCard, *studies: str, **settings: object):
        self.store = RunStore.create(path)
        request = make_request({"contenders": [c.name for c in cards], "studies": studies, **settings})
        rates = {c.name: Rates(0.01, 0.03, 1000, measured=False) for c in cards}
        self.plan = make_plan(request, cards, data, rates, "cpu")
        self.store.add_plan(self.plan)

    def observe(self, study: str, contender: str, metric: str, values: Sequence[float], seed: int = 0, first: int = 0):
        cell = next(c for c in self.plan.cells if c.study == study and contender in c.contenders and c.seed == seed)
        units = tuple(f"unit-{i:05d}" for i in range(first, first + len(values)))
        self.store.cell(cell).append([Observations(contender, metric, units, tuple(map(float, values)))])


@pytest.fixture
def stored(tmp_path: Path, make_card: Callable[..., ContenderCard], data_card: DataCard) -> Callable[..., Stored]:
    def make(*studies: str, contenders: str = "ab", weights: str = "x", **settings: object) -> Stored:
        cards = [make_card(name, weights=weights) for name in contenders]
        return Stored(tmp_path / "run", cards, data_card, *studies, **settings)

    return make


SEQUENCES = """
from netversus.records import Direction, Question, Role, Scale
from netversus.study import Cost, Study

STUDY = Study(
    name="{name}",
    question="?",
    questions=(
        Question("score", "?", Scale.{scale}, Direction.HIGHER, "%", "{unit}"),
    ),
    cost=lambda options, work: Cost(seconds=1.0),
    default=False,
    together=True,
)
"""


def rows(ended) -> list[dict]:
    assert ended.code == 0, ended.err
    return json.loads(ended.out)["rows"]


def test_one_point_is_asked_at_8_12_and_16_percent_disagreement(netversus):
    found = rows(netversus("power", "--json"))
    assert [(row["gap"], row["disagreement"], row["source"]) for row in found] == [
        (0.01, psi, "assumed") for psi in (0.08, 0.12, 0.16)
    ]
    assert [row["images"] for row in found] == [images_for_proportions(0.01, psi) for psi in (0.08, 0.12, 0.16)]
    assert all(row["level"] == 0.95 for row in found)


def test_the_table_holds_the_figures_of_the_literature(netversus):
    ended = netversus("power", "--gap", "1.24,1.03", "--disagreement", "12", "--power", "0.9")
    assert ended.code == 0
    for word in ("1.24 points", "1.03 points", "12 %", "8,197", "11,881", "level 95 %", "power 90 %"):
        assert word in ended.out


def test_beside_the_fixed_sample_stands_when_the_sequential_test_would_have_ended(netversus):
    (row,) = rows(netversus("power", "--gap", "1.24", "--disagreement", "12", "--json"))
    # benchmarks/sequential_sign_test.py simulates 5,920 and 12,736, looking every 64 images
    assert row["sequential"]["median"] == pytest.approx(5920, rel=0.06)
    assert row["sequential"]["ninth_decile"] == pytest.approx(12_736, rel=0.06)
    assert 0 < row["sequential"]["wrong"] < 1e-3
    (large,) = rows(netversus("power", "--gap", "5", "--disagreement", "12", "--stop-prior", "10", "--json"))
    assert large["sequential"]["median"] == pytest.approx(448, rel=0.1)
    (tiny,) = rows(netversus("power", "--gap", "0.01", "--disagreement", "12", "--json"))
    assert tiny["sequential"] is None
    assert "–" in netversus("power", "--gap", "0.01", "--disagreement", "12").out


def test_level_and_power_cost_images(netversus):
    (plain,) = rows(netversus("power", "--disagreement", "12", "--json"))
    (strict,) = rows(netversus("power", "--disagreement", "12", "--level", "0.99", "--power", "0.95", "--json"))
    assert strict["images"] == images_for_proportions(0.01, 0.12, level=0.99, power=0.95)
    assert strict["sequential"]["median"] > plain["sequential"]["median"]


@pytest.mark.parametrize(
    ("arguments", "unit", "count"),
    [
        (("--gap", "0.5", "--deviation", "0.4"), "seeds", seeds_for_recipes(0.005, 0.004)),
        (("--gap", "2", "--deviation", "3"), "sequences", sequences_for_means(0.02, 0.03)),
        (("--gap", "20", "--deviation", "1"), "sequences", 6),  # fewer could never reject
        (("--ratio", "1.02", "--deviation", "3"), "blocks", blocks_for_ratio(1.02, 0.03)),
        (("--ratio", "0.5", "--deviation", "3"), "blocks", blocks_for_ratio(2.0, 0.03)),
        (("--deviation", "3"), "blocks", blocks_for_ratio(1.05, 0.03)),
    ],
)
def test_other_units_take_a_deviation(netversus, arguments: tuple[str, ...], unit: str, count: int):
    (row,) = rows(netversus("power", "--unit", unit, *arguments, "--json"))
    assert row[unit] == count
    assert "sequential" not in row
    ended = netversus("power", "--unit", unit, *arguments)
    assert f"How many {unit}" in ended.out
    assert f" {count} " in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gap", "0"), "a gap must be above 0 points, got 0"),
        (("--gap", "-1"), "a gap must be above 0 points, got -1"),
        (("--gap", "9"), "a gap of 9 points cannot come from 8 % disagreement"),
        (("--gap", "one"), "--gap must be numbers such as 1 or 0.5,1,2, got 'one'"),
        (("--gap", "nan"), "--gap must be numbers"),
        (("--gap", "1,,2"), "--gap must be numbers"),
        (("--disagreement", "0"), "--disagreement must be above 0"),
        (("--disagreement", "101"), "at most 100"),
        (("--unit", "image"), "did you mean images?"),
        (("--unit", "seeds"), "--unit seeds needs --deviation"),
        (("--unit", "blocks"), "in %"),
        (("--unit", "seeds", "--deviation", "0"), "--deviation must be above 0"),
        (("--unit", "seeds", "--disagreement", "8"), "--disagreement says nothing of seeds"),
        (("--unit", "blocks", "--gap", "1", "--deviation", "3"), "they take --ratio and --deviation"),
        (("--unit", "blocks", "--ratio", "1", "--deviation", "3"), "other than 1"),
        (("--unit", "sequences", "--gap", "0.000001", "--deviation", "99"), "no feasible number"),
        (("--deviation", "3"), "--deviation says nothing of images"),
        (("--level", "95"), "--level must lie between 0 and 1"),
        (("--power", "0"), "--power must lie between 0 and 1"),
        (("--stop-prior", "0"), "--stop-prior must be above 0"),
        (("--run", "nowhere"), "nowhere is not a run folder"),
        (("--run", "nowhere", "--disagreement", "8"), "leave out one of the two"),
        (("nowhere",), "nowhere is not a run folder"),
        (("one", "--run", "other"), "one and --run other both name a run"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(netversus, arguments: tuple[str, ...], said: str):
    ended = netversus("power", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.startswith("netversus: ")
    assert ended.err.count("\n") == 1


def test_a_stored_run_says_how_often_its_contenders_disagree(netversus, stored: Callable[..., Stored]):
    run = stored("accuracy")
    answers = np.arange(200) % 2.0
    other = answers.copy()
    other[:30] = 1 - other[:30]
    run.observe("accuracy", "a", "top1", answers)
    run.observe("accuracy", "b", "top1", other)
    (row,) = rows(netversus("power", "--run", "run", "--json"))
    assert rows(netversus("power", "run", "--json")) == [row]
    assert row["disagreement"] == pytest.approx(0.15)
    assert row["images"] == images_for_proportions(0.01, 0.15)
    assert row["source"] == "a / b: accuracy.top1 on 200 images"
    table = netversus("power", "--run", "run").out
    assert "15 %" in table
    assert "estimated from" in table


def test_of_an_interrupted_run_the_images_that_both_have_seen_count(netversus, stored: Callable[..., Stored]):
    run = stored("accuracy")
    run.observe("accuracy", "a", "top1", [1.0] * 150)
    run.observe("accuracy", "b", "top1", [0.0] * 10 + [1.0] * 90)
    (row,) = rows(netversus("power", "--run", "run", "--json"))
    assert row["disagreement"] == pytest.approx(0.1)


def test_three_contenders_share_the_error_rate_and_so_need_more(netversus, stored: Callable[..., Stored]):
    run = stored("accuracy", contenders="abc")
    for i, name in enumerate("abc"):
        run.observe("accuracy", name, "top1", np.arange(200) < 150 + 10 * i)
    found = rows(netversus("power", "--run", "run", "--json"))
    assert [row["disagreement"] for row in found] == pytest.approx([0.05, 0.1, 0.05])
    assert {round(1 - row["level"], 12) for row in found} == {round(0.05 / 3, 12)}
    assert found[0]["images"] == images_for_proportions(0.01, 0.05, level=1 - 0.05 / 3)
    named = rows(netversus("power", "--run", "run", "--level", "0.95", "--json"))
    assert named[0]["images"] == images_for_proportions(0.01, 0.05)


def test_seeds_of_a_run_say_how_much_trainings_scatter(netversus, stored: Callable[..., Stored]):
    run = stored("training", "accuracy", weights="scratch", repeats=3)
    right = {"a": (60, 62, 64), "b": (70, 70, 73)}
    for name, counts in right.items():
        for seed, count in enumerate(counts):
            run.observe("accuracy", name, "top1", np.arange(100) < count, seed=seed)
    (row,) = rows(netversus("power", "--unit", "seeds", "--run", "run", "--gap", "2", "--json"))
    deviation = np.sqrt((np.var([0.60, 0.62, 0.64], ddof=1) + np.var([0.70, 0.70, 0.73], ddof=1)) / 2)
    assert row["deviation"] == pytest.approx(deviation)
    assert row["seeds"] == seeds_for_recipes(0.02, deviation)
    (images,) = rows(netversus("power", "--run", "run", "--json"))
    assert images["disagreement"] == pytest.approx(np.mean([0.10, 0.08, 0.09]))
    assert images["source"].endswith("on 100 images, 3 seeds")


@pytest.mark.parametrize(
    ("unit", "scale", "paired_on"), [("sequences", "MEAN", "sequence"), ("blocks", "RATIO", "timing block")]
)
def test_sequences_and_timing_blocks_of_a_run_say_how_much_they_scatter(
    netversus, stored: Callable[..., Stored], add_study, unit: str, scale: str, paired_on: str
):
    add_study("paired", __init__=SEQUENCES.format(name="paired", scale=scale, unit=paired_on))
    run = stored("paired")
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.5, 0.6, (2, 25))
    run.observe("paired", "a", "score", a)
    run.observe("paired", "b", "score", b)
    (row,) = rows(netversus("power", "--unit", unit, "--run", "run", "--json"))
    if unit == "blocks":
        deviation = np.std(np.log(b / a), ddof=1)
        assert row["blocks"] == blocks_for_ratio(1.05, deviation)
    else:
        deviation = np.std(b - a, ddof=1)
        assert row["sequences"] == sequences_for_means(0.01, deviation)
    assert row["deviation"] == pytest.approx(deviation)
    assert row["source"] == f"a / b: paired.score on 25 {paired_on}s"


def test_a_run_that_cannot_say_it_says_so(netversus, stored: Callable[..., Stored], add_study):
    add_study("paired", __init__=SEQUENCES.format(name="paired", scale="RATIO", unit="timing block"))
    run = stored("paired", "accuracy")

    def refused(*arguments: str) -> str:
        ended = netversus("power", "--run", "run", *arguments)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        return ended.err

    assert "holds no observations of accuracy.top1" in refused()
    assert "asks nothing that is counted in sequences" in refused("--unit", "sequences")
    run.observe("accuracy", "a", "top1", [1.0, 0.0])
    assert "holds no observations of accuracy.top1 of two contenders" in refused()
    run.observe("accuracy", "b", "top1", [1.0, 0.0])
    assert "never differs on 2 images" in refused()
    assert "has 1 training seed of each contender" in refused("--unit", "seeds")
    run.observe("paired", "a", "score", [1.0])
    run.observe("paired", "b", "score", [2.0])
    assert "was observed once" in refused("--unit", "blocks")
    run.observe("paired", "a", "score", [1.0], first=1)
    assert "1 unit (unit-00001) only in A" in refused("--unit", "blocks")
    run.observe("paired", "b", "score", [2.0], first=1)
    assert "never varies" in refused("--unit", "blocks")
    run.observe("accuracy", "b", "top1", [0.0] * 18, first=2)
    run.observe("accuracy", "a", "top1", [1.0] + [0.0] * 17, first=2)
    assert "cannot come from 5 % disagreement (a / b: accuracy.top1 on 20 images)" in refused("--gap", "6")


def test_contenders_that_saw_other_images_are_refused(netversus, stored: Callable[..., Stored]):
    run = stored("accuracy")
    run.observe("accuracy", "a", "top1", [1.0, 0.0])
    run.observe("accuracy", "b", "top1", [1.0, 0.0], first=7)
    ended = netversus("power", "--run", "run")
    assert ended.code == 2
    assert "saw no image together" in ended.err
