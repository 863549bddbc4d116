"""What writing checkpoints costs a training of ResNet-50 on digits: the share of its time, as it runs by default.

The clock stands inside one real training, because two of them differ by more than is looked for here.
python benchmarks/checkpoint_overhead.py [--epochs 15]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from record import record

from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.training import job as job_module
from netversus.lab.training.checkpoint import Pace
from netversus.lab.training.distributed import World
from netversus.lab.training.job import Job, train_alone
from netversus.lab.training.recipe import make_recipe

WRITES: list[float] = []


class Timed(Pace):
    """The usual pace, and how long each write took."""

    def keep(self, write: Callable[[], None]) -> None:
        """Write and time it."""
        begin = time.perf_counter()
        super().keep(write)
        WRITES.append(time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=float, default=15)
    epochs = parser.parse_args().epochs
    job_module.Pace = Timed
    stamps = [time.perf_counter()]
    data = open_data("digits")
    with tempfile.TemporaryDirectory() as folder:
        job = Job(resolve("resnet50", data.card), data, make_recipe({"epochs": epochs}), 0, Path(folder) / "out")

        train_alone(
            job, torch.device("cpu"), World(), say=print, progressed=lambda *_: stamps.append(time.perf_counter())
        )
    seconds = stamps[-1] - stamps[1]
    share = sum(WRITES) / (seconds - sum(WRITES))
    record(
        name="checkpoint_overhead",
        peer="the same training without its writes",
        ratio=1 + share,
        ratio_is="seconds with / without what was spent on writing",
        better="lower",
        goal="checkpoints cost under 2 % of the training",
        met=bool(WRITES) and share < 0.02,
        measured={
            "seconds of steps and writes": seconds,
            "seconds of each write": WRITES,
            "steps": len(stamps) - 1,
            "usual interval in seconds": job_module.CHECKPOINT_SECONDS,
            "settings": "resnet50, AdamW, float32, batch 32, 32 px",
        },
    )


if __name__ == "__main__":
    main()
