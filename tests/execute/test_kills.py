"""SIGKILL at any instant: nothing that was flushed is lost, nothing finished is done again, the end is the same.

Real runs in processes forked from a server that has torch loaded already. Half of the kills come from outside at some
moment, half from inside at the worst one: a file is written under its temporary name and not yet renamed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from netversus.cli.__main__ import main
from netversus.records import Done
from netversus.store import RunStore

pytestmark = pytest.mark.kills

CONTENDERS = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
OPTIONS = (
    *("--study", "training", "--study", "accuracy", "--seed", "3"),
    *("--training.samples", "320", "--training.batch", "16", "--training.rounds", "5"),
    *("--training.curve-images", "60", "--accuracy.images", "160", "--accuracy.batch", "8"),
)
TIMED = {"train_time"}  # the only observations that a clock makes


def child(arguments: tuple[str, ...], path: list[str], die_at_rename: int | None) -> None:
    """One `netversus` command, flushing and checkpointing as often as it can."""
    import torch

    from netversus.execute import inprocess
    from netversus.studies.training import measure

    sys.path[:] = path
    os.environ["NETVERSUS_CACHE"] = str(Path(arguments[-1]).parent / "cache")
    torch.set_num_threads(1)
    inprocess.FLUSH_SECONDS = 0.0
    measure.CHECKPOINT_SECONDS = 0.0
    if die_at_rename is not None:
        _die_at_rename(die_at_rename)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main(arguments)
    sys.exit(code)


def _die_at_rename(count: int) -> None:
    rename, renamed = os.replace, 0

    def replace(source: object, target: object) -> None:
        nonlocal renamed
        renamed += 1
        if renamed == count:
            os.kill(os.getpid(), signal.SIGKILL)
        rename(source, target)  # type: ignore[arg-type]

    os.replace = replace  # type: ignore[assignment]


@pytest.fixture(scope="module")
def context() -> Iterator[ForkServerContext]:
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(
        ["netversus.execute.inprocess", "netversus.studies.training.measure", "netversus.studies.accuracy.measure"]
    )
    return forkserver


def launch(
    context: ForkServerContext, run: Path, *, resume: bool = False, die_at_rename: int | None = None
) -> BaseProcess:
    arguments = ("compare", "--resume", str(run)) if resume else ("compare", *CONTENDERS, *OPTIONS, "--out", str(run))
    process = context.Process(target=child, args=(arguments, [*sys.path], die_at_rename))
    process.start()
    return process


def finish(process: BaseProcess) -> int:
    process.join(300)
    assert process.exitcode is not None
    return process.exitcode


def observations(run: Path) -> dict[tuple[str, str, str], list[tuple[str, float]]]:
    """Every observation of the run but the clock's, as it lies on disk."""
    store = RunStore.open(run)
    return {
        (cell.key, contender, metric): list(zip(sample.units, sample.values.tolist(), strict=True))
        for cell in store.plan().cells
        for (contender, metric), sample in store.cell(cell).observations().items()
        if metric not in TIMED
    }


def stamps(run: Path) -> dict[str, tuple[int, int]]:
    """The identity of every finished cell's files."""
    files = [f for outcome in run.glob("cells/*/outcome.json") for f in outcome.parent.glob("*.*")]
    return {str(file): (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def flushed(run: Path) -> int:
    if not (run / "plans").is_dir():
        return 0
    return sum(len(values) for values in observations(run).values())


@pytest.fixture(scope="module")
def undisturbed(context: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert finish(launch(context, run)) == 0
    return run


def test_ten_kills_change_nothing(context: ForkServerContext, undisturbed: Path, tmp_path: Path):
    run = tmp_path / "run"
    chance = random.Random(20)
    kills, seen = 0, 0
    while kills < 10:
        finished = stamps(run) if run.exists() else {}
        resumable = (run / "plans").is_dir() and any((run / "plans").iterdir())
        inside = kills % 2 == 0
        at = chance.randint(3, 9) if inside else None
        process = launch(context, run, resume=resumable, die_at_rename=at)
        if not inside:
            _wait_for_more(run, process, chance)
            process.kill()
        code = finish(process)
        if code == 0:  # it was quicker than the kill: the run is whole, and must be so after fewer kills than asked
            break
        assert code == -signal.SIGKILL
        kills += 1
        assert flushed(run) >= seen
        seen = flushed(run)
        assert finished.items() <= stamps(run).items()
    assert kills >= 8
    assert finish(launch(context, run, resume=True)) == 0
    assert observations(run) == observations(undisturbed)
    assert all(isinstance(RunStore.open(run).outcome(cell), Done) for cell in RunStore.open(run).plan().cells)
    assert not [f for f in run.rglob("*.tmp") if f.parent.name == "state"]


def _wait_for_more(run: Path, process: BaseProcess, chance: random.Random) -> None:
    """Until the process has written a little more, and then some milliseconds."""

    def count() -> int:
        return len(list(run.rglob("observations-*.parquet")))

    before, patience = count(), time.monotonic() + 60
    while count() < before + 2 and process.is_alive() and time.monotonic() < patience:
        time.sleep(0.005)
    time.sleep(chance.random() * 0.05)


def test_ctrl_c_ends_soon_and_can_be_gone_on_with(context: ForkServerContext, undisturbed: Path, tmp_path: Path):
    run = tmp_path / "run"
    process = launch(context, run)
    _wait_for_more(run, process, random.Random(1))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 130
    assert finish(launch(context, run, resume=True)) == 0
    assert observations(run) == observations(undisturbed)


def test_of_two_that_go_on_with_a_run_at_once_one_does_all_the_work(
    context: ForkServerContext, undisturbed: Path, tmp_path: Path
):
    run = tmp_path / "run"
    broken = launch(context, run)
    _wait_for_more(run, broken, random.Random(2))
    broken.kill()
    finish(broken)
    codes = sorted(finish(each) for each in [launch(context, run, resume=True) for _ in range(2)])
    assert codes in ([0, 2], [0, 0])  # refused, or begun when the other had ended
    assert observations(run) == observations(undisturbed)


def test_a_run_that_another_process_works_on_is_refused(
    context: ForkServerContext, undisturbed: Path, capsys: pytest.CaptureFixture[str]
):
    with RunStore.open(undisturbed).locked():
        assert main(["compare", "--resume", str(undisturbed)]) == 2
    assert "another process is working on" in capsys.readouterr().err
