"""What breaks first when a comparison outgrows one machine: a simulation of the coordinator and its workers.

    python benchmarks/scale_simulation.py

The cost of a cell's machinery is what `load.py` measured here; the size of a plan and of observations is measured by
making them. What a network costs on an accelerator is an assumption and is named as one. docs/scale.md explains it.
"""

from __future__ import annotations

import heapq
import json
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter
from record import RESULTS, record

from netversus.records import Cell

IMAGES_A_SECOND = 5000.0  # assumed: a ResNet-50 or so on one accelerator, fed from decoded or device-decoded images
STRAGGLER_SIGMA = 0.35  # assumed: spread of log-durations over machines
DEATHS_AN_HOUR = 1e-4  # assumed: of one worker
LISTED_A_REQUEST = 1000  # names in a page of an object store's listing
REQUEST_SECONDS = 0.03  # assumed: one request to an object store from the same region
REQUESTS_AT_ONCE = 64
ASSUMED = ("IMAGES_A_SECOND", "STRAGGLER_SIGMA", "DEATHS_AN_HOUR", "REQUEST_SECONDS", "REQUESTS_AT_ONCE")


@dataclass(frozen=True)
class Case:
    """One scale. A pass holds `together` contenders on one data set and seed, so that an image is decoded once."""

    name: str
    contenders: int
    data_sets: int
    images: int
    seeds: int
    workers: int
    together: int = 20


CASES = (
    Case("two networks on ImageNet, one accelerator", 2, 1, 50_000, 1, 1, 2),
    Case("20 contenders, 15 studies' worth of data, 5 seeds, 8 accelerators", 20, 15, 50_000, 5, 8),
    Case("1,000 contenders, 100 data sets, 10,000 accelerators", 1000, 100, 50_000, 1, 10_000),
)


def overhead_seconds() -> float:
    """What the machinery takes for a cell, as measured by load.py on this machine."""
    measured = json.loads((RESULTS / "load_here.json").read_text())["measured"]
    return float(measured["a_cell_ms"]) / 1000


def plan_bytes_a_cell() -> int:
    cell = Cell(
        "accuracy", 1, ("timm:resnet101.a1h_in1k",), 0, {"images": None, "batch": 64, "order_seed": 0}, "k" * 33
    )
    return len(TypeAdapter(Cell).dump_json(cell, indent=1))


def observation_bytes() -> float:
    """Bytes that one observation takes in a part, averaged over a batch's worth of parts."""
    rng = np.random.default_rng(0)
    count = 50_000
    table = pa.table(
        {
            "contender": ["timm:resnet101.a1h_in1k"] * count,
            "metric": ["nll"] * count,
            "unit": [f"val/n{i // 50:08d}/ILSVRC2012_val_{i:08d}.JPEG" for i in rng.permutation(count)],
            "value": rng.exponential(size=count),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return float(sink.getvalue().size / count)


def makespan(passes: int, seconds: float, workers: int, seed: int = 0) -> tuple[float, float, float]:
    """Hours until the last pass ends, share of the workers' time that was used, share of it that was done twice.

    A pass goes to the worker that is free first; its duration is lognormal; a worker that dies takes its pass with it,
    and what was flushed until then is not done again.
    """
    rng = np.random.default_rng(seed)
    free = [0.0] * min(workers, passes)
    heapq.heapify(free)
    spent = again = end = 0.0
    for duration in seconds * rng.lognormal(-(STRAGGLER_SIGMA**2) / 2, STRAGGLER_SIGMA, passes):
        lost = 0.0
        if rng.random() < duration / 3600 * DEATHS_AN_HOUR:
            lost = min(duration, 62.0)  # two seconds of observations, and a minute to be missed and started anew
        done = heapq.heappop(free) + duration + lost
        heapq.heappush(free, done)
        spent, again, end = spent + duration, again + lost, max(end, done)
    return end / 3600, spent / (end * workers), again / max(spent, 1e-9)


def simulate(case: Case) -> dict[str, float | str]:
    together = min(case.together, case.contenders)
    passes = -(-case.contenders // together) * case.data_sets * case.seeds
    cells = case.contenders * case.data_sets * case.seeds
    seconds = together * (case.images / IMAGES_A_SECOND + overhead_seconds())
    hours, used, again = makespan(passes, seconds, case.workers)
    pieces = passes * together  # the same, a contender a pass
    hours_apart, used_apart, _ = makespan(pieces, seconds / together, case.workers)
    observations = cells * case.images * 6
    objects = cells * (3 + case.images / IMAGES_A_SECOND / 2)
    return {
        "case": case.name,
        "passes": passes,
        "cells": cells,
        "hours": hours,
        "workers' time used": used,
        "done twice after deaths": again,
        "hours, one contender a pass": hours_apart,
        "workers' time used, one contender a pass": used_apart,
        "plan, MiB": cells * plan_bytes_a_cell() / 2**20,
        "observations": observations,
        "observations, GiB": observations * observation_bytes() / 2**30,
        "objects": objects,
        "asking each cell for its outcome, s": cells * REQUEST_SECONDS / REQUESTS_AT_ONCE,
        "listing all objects, s": objects / LISTED_A_REQUEST * REQUEST_SECONDS,
        "pairs of contenders": case.contenders * (case.contenders - 1) / 2,
    }


def main() -> None:
    found = [simulate(case) for case in CASES]
    for each in found:
        for name, value in each.items():
            print(value if isinstance(value, str) else f"    {name:<42} {value:,.4g}")
    large = found[-1]
    alone = simulate(replace(CASES[-1], workers=1))
    record(
        name="scale_simulation",
        peer="one worker, same work",
        ratio=float(alone["hours"]) / float(large["hours, one contender a pass"]),
        ratio_is="hours of one worker / of 10,000, simulated; 10,000 would be without a loss",
        better="higher",
        goal="says what breaks first; no goal of speed",
        met=True,
        measured={
            "cases": found,
            "assumptions": {name: value for name, value in globals().items() if name in ASSUMED},
            "overhead of a cell, s": overhead_seconds(),
            "asked": [asdict(case) for case in CASES],
        },
    )


if __name__ == "__main__":
    main()
