"""What may be said of a primary question before it may be judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from netversus.analyse import analyse
from netversus.browse.interim import NO_SEQUENCE, Interim, Values
from netversus.browse.live import LiveRun
from netversus.statistics.pairing import Sample

from .conftest import Writer


def seen(run: Writer) -> tuple[Interim, ...]:
    with run.at_work():
        return LiveRun(run.store).look().interim


def test_nothing_is_said_where_one_of_them_has_read_nothing(make_run: Callable[..., Writer]):
    run = make_run()
    run.begin("ant")
    run.see("ant", 50, 0.5)
    (found,) = seen(run)
    assert found.change is None
    assert "nothing that both have read" in found.words


def test_a_plan_that_reads_all_shows_a_difference_and_says_why_it_has_no_interval(make_run: Callable[..., Writer]):
    run = make_run()
    run.see("ant", 120, 0.5)
    run.see("bee", 100, 0.9)
    (found,) = seen(run)
    a, b = (dict(zip(s.units, s.values, strict=True)) for s in _samples(run))
    common = [unit for unit in b if unit in a]
    assert found.n == len(common) == 100
    assert found.change == pytest.approx(np.mean([b[u] - a[u] for u in common]))
    assert found.effect is None
    assert NO_SEQUENCE in found.words
    assert "[" not in found.words


def test_a_plan_that_may_stop_shows_the_confidence_sequence_of_the_analysis(make_run: Callable[..., Writer]):
    run = make_run(stop_when_decided=True)
    run.see("ant", 192, 0.70)
    run.see("bee", 192, 0.74)
    (found,) = seen(run)
    (finding,) = (f for f in analyse(run.store) if f.metric == "top1" and not f.slice)
    assert found.effect is not None
    assert found.effect == finding.effect
    assert found.n == finding.n
    assert "confidence sequence" in found.words


def test_an_ended_run_has_a_verdict_and_no_interim_one(make_run: Callable[..., Writer]):
    run = make_run()
    for name in ("ant", "bee"):
        run.see(name, 400, 0.5)
        run.end(name)
    assert LiveRun(run.store).look().interim == ()


def test_a_unit_that_two_processes_saw_counts_once():
    values = Values()
    values.add(Sample(("a", "b"), np.array([1.0, 0.0])))
    values.add(Sample(("b", "c"), np.array([1.0, 1.0])))
    assert values.sample().units == ("a", "b", "c")
    assert values.sample().values.tolist() == [1.0, 0.0, 1.0]


def _samples(run: Writer) -> list[Sample]:
    return [run.store.cell(run.cell(name)).observations()[name, "top1"] for name in ("ant", "bee")]
