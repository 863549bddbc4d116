"""Ten thousand cells of a study that costs nothing: what the machinery around a cell costs, and what a resume costs.

    python benchmarks/load.py [--cells 10000]

The study is installed beside the package as another package's would be. Peers do not keep cells, so there is none to be
measured beside: the goals are those of the project.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from record import record

DECLARATION = """
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Study

STUDY = Study(
    name="free{number}",
    question="What does nothing cost?",
    questions=(Question("value", "Whose is larger?", Scale.MEAN, Direction.HIGHER, "", "number", margin=0.1),),
    cost=lambda options, work: Cost(seconds=0.001),
    seeded=True,
    default=False,
)
"""
MEASURE = """
from netversus.records import Observations


def measure(bench):
    for card in bench.contenders:
        if not bench.stored(card.name, "value"):
            yield Observations(card.name, "value", ("a", "b", "c"), (0.1, 0.2, 0.3 + bench.seed % 7))
"""
STUDIES, CONTENDERS = 5, 20


@contextmanager
def installed() -> Iterator[None]:
    """The studies, where Python looks for packages."""
    with tempfile.TemporaryDirectory() as folder:
        info = Path(folder) / "free-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: free\nVersion: 1.0\n")
        points = [f"free{n} = free{n}\n" for n in range(STUDIES)]
        (info / "entry_points.txt").write_text("[netversus.studies]\n" + "".join(points))
        for n in range(STUDIES):
            package = Path(folder) / f"free{n}"
            package.mkdir()
            (package / "__init__.py").write_text(DECLARATION.format(number=n))
            (package / "measure.py").write_text(MEASURE)
        (Path(folder) / "nets.py").write_text(
            "from torch import nn\n\n\ndef make(num_classes=10):\n    return nn.Identity()\n"
        )
        sys.path.insert(0, folder)
        os.environ["PYTHONPATH"] = folder
        yield


def timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=0)
    asked = parser.parse_args()
    seeds = max(3, asked.cells // (STUDIES * CONTENDERS))
    with installed(), tempfile.TemporaryDirectory() as folder:
        import torch

        from netversus.api import prepare
        from netversus.execute.cluster import execute_on
        from netversus.execute.executor import Placement
        from netversus.execute.inprocess import execute
        from netversus.execute.listener import Silent
        from netversus.plan import Plan
        from netversus.request import make_request
        from netversus.store import RunStore

        request = make_request(
            {
                "contenders": tuple(f"py:nets:make?crop={32 + i}@scratch" for i in range(CONTENDERS)),
                "studies": tuple(f"free{n}" for n in range(STUDIES)),
                "repeats": min(seeds, 100),
            }
        )
        prepared = prepare(request)
        plans: list[Plan] = []
        planning = timed(lambda: plans.append(prepared.nominal_plan()))
        plan = plans[0]
        store = RunStore.create(Path(folder) / "run")
        storing = timed(lambda: store.add_plan(plan))
        process = psutil.Process()
        before = process.memory_info().rss

        class Watch(Silent):
            """The coordinator's memory every so many cells."""

            ended_cells, grown_mib = 0, {}

            def ended(self, *_: object) -> None:
                self.ended_cells += 1
                if self.ended_cells % max(1, len(plan.cells) // 10) == 0:
                    self.grown_mib[self.ended_cells] = (process.memory_info().rss - before) / 2**20

        watch = Watch()

        def run() -> None:
            if asked.workers:
                execute_on(Placement("workers", workers=asked.workers), plan, store, watch)
            else:
                execute(plan, store, prepared.data, torch.device("cpu"), watch)

        running = timed(run)
        grown = process.memory_info().rss - before
        resuming = timed(run)
        cells = len(plan.cells)
        per_cell = running / cells
        record(
            name=f"load_{'workers' if asked.workers else 'here'}",
            peer="none: a cell of ten seconds",
            ratio=per_cell / 10,
            ratio_is="seconds of a cell that costs nothing / ten seconds",
            better="lower",
            goal="under 5 % of a cell of 10 s, planned in under 10 s, resumed in under 30 s, grown by under 256 MiB",
            met=per_cell < 0.5 and planning < 10 and resuming < 30 and grown < 256 * 2**20,
            measured={
                "cells": cells,
                "workers": asked.workers,
                "planning_s": planning,
                "storing_plan_s": storing,
                "running_s": running,
                "a_cell_ms": 1000 * per_cell,
                "resume_of_all_done_s": resuming,
                "memory_grown_mib": grown / 2**20,
                "memory_grown_mib_after_cells": watch.grown_mib,
            },
        )


if __name__ == "__main__":
    main()
