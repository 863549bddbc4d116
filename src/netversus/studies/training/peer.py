"""A process that only trains, beside the one that measures.

python -m netversus.studies.training.peer JOB RANK PORT
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import safetensors.torch
import torch
from pydantic import TypeAdapter
from torch import Tensor

from netversus.lab.contenders.load import load
from netversus.lab.devices import make_deterministic
from netversus.lab.training.distributed import World
from netversus.lab.training.peers import beside
from netversus.studies.training.learner import Learner, Task, make_learner, rounds


@dataclass(frozen=True)
class Job:
    """What all processes do together: one group of tasks after the other, the tasks of a group in turns."""

    groups: tuple[tuple[Task, ...], ...]
    processes: int
    rounds: int
    threads: int
    device: str


JOB = TypeAdapter(Job)


def main(file: str, rank: int, port: int) -> None:
    """Train with the others, to the end of the job."""
    job = JOB.validate_json(Path(file).read_bytes())
    torch.set_num_threads(job.threads)
    make_deterministic()
    with beside(rank, job.processes, port, torch.device(job.device)) as (world, device):
        for tasks in job.groups:
            learners = [_learner(task, device, world) for task in tasks]
            for _, learner, stop in rounds(learners, job.rounds):
                for _ in learner.trainee.train(learner.images, learner.labels, learner.order, stop):
                    pass


def _learner(task: Task, device: torch.device, world: World) -> Learner:
    model = load(task.card, classes=task.classes, seed=task.seed).to(device).train()
    assert task.data is not None
    data = _data(task.data)
    return make_learner(task, model, data["images"], data["labels"], device, world)


@cache
def _data(path: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(path)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
