"""What carries out a plan: this process, worker processes, or a cluster. The choice changes how the work is carried out
and nothing of what is observed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from netversus.errors import OptionError, nearest

Where = Literal["here", "workers", "local-cluster", "scheduler", "file", "queue"]
QUEUES = ("slurm", "pbs")
ADDRESS: Final = re.compile(r"(tcp|tls|ucx)://[^\s@]+:\d+")


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the passes run. `target` is a scheduler's address, a scheduler file or the name of a queueing system;
    `workers` the number of processes (of jobs, for a queue)."""

    where: Where = "here"
    target: str = ""
    workers: int = 0


def placement(on: str = "", workers: int = 0) -> Placement:
    """Understand `--on` and `--workers`.

    Raises:
        OptionError: neither a known word, an address, nor a scheduler file; or a negative number of workers.
    """
    if workers < 0:
        raise OptionError(f"the number of workers must not be negative, got {workers}")
    if not on:
        return Placement("workers", workers=workers) if workers else Placement()
    if on == "local-cluster":
        return Placement("local-cluster", workers=workers or 2)
    if on in QUEUES:
        return Placement("queue", on, workers or 2)
    if workers:
        raise OptionError("--workers goes with local worker processes, local-cluster, slurm or pbs", hint=f"not {on}")
    if ADDRESS.fullmatch(on):
        return Placement("scheduler", on)
    if on.endswith(".json"):
        return Placement("file", on)
    known = ("local-cluster", *QUEUES)
    hint = nearest(on, known) or "local-cluster, tcp://host:8786, a scheduler file .json, slurm or pbs"
    raise OptionError(f"there is no place {on!r} to run on", hint=hint)
