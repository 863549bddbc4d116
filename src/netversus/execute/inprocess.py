"""Run the passes one after another in this process."""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch

from netversus.errors import NetversusError, without_credentials
from netversus.execute.listener import Listener
from netversus.execute.passes import Pass, passes
from netversus.execute.stopping import Stopping, stopping_for
from netversus.lab.bench import Bench
from netversus.lab.data.dataset import Dataset
from netversus.lab.devices import out_of_memory
from netversus.lab.smoke import smoke_test
from netversus.messages import noted, template
from netversus.plan import Plan
from netversus.records import Artifact, Cell, Done, Emission, Failed, Observations, Outcome, Skipped, digest
from netversus.store import CellStore, RunStore
from netversus.studies import get_study

FLUSH_SECONDS = 2.0  # a kill loses at most this much of what was seen


def execute(
    plan: Plan,
    store: RunStore,
    data: Dataset,
    device: torch.device,
    listener: Listener,
    *,
    only: Sequence[Cell] | None = None,
) -> None:
    """Run every cell, or only those named, that is not done. What is stored when a KeyboardInterrupt passes through can
    be resumed."""
    cells = plan.cells if only is None else only
    work = passes(cells, lambda cell: isinstance(store.outcome(cell), Done))
    runner = _Runner(plan, store, data, device, listener)
    for number, each in enumerate(work):
        listener.started(each, number + 1, len(work))
        _run(runner, each)


@dataclass
class _Runner:
    """What running a pass needs."""

    plan: Plan
    store: RunStore
    data: Dataset
    device: torch.device
    listener: Listener

    @cached_property
    def by_key(self) -> Mapping[str, Cell]:
        """The cells of the plan by their keys."""
        return {cell.key: cell for cell in self.plan.cells}


def _run(runner: _Runner, work: Pass) -> None:
    """A pass, each of its cells to an outcome."""
    ready = [cell for cell in work.cells if not _skipped(runner, work, cell)]
    if not ready:
        return
    begin = time.monotonic()
    failure = _measure(runner, Pass(tuple(ready)))
    if failure and len(ready) > 1:
        runner.listener.noted(work.going_on_alone(failure[0]))
        for cell in ready:
            _run(runner, Pass((cell,)))
        return
    if failure and len(ready[0].contenders) > 1:
        failure = _measure_the_others(runner, Pass(tuple(ready)), failure)
    for cell in ready:
        _end(runner, work, cell, failure, time.monotonic() - begin)


def _measure_the_others(runner: _Runner, work: Pass, failure: tuple[str, str]) -> tuple[str, str]:
    """Contenders that share a cell fail together. Those that cannot answer even alone are left out, and the others are
    measured without them; the cell has still failed, with theirs as the reason."""
    names = work.cells[0].contenders
    faults = {name: fault for name in names if (fault := _fault(runner, work, name))}
    others = tuple(name for name in names if name not in faults)
    if not faults or not others:
        return failure
    words = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
    said = work.noted(
        template("{study} of {names}: {error}; going on without {others}"),
        template("{study} of {names}, seed {seed}: {error}; going on without {others}"),
        error=words,
        others=", ".join(faults),
    )
    runner.listener.noted(said)
    again = _measure(runner, work, others)
    return (f"{words}; and then: {again[0]}", again[1]) if again else (f"{words} (the others are measured)", failure[1])


def _fault(runner: _Runner, work: Pass, name: str) -> str:
    """What is wrong with a contender by itself, in words; "" where nothing is."""
    study = get_study(work.study)
    card = next(card for card in runner.plan.contenders if card.name == name)
    try:
        bench = _bench(runner, work, _Sink({name: runner.store.cell(work.cells[0])}), Stopping(), (name,))
        smoke_test(bench, card, gradient=study.differentiates)
    except Exception as error:  # noqa: BLE001  whatever a stranger's network raises is its fault
        return _explain(error)
    return ""


def _skipped(runner: _Runner, work: Pass, cell: Cell) -> bool:
    reason = cell.blocked or _missing_weights(runner, cell)
    if reason:
        _write(runner, work, cell, Skipped(cell.key, reason), 0.0)
    return bool(reason)


def _missing_weights(runner: _Runner, cell: Cell) -> str:
    for other in (runner.by_key[key] for key in cell.after):
        if not isinstance(runner.store.outcome(other), Done):
            of = {"study": other.study, "contenders": ", ".join(other.contenders)}
            return noted("it needs the weights of {study} of {contenders}, which is not done", **of)
    return ""


def _end(runner: _Runner, work: Pass, cell: Cell, failure: tuple[str, str] | None, seconds: float) -> None:
    outcome: Outcome
    if failure:
        outcome = Failed(cell.key, *failure)
    else:
        count = sum(len(series.units) for series in runner.store.cell(cell).observations().values())
        outcome = Done(cell.key, seconds, count)
    _write(runner, work, cell, outcome, seconds)


