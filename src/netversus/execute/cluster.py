"""Passes on worker processes or a cluster, carried by Dask distributed: it places, retries and restarts; what is here
says what may run when. A worker writes into the run by itself, so the coordinator moves nothing but names.

A pass runs once the cells that it needs have ended. A pass that times the machine runs while nothing else does. Few
more passes are under way than there are workers, so that neither the scheduler nor the coordinator grows with the run.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from netversus.errors import ClusterError, MissingExtraError, NetversusError, without_credentials
from netversus.execute.executor import ADDRESS, Placement
from netversus.execute.listener import Listener
from netversus.execute.passes import Pass, passes
from netversus.execute.worker import run_pass
from netversus.plan import Plan
from netversus.provenance import usable_cores
from netversus.records import Cell, Done, Failed, Progress, Skipped
from netversus.store import RunStore
from netversus.studies import get_study
from netversus.study import Need

DEATHS: Final = 2  # workers that a pass may take with it before it is given up
RETRIES: Final = 2  # of a task whose worker could not reach the run
POLL_SECONDS: Final = 0.5
LOST_SECONDS: Final = 30.0  # without a scheduler, or without any worker before that is said
GONE_SECONDS: Final = 900.0  # without a worker on this machine, where none has to wait for its turn
LOOPBACK: Final = "127.0.0.1"
ACCELERATOR: Final = "accelerator"
HERE: Final = ("workers", "local-cluster")  # places whose workers are processes of this machine
OURS: Final = (*HERE, "queue")  # places whose workers are started by us, each with an accelerator


# A scheduler and its workers serve their state over HTTP, dashboard or not: to nobody else.
HTTP_OPTIONS: Final = ("--no-dashboard", "--dashboard-address", f"{LOOPBACK}:0")
# Of a worker in a job. The queue watches over its memory: Dask would let a worker rest that has torch loaded.
JOB_OPTIONS: Final = ("--resources", f"{ACCELERATOR}=1", "--memory-limit", "0", *HTTP_OPTIONS)


def execute_on(place: Placement, plan: Plan, store: RunStore, listener: Listener) -> None:
    """Run every cell that is not done on the workers of a place.

    Raises:
        MissingExtraError: Dask is not installed.
        ClusterError: the cluster cannot be reached, or went away. What was measured is stored.
        UsageError: a worker does not see the run or its data.
    """
    with ExitStack() as stack:
        client = stack.enter_context(_client(place))
        _Coordinator(client, plan, store, listener, ours=place.where in OURS, here=place.where in HERE).run()


@contextmanager
def _client(place: Placement) -> Iterator[Any]:
    """A client of the place, and the cluster behind it where we start one."""
    try:
        import distributed
        from dask import config
    except ImportError:
        raise MissingExtraError("distributed", "cluster", "running on workers") from None
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS,
        "distributed.admin.log-format": "%(message)s",
        # A dead worker is brought back by its nanny, which on a busy machine takes minutes. Within Dask's 15 seconds it
        # would be given up, and nobody would be left to do the work.
        "distributed.deploy.lost-worker-timeout": f"{GONE_SECONDS:g}s",
        # Dask lets workers give freed memory back at once, so that each tensor of a megabyte meets fresh pages.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    }
    with config.set(settings), _quiet(), ExitStack() as stack:
        try:
            target = _target(place, stack)
            client = stack.enter_context(distributed.Client(target, timeout=LOST_SECONDS, set_as_default=False))
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"the cluster at {place.target or place.where} cannot be reached: {error}", hint=_way_out(place)
            ) from None
        yield client


def _way_out(place: Placement) -> str:
    """What to look at where a cluster does not come up."""
    if place.where in HERE:
        return "a script that starts workers does so below: if __name__ == '__main__'"
    return "is its scheduler up?"


def _target(place: Placement, stack: ExitStack) -> Any:
    """What a client connects to."""
    if place.where == "scheduler":
        return place.target
    if place.where == "file":
        return _from_file(place.target)
    if place.where == "queue":
        return stack.enter_context(_queue_cluster(place, stack))
    return stack.enter_context(local_cluster(place.workers))


def _from_file(path: str) -> str:
    """The address in a scheduler file. One that holds a password is none, and must not come into an error line."""
    try:
        address = str(json.loads(Path(path).read_text())["address"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ClusterError(f"{path} is not a scheduler file: {error}", hint="dask scheduler writes it") from None
    if not ADDRESS.fullmatch(address):
        raise ClusterError(f"the address in {path} is not like tcp://host:8786", hint="dask scheduler writes it")
    return address


def local_cluster(workers: int) -> Any:
    """Worker processes of this machine, with a share of its cores and one accelerator each, behind a scheduler that
    nobody else can reach."""
    from distributed import Nanny, Scheduler, SpecCluster

    spec = {
        number: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "host": LOOPBACK,
                "dashboard": False,
                "dashboard_address": f"{LOOPBACK}:0",
                "memory_limit": 0,
                "silence_logs": logging.CRITICAL,  # what matters of a worker's life ends in an outcome
                "resources": {ACCELERATOR: 1},
                "env": _environment(number, workers),
            },
        }
        for number in range(workers)
    }
    options = {"host": LOOPBACK, "port": 0, "dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}
    scheduler = {"cls": Scheduler, "options": options}
    return SpecCluster(workers=spec, scheduler=scheduler, silence_logs=logging.CRITICAL)


def _environment(number: int, workers: int) -> dict[str, str]:
    """What is set before a worker starts: its share of the cores, its accelerator, large pages."""
    share = str(max(1, usable_cores() // workers))
    found = {
        "OMP_NUM_THREADS": share,
        "MKL_NUM_THREADS": share,
        "THP_MEM_ALLOC_ENABLE": "1",
    }
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = visible.split(",") if visible else [str(i) for i in range(_accelerators())]
    if devices:
        found["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)]
    return found


def _accelerators() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _queue_cluster(place: Placement, stack: ExitStack) -> Any:
    """Jobs of a queueing system, set up by the user's own dask-jobqueue configuration.

    Each job has one process and one accelerator, so that it runs one pass at a time. Jobs come from other machines, so
    that the scheduler is open to the network: whoever has not this run's own certificate is turned away, because what
    a scheduler is sent is run. It lies where the jobs of this user find it, for as long as the block lasts.
    """
    try:
        import cryptography  # noqa: F401  the certificate
        from dask import config
        from dask_jobqueue import PBSCluster, SLURMCluster
    except ImportError as error:
        package = "cryptography" if error.name == "cryptography" else "dask-jobqueue"
        raise MissingExtraError(package, "cluster", f"running on {place.target}") from None
    theirs = config.get(f"jobqueue.{place.target}")
    asked = theirs["shared-temp-directory"]
    shared = Path(os.path.expandvars(asked)).expanduser() if asked else _private_folder()
    folder = stack.enter_context(TemporaryDirectory(prefix="certificate-", dir=shared))
    cluster = {"slurm": SLURMCluster, "pbs": PBSCluster}[place.target](
        processes=1,
        worker_extra_args=[*(theirs["worker-extra-args"] or ()), *JOB_OPTIONS],
        scheduler_options={
            "dashboard": False,
            "dashboard_address": f"{LOOPBACK}:0",
            **(theirs["scheduler-options"] or {}),
        },
        security=_certificate(Path(folder)),
        silence_logs=logging.CRITICAL,
    )
    cluster.scale(jobs=place.workers)
    return cluster


def _certificate(folder: Path) -> Any:
    """A key made for this run alone, as files that only this user can read, which all sides have to show."""
    from distributed.security import Security

    made = Security.temporary()
    files = {}
    for name in ("tls_ca_file", "tls_client_key", "tls_client_cert"):
        files[name] = str(folder / name)
        (folder / name).write_text(getattr(made, name))
    for role in ("scheduler", "worker"):
        files |= {f"tls_{role}_{kind}": files[f"tls_client_{kind}"] for kind in ("key", "cert")}
    return Security(require_encryption=True, **files)


def _private_folder() -> Path:
    """A folder of this user's home, which the machines of a queue share."""
    folder = Path.home() / ".netversus"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Dask's own lines on lost and restarted workers: what matters of them ends in an outcome."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@dataclass
class _Coordinator:
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
            self.listener.noted("the cluster has no worker; the passes wait for one")

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
            self.listener.noted(f"{work.label}: {_words(error)}; going on with each contender alone")
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
