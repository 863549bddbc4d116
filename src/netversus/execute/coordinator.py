"""Sends passes to the workers behind a Dask client, and listens to what comes back.

A pass runs once the cells that it needs have ended. A pass that times the machine runs while nothing else does. Few
more passes are under way than there are workers, so that neither the scheduler nor the coordinator grows with the run.
A worker writes into the run by itself, so that the coordinator moves nothing but names.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from netversus.errors import ClusterError, NetversusError, without_credentials
from netversus.execute.listener import Listener
from netversus.execute.passes import Pass, passes
from netversus.execute.worker import run_pass
from netversus.messages import noted
from netversus.plan import Plan
from netversus.records import Cell, Done, Failed, Progress, Skipped
from netversus.store import RunStore
from netversus.studies import get_study
from netversus.study import Need

DEATHS: Final = 2  # workers that a pass may take with it before it is given up
RETRIES: Final = 2  # of a task whose worker could not reach the run
POLL_SECONDS: Final = 0.5
LOST_SECONDS: Final = 30.0  # without a scheduler, or without any worker before that is said
GONE_SECONDS: Final = 900.0  # without a worker on this machine, where none has to wait for its turn
ACCELERATOR: Final = "accelerator"


@dataclass
class Coordinator:
    """Sends passes out as they may run, and tells the listener what comes back."""

    client: Any
    plan: Plan
    store: RunStore
    listener: Listener
    ours: bool = False
    here: bool = False
    topic: str = field(default_factory=lambda: f"netversus-{uuid.uuid4().hex}")
    events: queue.Queue[tuple[str, Any]] = field(default_factory=queue.Queue)
    waiting: deque[Pass] = field(default_factory=deque)
    running: dict[str, tuple[Any, Pass]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    suspects: set[str] = field(default_factory=set)
    total: int = 0
    begun: int = 0
    lonely: float | None = None  # since when no worker is there
    complained: bool = False

    def run(self) -> None:
        """Until nothing waits and nothing runs."""
        done = {cell.key for cell in self.plan.cells if isinstance(self.store.outcome(cell), Done)}
        self.ended |= done
        self.waiting.extend(passes(self.plan.cells, lambda cell: cell.key in done))
        self.total = len(self.waiting)
        self.client.subscribe_topic(self.topic, lambda event: self.events.put(("told", event[1])))
        try:
            while self.waiting or self.running:
                self._send()
                self._hear()
        except BaseException:
            with suppress(Exception):
                self.client.cancel([future for future, _ in self.running.values()], force=True)
            raise
        finally:
            with suppress(Exception):
                self.client.unsubscribe_topic(self.topic)

    def _send(self) -> None:
        """Submit what may run now; what wants the machine to itself only when nothing else can run."""
        lost = self.client.status != "running"
        if lost or any(self._apart(work) for _, work in self.running.values()):
            return
        most = 2 * max(1, len(self._workers()))
        later: list[Pass] = []
        while self.waiting and len(self.running) < most:
            work = self.waiting.popleft()
            if self._apart(work) or not self._ready(work):
                later.append(work)
            else:
                self._submit(work)
        if not self.running:
            for work in [each for each in later if self._ready(each)][:1]:
                later.remove(work)
                self._submit(work)
        self.waiting.extendleft(reversed(later))

    def _apart(self, work: Pass) -> bool:
        """Whether a pass is sent only while nothing else runs: it times the machine, or may be what kills workers. Dask
        blames a worker's death on all that was waiting there, so that only who is alone is known to be guilty."""
        return _alone(work) or any(cell.key in self.suspects for cell in work.cells)

    def _ready(self, work: Pass) -> bool:
        """Whether all that its cells need has ended; what ended badly leads to their being skipped."""
        return all(key in self.ended for cell in work.cells for key in cell.after)

    def _workers(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client.scheduler_info(n_workers=-1).get("workers", {})
        return found

    def _submit(self, work: Pass) -> None:
        keys = tuple(cell.key for cell in work.cells)
        name = f"{work.study}-{uuid.uuid4().hex}"
        resources = {ACCELERATOR: 1} if self._has_resources() else None
        future = self.client.submit(
            run_pass, self.store.address, keys, self.topic, key=name, pure=False, retries=RETRIES, resources=resources
        )
        self.running[name] = (future, work)
        self.begun += 1
        self.listener.started(work, min(self.begun, self.total), self.total)
        future.add_done_callback(lambda done: self.events.put(("done", done.key)))

    def _has_resources(self) -> bool:
        """Whether a pass may ask for an accelerator: a job that is still in its queue will have one."""
        workers = self._workers().values()
        return self.ours or (bool(workers) and all(ACCELERATOR in worker.get("resources", {}) for worker in workers))

    def _hear(self) -> None:
        """The next event; or, when there is none for long, whether the cluster is still there."""
        patience = time.monotonic() + LOST_SECONDS
        while True:
            try:
                kind, what = self.events.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if self.client.status == "running":
                    self._mind_absence()
                    return
                if time.monotonic() > patience or self.client.status == "closed":
                    raise ClusterError(
                        "the cluster's scheduler went away; what was measured until then is stored",
                        hint=f"go on with: netversus compare --resume {self.store.place}",
                    ) from None
                continue
            if kind == "told":
                self._tell(what)
            elif what in self.running:
                self._settle(*self.running.pop(what))
            return

    def _mind_absence(self) -> None:
        """Say once that nobody is there to do the work: jobs may be queued for hours, or have been forgotten."""
        if self._workers():
            self.lonely, self.complained = None, False
            return
        self.lonely = self.lonely or time.monotonic()
        waited = time.monotonic() - self.lonely
        if self.here and waited > GONE_SECONDS:
            raise ClusterError(
                "the worker processes went away and did not come back; what was measured until then is stored",
                hint=f"go on with: netversus compare --resume {self.store.place}",
            )
        if waited > LOST_SECONDS and not self.complained:
            self.complained = True
            self.listener.noted(noted("the cluster has no worker; the passes wait for one"))

    def _tell(self, event: Mapping[str, Any]) -> None:
        """Pass on what a worker told."""
        work = next((w for _, w in self.running.values() if {c.key for c in w.cells} & set(event["keys"])), None)
        if event["kind"] == "noted":
            self.listener.noted(str(event["line"]))
        elif work is not None and event["kind"] == "progressed":
            self.listener.progressed(work, Progress(event["done"], event["total"], event["what"]))
        elif work is not None and event["kind"] == "ended":
            self._outcomes(work, set(event["keys"]), float(event["seconds"]))

    def _outcomes(self, work: Pass, keys: set[str], seconds: float) -> None:
        """Tell how cells ended, once each, as the run says it."""
        for cell in work.cells:
            outcome = self.store.outcome(cell) if cell.key in keys - self.told else None
            if outcome is not None:
                self.told.add(cell.key)
                self.listener.ended(work, outcome, seconds)

    def _settle(self, future: Any, work: Pass) -> None:
        """A task is over: well, or because its worker died once too often, or with an error of its own."""
        keys = {cell.key for cell in work.cells}
        error = future.exception() if future.status == "error" else None
        if future.status in ("lost", "cancelled"):
            self.waiting.appendleft(work)
            return
        if isinstance(error, NetversusError):
            raise error
        if error is not None and _killed(error) and not self._apart(work):
            self.suspects |= keys
            if len(work.cells) == 1:
                self.waiting.appendleft(work)
                return
        if error is not None and len(work.cells) > 1:
            self.listener.noted(work.going_on_alone(_words(error)))
            self.waiting.extendleft(reversed(work.alone()))
            return
        if error is not None:
            self._fail(work.cells[0], error)
        self._outcomes(work, keys, 0.0)
        self.ended |= keys

    def _fail(self, cell: Cell, error: BaseException) -> None:
        if isinstance(self.store.outcome(cell), Done | Skipped):
            return
        self.store.cell(cell).begin(cell)
        self.store.cell(cell).end(Failed(cell.key, _words(error)))


def _alone(work: Pass) -> bool:
    """Whether a pass wants the machine to itself."""
    return Need.QUIET_MACHINE in get_study(work.study).needs


def _killed(error: BaseException) -> bool:
    """Whether a task was given up because its workers died."""
    return type(error).__name__ == "KilledWorker"


def _words(error: BaseException) -> str:
    if _killed(error):
        return f"the worker process died on it {DEATHS + 1} times (killed, or out of memory)"
    lines = str(error).splitlines()
    return without_credentials(f"{type(error).__name__}: {lines[0] if lines else 'no message'}")
