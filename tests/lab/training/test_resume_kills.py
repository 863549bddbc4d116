"""SIGKILL in the middle of a training, on one process and on two: the weights end bit for bit the same.

Real trainings in processes forked from a server that has torch loaded. A checkpoint is written every third step, so
that a resumed training repeats steps; the recipe has all that draws random numbers or keeps a state of its own.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

pytestmark = pytest.mark.kills

EPOCH = 5  # steps
MOMENTS = {"in the first epoch": 2, "in a later epoch": EPOCH + 3, "between two epochs": 2 * EPOCH, "in a save": 6}
SEED = 3


def child(folder: Path, rank: int, size: int, port: int, seed: int, die_at: int | None, in_save: bool) -> None:
    """One process of a training that dies after a step, or while it writes the checkpoint of that step."""
    import torch

    from lab.training.material import CPU, job, network
    from netversus.errors import CellError
    from netversus.lab.training import job as job_module
    from netversus.lab.training.distributed import joined

    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    job_module.load = lambda card, classes, seed: network(seed, classes)
    job_module.Pace = EveryThird  # type: ignore[misc]
    if in_save and rank == 0:
        _die_in_save(die_at)

    def progressed(done: int, of: int, loss: float) -> None:
        if done == die_at and not in_save:
            os.kill(os.getpid(), signal.SIGKILL)

    with joined(CPU) as (world, device):
        try:
            job_module.train_alone(job(folder, seed=seed), device, world, say=lambda _: None, progressed=progressed)
        except CellError as error:
            (folder / f"said-{rank}.txt").write_text(str(error))
            os._exit(5)


class EveryThird:
    """A pace that counts steps instead of seconds."""

    def __init__(self, seconds: float) -> None:
        self._steps = 0

    def due(self) -> bool:
        self._steps += 1
        return self._steps % 3 == 0

    def keep(self, write) -> None:
        write()


def _die_in_save(step: int | None) -> None:
    """Die when half of a checkpoint's file is on the disk."""
    import torch

    save = torch.save

    def half(content, file) -> None:
        save(content, file)
        if content["step"] >= (step or 10**9):
            file.flush()
            os.ftruncate(file.fileno(), file.tell() // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    torch.save = half


@pytest.fixture(scope="module")
def context() -> Iterator[ForkServerContext]:
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["netversus.lab.training.job", "netversus.execute.inprocess"])
    return forkserver


def launch(
    context: ForkServerContext,
    folder: Path,
    size: int,
    *,
    seed: int = SEED,
    die_at: int | None = None,
    in_save: bool = False,
    only: int | None = None,
) -> list[int]:
    """Run a training on `size` processes; those that die do so after step `die_at`. Returns the exit codes."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes: list[BaseProcess] = []
    for rank in range(size):
        dies = die_at if only in (None, rank) else None
        process = context.Process(target=child, args=(folder, rank, size, port, seed, dies, in_save))
        process.start()
        processes.append(process)
    for process in processes:
        process.join(120)
    codes = [process.exitcode for process in processes]
    for process in processes:
        with contextlib.suppress(ValueError):
            process.kill()
    assert None not in codes, "a process hung"
    return [int(code) for code in codes if code is not None]


@pytest.fixture(scope="module")
def undisturbed(context: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """The weights of an uninterrupted training, by the number of processes."""
    found = {}
    for size in (1, 2):
        folder = tmp_path_factory.mktemp("undisturbed") / str(size)
        assert launch(context, folder, size) == [0] * size
        found[size] = (folder / "model.safetensors").read_bytes()
    return found


@pytest.mark.parametrize("kills", [1, 2], ids=["first resume", "second resume"])
@pytest.mark.parametrize("size", [1, 2], ids=["one process", "two processes"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_training_ends_bit_for_bit_as_an_undisturbed_one(
    context: ForkServerContext, undisturbed: dict[int, bytes], tmp_path: Path, moment: str, size: int, kills: int
):
    folder, in_save = tmp_path / "out", moment == "in a save"
    for kill in range(kills):
        codes = launch(context, folder, size, die_at=MOMENTS[moment] + 3 * kill, in_save=in_save)
        assert -signal.SIGKILL in codes
        assert set(codes) <= {-signal.SIGKILL, 5}
    assert launch(context, folder, size) == [0] * size
    assert (folder / "model.safetensors").read_bytes() == undisturbed[size]


def test_another_seed_and_another_number_of_processes_end_elsewhere(
    context: ForkServerContext, undisturbed: dict[int, bytes], tmp_path: Path
):
    """The comparison above can fail."""
    assert undisturbed[1] != undisturbed[2]
    assert launch(context, tmp_path / "out", 1, seed=SEED + 1) == [0]
    assert (tmp_path / "out" / "model.safetensors").read_bytes() != undisturbed[1]


def test_a_process_that_loses_its_peer_says_so_and_nothing_is_lost(
    context: ForkServerContext, undisturbed: dict[int, bytes], tmp_path: Path
):
    folder = tmp_path / "out"
    assert launch(context, folder, 2, die_at=7, only=1) == [5, -signal.SIGKILL]
    assert "process 0 of 2 lost another one" in (folder / "said-0.txt").read_text()
    assert launch(context, folder, 2) == [0, 0]
    assert (folder / "model.safetensors").read_bytes() == undisturbed[2]


def test_a_resume_with_another_number_of_processes_is_refused(context: ForkServerContext, tmp_path: Path):
    folder = tmp_path / "out"
    assert -signal.SIGKILL in launch(context, folder, 2, die_at=7)
    assert launch(context, folder, 1) == [1]  # an uncaught RunFolderError; test_job looks at its words
    assert not (folder / "model.safetensors").exists()