def _write(runner: _Runner, work: Pass, cell: Cell, outcome: Outcome, seconds: float) -> None:
    """Write an outcome; where even that fails, it is said and the cell stays open for a resume."""
    try:
        runner.store.cell(cell).begin(cell)
        runner.store.cell(cell).end(outcome)
    except OSError as error:
        outcome = Failed(cell.key, _explain(error))
    runner.listener.ended(work, outcome, seconds)


def _measure(runner: _Runner, work: Pass, only: tuple[str, ...] = ()) -> tuple[str, str] | None:
    """Measure a pass, or those of its contenders that are named. Returns the error in words and its traceback, or
    None."""
    try:
        sink = _Sink({name: runner.store.cell(cell) for cell in work.cells for name in cell.contenders})
        stopping = stopping_for(runner.plan, runner.store, work.cells[0])
        try:
            for cell in work.cells:
                runner.store.cell(cell).begin(cell)
            bench = _bench(runner, work, sink, stopping, only)
            for emission in get_study(work.study).load_measure()(bench):
                _take(runner, work, sink, emission)
                if isinstance(emission, Observations):
                    stopping.observed(emission)
        finally:
            sink.flush()
        if stopping.certain:
            runner.listener.noted(stopping.told_of(work.study))
    except Exception as error:  # noqa: BLE001  the one catch-all: a cell's error is its outcome
        return _explain(error), without_credentials("".join(traceback.format_exception(error)))
    finally:
        if runner.device.type == "cuda":
            with suppress(RuntimeError):
                torch.cuda.empty_cache()
    return None


def _take(runner: _Runner, work: Pass, sink: _Sink, emission: Emission) -> None:
    if isinstance(emission, Observations):
        sink.add(emission)
    elif isinstance(emission, Artifact):
        sink.cell(emission.contender).add_artifact(emission)
    else:
        runner.listener.progressed(work, emission)
    sink.flush_when_due()


def _bench(runner: _Runner, work: Pass, sink: _Sink, stopping: Stopping, only: tuple[str, ...] = ()) -> Bench:
    names = only or [name for cell in work.cells for name in cell.contenders]
    study = get_study(work.study)
    return Bench(
        contenders=[card for card in runner.plan.contenders if card.name in names],
        data=runner.data,
        options=study.options.model_validate(dict(work.cells[0].options)),
        seed=work.cells[0].seed,
        device=runner.device,
        stored=lambda contender, metric: sink.cell(contender).units(contender, metric),
        scratch=lambda contender: _scratch(sink.cell(contender), only),
        flush=sink.flush,
        weights=_weights(runner, work),
        enough=stopping.enough,
        keep=lambda artifact: sink.cell(artifact.contender).add_artifact(artifact),
        kept=lambda contender, name: sink.cell(contender).artifact(name, contender),
        settle=runner.store.settle,
        settled=runner.store.settled,
    )


def _scratch(cell: CellStore, only: tuple[str, ...]) -> Path:
    """What a cell keeps to go on with is about the contenders that it was measured with: another folder for others."""
    folder = cell.state() / (f"only-{digest(*only)[:16]}" if only else "")
    folder.mkdir(exist_ok=True)
    return folder


def _weights(runner: _Runner, work: Pass) -> Mapping[str, Path]:
    """The weights that earlier cells of this run trained, by contender."""
    found = {}
    for other in (runner.by_key[key] for cell in work.cells for key in cell.after):
        name = other.contenders[0]
        found[name] = runner.store.cell(other).artifact_path(get_study(other.study).weights, name)
    return found


@dataclass
class _Sink:
    """Observations on their way to their cells, flushed every few seconds and at the end."""

    cells: Mapping[str, CellStore]
    waiting: dict[str, list[Observations]] = field(default_factory=dict)
    flushed: float = field(default_factory=time.monotonic)

    def cell(self, contender: str) -> CellStore:
        """The cell of a contender; what belongs to all lies in the first."""
        if not contender:
            return next(iter(self.cells.values()))
        if contender not in self.cells:
            raise NetversusError(f"the study observed {contender!r}, which was not on its bench")
        return self.cells[contender]

    def add(self, observations: Observations) -> None:
        """Keep observations until the next flush."""
        self.cell(observations.contender)  # an unknown contender is refused at once
        self.waiting.setdefault(observations.contender, []).append(observations)

    def flush_when_due(self) -> None:
        """Flush if the last one is a while ago."""
        if time.monotonic() - self.flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write down all that waits."""
        self.flushed = time.monotonic()
        while self.waiting:
            contender, batches = self.waiting.popitem()
            self.cells[contender].append(batches)


def _explain(error: BaseException) -> str:
    """One line for the report: what happened, in the user's words where they are known, and without secrets."""
    return without_credentials(_reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, NetversusError):
        return str(error)
    if out_of_memory(error):
        return "out of memory: " + (str(error).splitlines()[0] if str(error) else "the system had none left")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {error}"
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG):
        return f"cannot write: {error}"
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
