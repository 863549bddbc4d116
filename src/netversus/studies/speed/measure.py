"""Time the contenders in turns, block by block, in one process or in several fresh ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.running import ENGINE_FILE
from netversus.lab.timing.kept import Kept
from netversus.lab.timing.turns import turns
from netversus.messages import noted
from netversus.provenance import usable_cores
from netversus.records import Artifact, ContenderCard, Emission, Progress
from netversus.studies.speed import NOTES, WAY, share
from netversus.studies.speed.child import JOB, Job
from netversus.studies.speed.step import WAY_RECORD, Step

POLL_SECONDS = 0.2


def measure(bench: Bench) -> Iterator[Emission]:
    """The warm-up, the timing blocks, what is measured once, the cold starts; at last what numbers cannot tell."""
    kept = Kept(bench.scratch(bench.contenders[0].name), Step)
    starts = list(_starts(bench))
    names = [name for k in range(bench.options.processes) for name in share.names(bench.options, k)]
    names += [start.step for start in starts]
    for number, name in enumerate(_steps(bench, kept, starts)):
        step = kept.get(name)
        assert step is not None
        yield from step.observations
        if step.way is not None:
            yield Artifact(WAY, WAY_RECORD.dump_json(step.way))
        yield Progress(number + 1, len(names), noted("steps"))
    yield Artifact(NOTES, _notes(bench, kept, names))


@dataclass(frozen=True, slots=True)
class _Start:
    """One fresh interpreter for one contender."""

    unit: str
    place: int
    card: ContenderCard

    @property
    def step(self) -> str:
        """The name under which it is kept."""
        return f"{self.unit}-of-{self.place}"


def _steps(bench: Bench, kept: Kept[Step], starts: Iterable[_Start]) -> Iterator[str]:
    """Every step's name once it is kept."""
    for process in range(bench.options.processes):
        alone = bench.options.processes == 1
        yield from share.run(bench, kept, process) if alone else _in_child(bench, kept, process)
    for start in starts:
        if kept.get(start.step) is None:
            job = _job(bench, kept)
            job = replace(
                job, contenders=(start.card,), step=start.step, unit=start.unit, batch=_batch_used(bench, kept)
            )
            with _lent(bench, kept):
                for _ in _running(replace(job, began=time.monotonic_ns()), kept):
                    pass
        yield start.step


def _starts(bench: Bench) -> Iterator[_Start]:
    """Fresh interpreters, the contenders in turns."""
    for number in range(bench.options.cold_start):
        for place, card in turns(list(enumerate(bench.contenders)), number)[: len(bench.contenders)]:
            yield _Start(f"start-{number + 1:02d}", place, card)


def _job(bench: Bench, kept: Kept[Step]) -> Job:
    return Job(
        contenders=tuple(bench.contenders),
        data=bench.data.card,
        options=bench.options.model_dump(mode="json"),
        seed=bench.seed,
        device=str(bench.device),
        weights=dict(bench.weights),
        folder=kept.folder.absolute(),
        parent=os.getpid(),
    )


def _batch_used(bench: Bench, kept: Kept[Step]) -> int:
    """The batch of the judged throughput: as asked, or as much as memory allowed all contenders together."""
    names = [name for k in range(bench.options.processes) for name in share.names(bench.options, k)]
    seen = (o for step in kept.all(names) for o in step.observations if o.metric == "batch_used")
    return int(min((size for o in seen for size in o.values), default=bench.options.judged_batch))


def _in_child(bench: Bench, kept: Kept[Step], process: int) -> Iterator[str]:
    """The share of a fresh process: its steps as they appear."""
    wanted = share.names(bench.options, process)
    if any(kept.get(name) is None for name in wanted):
        waiting = list(wanted)
        with _lent(bench, kept):
            for _ in _running(replace(_job(bench, kept), process=process), kept):
                while waiting and kept.get(waiting[0]) is not None:
                    yield waiting.pop(0)
        if waiting:
            raise CellError(f"a process of the speed study ended without {waiting[0]}")
    else:
        yield from wanted


@contextmanager
def _lent(bench: Bench, kept: Kept[Step]) -> Iterator[None]:
    """Tell a fresh process which engines were chosen, and keep what it chose: all run each contender on the same."""
    for card in bench.contenders:
        record = bench.engine_record(card)
        if record is not None:
            kept.put_artifact(Artifact(ENGINE_FILE, record, card.name))
    yield
    for card in bench.contenders:
        record = kept.artifact(card.name, ENGINE_FILE)
        if record is not None:
            bench.keep_engine_record(card, record)


def _running(job: Job, kept: Kept[Step]) -> Iterator[None]:
    """Run a job in a process of its own; yields while it runs and once after. It ends with us, however we end.

    Raises:
        CellError: it failed; the message is the last that it said.
    """
    file, log = kept.folder / "job.json", kept.folder / "job.log"
    file.write_bytes(JOB.dump_json(job))
    with log.open("wb") as said:
        child = subprocess.Popen(  # noqa: S603 (this interpreter, a module of ours)
            [sys.executable, "-m", "netversus.studies.speed.child", str(file)],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    try:
        while child.poll() is None:
            yield
            time.sleep(POLL_SECONDS)
    finally:
        if child.poll() is None:
            child.terminate()
        child.wait()
    if child.returncode:
        raise CellError(f"a process of the speed study failed: {_last_line(log, child.returncode)}")
    yield


def _last_line(log: Path, code: int) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with {code}"


def _notes(bench: Bench, kept: Kept[Step], names: Iterable[str]) -> bytes:
    """What numbers cannot tell, as JSON."""
    steps = list(kept.all(tuple(names)))
    return json.dumps(
        {
            "notes": list(dict.fromkeys(note for step in steps for note in step.notes)),
            "busy": [share for step in steps for share in step.busy],
            "meters": list(dict.fromkeys(meter for step in steps for meter in step.meters)),
            "batch": bench.options.judged_batch,
            "price": bench.options.price,
            "cores": usable_cores(),
            "threads": torch.get_num_threads(),
            "device": str(bench.device),
        }
    ).encode()
