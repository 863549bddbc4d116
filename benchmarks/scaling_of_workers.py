"""What the machinery costs a cell of over ten seconds, and how an evaluation scales from one process to two.

    python benchmarks/scaling_of_workers.py [--rounds 3] [--seconds 11]

Two passes of one study (two contenders and a seed each) whose work is fixed: so many multiplications of matrices on one
thread, set once so that a pass takes its time. They run in this process, on one worker, and on two, in turns, because
the machine is shared: what counts are the ratios within a round, of which the median is told. The time until the first
step and after the last cell is told by itself, for workers start and end once a run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from record import record

PASSES = 2
CONTENDERS = ("py:nets:make?crop=32@scratch", "py:nets:make?crop=33@scratch")
DECLARATION = """
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Study

STUDY = Study(
    name="steady",
    question="What does fixed work cost?",
    questions=(Question("value", "Whose is larger?", Scale.MEAN, Direction.HIGHER, "", "number", margin=0.1),),
    cost=lambda options, work: Cost(seconds=10.0),
    seeded=True,
    default=False,
)
"""
WORK = """
import os

import torch


def toil(steps):
    torch.set_num_threads(1)
    a = torch.ones(512, 512)
    for step in range(steps):
        a = (a @ a).clamp_(-1, 1)
        yield step
"""
MEASURE = """
import os

from steadywork import toil

from netversus.records import Observations, Progress


def measure(bench):
    steps = int(os.environ["STEADY_STEPS"])
    for step in toil(steps):
        if step % 64 == 0:
            for card in bench.contenders:
                yield Observations(card.name, "value", (f"{step}",), (float(step),))
            yield Progress(step, steps, "steps")
"""


@contextmanager
def installed() -> Iterator[None]:
    """The study and two contenders, where Python looks for packages, in workers too."""
    with tempfile.TemporaryDirectory() as folder:
        info, package = Path(folder) / "steady-1.0.dist-info", Path(folder) / "steady"
        info.mkdir()
        package.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: steady\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[netversus.studies]\nsteady = steady\n")
        (package / "__init__.py").write_text(DECLARATION)
        (package / "measure.py").write_text(MEASURE)
        (Path(folder) / "steadywork.py").write_text(WORK)
        nets = "from torch import nn\n\n\ndef make(num_classes=10):\n    return nn.Identity()\n"
        (Path(folder) / "nets.py").write_text(nets)
        sys.path.insert(0, folder)
        os.environ["PYTHONPATH"] = folder
        yield


def bare(steps: int) -> float:
    """Seconds for the work of all the cells, and nothing else."""
    from steadywork import toil

    begin = time.perf_counter()
    for _ in range(PASSES):
        for _ in toil(steps):
            pass
    return time.perf_counter() - begin


def executed(workers: int) -> dict[str, float]:
    """Seconds until the first step, from there until the last cell is done, and from there until the workers are gone:
    they start and end once a run."""
    import torch

    from netversus.api import prepare
    from netversus.execute.cluster import execute_on
    from netversus.execute.executor import Placement
    from netversus.execute.inprocess import execute
    from netversus.execute.listener import Silent
    from netversus.request import make_request
    from netversus.store import RunStore

    class Watch(Silent):
        first = last = 0.0

        def progressed(self, *_: object) -> None:
            self.first = self.first or time.perf_counter()

        def ended(self, *_: object) -> None:
            self.last = time.perf_counter()

    prepared = prepare(make_request({"contenders": CONTENDERS, "studies": ("steady",), "repeats": PASSES}))
    plan, watch = prepared.nominal_plan(), Watch()
    assert len(plan.cells) == PASSES * len(CONTENDERS)
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore.create(Path(folder) / "run")
        store.add_plan(plan)
        begin = time.perf_counter()
        if workers:
            execute_on(Placement("workers", workers=workers), plan, store, watch)
        else:
            execute(plan, store, prepared.data, torch.device("cpu"), watch)
        end = time.perf_counter()
    return {"start": watch.first - begin, "cells": watch.last - watch.first, "end": end - watch.last}


def main() -> None:
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command does, and as it is in a worker
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=11.0)
    asked = parser.parse_args()
    with installed():
        os.environ["STEADY_STEPS"] = str(int(2000 * asked.seconds * PASSES / bare(2000)))
        steps = int(os.environ["STEADY_STEPS"])
        rounds = []
        for number in range(asked.rounds):
            kinds = (0, 1, 2) if number % 2 else (2, 1, 0)  # no kind is always measured first
            took = {workers: executed(workers) for workers in kinds}
            rounds.append({"bare": bare(steps), "here": took[0], "one": took[1], "two": took[2]})
            print(number, rounds[-1], flush=True)

    def ratio(of: str, to: str) -> float:
        return statistics.median(r[of]["cells"] / r[to]["cells"] for r in rounds)

    def once(what: str) -> dict[str, float]:
        return {name: statistics.median(r[name][what] for r in rounds) for name in ("here", "one", "two")}

    over_bare = statistics.median(sum(r["here"].values()) / r["bare"] for r in rounds)
    record(
        name="scaling_of_workers",
        peer="the in-process executor, in turns on the same shared machine",
        ratio=ratio("one", "here"),
        ratio_is="seconds of one worker, once it is up / the peer's, median of the rounds",
        better="lower",
        goal="one worker under 1.05 of the in-process executor for cells over 10 s, once it is up",
        met=ratio("one", "here") < 1.05,
        measured={
            "passes": PASSES,
            "seconds_a_pass": rounds[0]["bare"] / PASSES,
            "here_over_bare_work": over_bare,
            "one_worker_over_here": ratio("one", "here"),
            "one_worker_over_two": ratio("one", "two"),
            "efficiency_of_two": ratio("one", "two") / 2,
            "seconds_until_the_first_cell": once("start"),
            "seconds_after_the_last_cell": once("end"),
            "rounds": rounds,
            "note": "the machine is shared with other work: seconds vary, ratios within a round are told",
        },
    )


if __name__ == "__main__":
    main()
