"""A fresh process of the speed study: `python -m netversus.studies.speed.child FILE`, where FILE holds a job.

It is a program of its own, not a fork and not a function handed to a pool: a fork would share what the parent loaded,
and a pool would run the user's own script again.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.timing.kept import Kept
from netversus.records import ContenderCard, DataCard, Observations
from netversus.studies.speed import SpeedOptions
from netversus.studies.speed.step import Step


@dataclass(frozen=True)
class Job:
    """What a fresh process measures: its share of the blocks (`process`), or its own start.

    For the latter `step` names the step, `unit` the observation, `batch` how many images it is shown at once in the
    end, and `began` is the system's monotonic clock in nanoseconds just before the process was started. `parent` is the
    process that waits for it.
    """

    contenders: tuple[ContenderCard, ...]
    data: DataCard
    options: Mapping[str, Any]
    seed: int
    device: str
    weights: Mapping[str, Path]
    folder: Path
    parent: int
    process: int = 0
    step: str = ""
    unit: str = ""
    batch: int = 1
    began: int = 0


JOB = TypeAdapter(Job)


class _Reopened(Mapping[str, ImageSet]):
    """The data's splits, opened only when an engine asks for images to calibrate on."""

    def __init__(self, card: DataCard, seed: int) -> None:
        self._card, self._seed = card, seed

    @cached_property
    def _opened(self) -> Dataset:
        return open_data(self._card.spec, seed=self._seed)

    def __getitem__(self, name: str) -> ImageSet:
        return self._opened.splits[name]

    def __contains__(self, name: object) -> bool:
        return name in self._card.splits

    def __iter__(self) -> Iterator[str]:
        return iter(self._card.splits)

    def __len__(self) -> int:
        return len(self._card.splits)


def main(file: str) -> None:
    """Do a job."""
    job = JOB.validate_json(Path(file).read_bytes())
    if job.step:
        Kept(job.folder, Step).put(job.step, _cold_start(job))
        return
    from netversus.studies.speed.share import run

    for _ in run(_bench(job), Kept(job.folder, Step), job.process):
        if os.getppid() != job.parent:
            return  # killed: a resumed run measures the rest, and must not do so beside us


def _bench(job: Job) -> Any:
    """A bench as the parent has it. What it is to keep lies where the parent finds it."""
    import torch

    from netversus.lab.bench import Bench

    kept = Kept(job.folder, Step)
    return Bench(
        contenders=job.contenders,
        data=Dataset(job.data, _Reopened(job.data, job.seed)),
        options=SpeedOptions.model_validate(dict(job.options)),
        seed=job.seed,
        device=torch.device(job.device),
        stored=lambda *_: (),
        scratch=lambda _: job.folder,
        flush=lambda: None,
        weights=job.weights,
        keep=kept.put_artifact,
        kept=kept.artifact,
    )


def _cold_start(job: Job) -> Step:
    """The seconds from the start of this process until its first answer and what they went into; the most memory that
    the process had by then, and once it has answered a batch."""
    import torch

    bench = _bench(job)
    imported = time.monotonic_ns()
    (card,) = job.contenders
    model = bench.ready(card)
    loaded = time.monotonic_ns()
    side = card.preprocessing.crop
    with torch.inference_mode():
        model(torch.zeros(1, 3, side, side, device=bench.device)).cpu()
    answered = time.monotonic_ns()
    alone = peak_resident()
    with torch.inference_mode():
        model(torch.zeros(job.batch, 3, side, side, device=bench.device)).cpu()
    parts = {
        "cold_start": answered - job.began,
        "cold_start_import": imported - job.began,
        "cold_start_load": loaded - imported,
        "cold_start_answer": answered - loaded,
    }
    seen = [Observations(card.name, metric, (job.unit,), (spent / 1e9,)) for metric, spent in parts.items()]
    held = {"memory_process": alone, "memory_process_batch": peak_resident()}
    return Step((*seen, *(Observations(card.name, metric, (job.unit,), (float(n),)) for metric, n in held.items())))


def peak_resident() -> int:
    """The most memory in bytes that this process ever had resident; the system counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main(sys.argv[1])
