"""Further processes beside this one that train the same network with it, for as long as a block lasts.

Under torchrun (`distributed.joined`) all processes are started alike, from outside. Here one process that measures
starts the others, which only train: so a cell of a study can be trained on several processes or accelerators. Each of
them is a program of its own, `python -m MODULE JOB RANK PORT`, which calls `beside`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from netversus.errors import CellError
from netversus.lab.training.distributed import World

HOST = "127.0.0.1"
PATIENCE = timedelta(minutes=30)  # for the others, which may be judging or writing
STARTING, POLL, ENDING = 300.0, 0.1, 10.0  # seconds


@contextmanager
def accompanied(processes: int, module: str, job: Path, device: torch.device) -> Iterator[World]:
    """The world of this process, the first, and of `processes` - 1 others that run `module` on the file `job`. They
    end with the block, however it ends.

    Raises:
        CellError: another one failed to start, there are too few accelerators, or this process trains with others
            already.
    """
    if processes == 1:
        yield World()
        return
    _refuse(processes, device)
    store = dist.TCPStore(  # type: ignore[attr-defined]
        HOST, 0, processes, is_master=True, wait_for_workers=False
    )
    threads = torch.get_num_threads()
    with _started(processes, module, job, store.port) as others:
        _ready(store, others, job)
        torch.set_num_threads(shared(threads, processes))
        _join(store, 0, processes, device)
        try:
            yield World(0, processes)
        finally:
            torch.set_num_threads(threads)
            dist.destroy_process_group()


@contextmanager
def beside(rank: int, processes: int, port: int, device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """The world of one of the other processes, and its own device."""
    store = dist.TCPStore(HOST, port, processes, is_master=False)  # type: ignore[attr-defined]
    store.set(f"ready-{rank}", "")
    own = device if device.type != "cuda" else torch.device("cuda", rank)
    _join(store, rank, processes, own)
    try:
        yield World(rank, processes), own
    finally:
        dist.destroy_process_group()


def shared(threads: int, processes: int) -> int:
    """How many of this machine's threads each process has."""
    return max(1, threads // processes)


def _refuse(processes: int, device: torch.device) -> None:
    if dist.is_initialized():
        raise CellError("this process trains with others already", hint="start the comparison without torchrun")
    if device.type == "cuda" and (device.index or torch.cuda.device_count() < processes):
        raise CellError(
            f"{processes} processes need as many accelerators from cuda:0 on, "
            f"there are {torch.cuda.device_count()} and {device} was asked for",
            hint="ask for fewer processes",
        )


def _join(store: Any, rank: int, processes: int, device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=dist.PrefixStore("training", store),  # type: ignore[attr-defined]
        rank=rank,
        world_size=processes,
        timeout=PATIENCE,
    )


@contextmanager
def _started(processes: int, module: str, job: Path, port: int) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """The other processes. What they say goes to files beside the job's."""
    others: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    calm = False
    try:
        for rank in range(1, processes):
            with _log(job, rank).open("wb") as said:
                others.append(
                    subprocess.Popen(  # noqa: S603 (this interpreter, a module of ours)
                        [sys.executable, "-m", module, str(job), str(rank), str(port)],
                        stdout=said,
                        stderr=said,
                        stdin=subprocess.DEVNULL,
                        env=environment,
                    )
                )
        yield others
        calm = True
    finally:
        for other in others:
            _end(other, ENDING if calm else 0.0)


def _end(other: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait so long for a process that is done, then kill it: it keeps nothing of its own."""
    try:
        other.wait(seconds)
    except subprocess.TimeoutExpired:
        other.kill()
        other.wait()


def _ready(store: Any, others: Sequence[subprocess.Popen[bytes]], job: Path) -> None:
    """Wait until all have come; one that died says why."""
    last = time.monotonic() + STARTING
    while not store.check([f"ready-{rank + 1}" for rank in range(len(others))]):
        for rank, other in enumerate(others, start=1):
            if other.poll() is not None:
                raise CellError(f"process {rank} of the training failed to start: {_last_line(_log(job, rank))}")
        if time.monotonic() > last:
            raise CellError(f"the other processes of the training did not start within {STARTING:.0f} seconds")
        time.sleep(POLL)


def _log(job: Path, rank: int) -> Path:
    return job.with_name(f"{job.stem}-{rank}.log")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
