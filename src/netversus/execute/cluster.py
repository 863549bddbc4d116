"""Passes on worker processes or a cluster, carried by Dask distributed: it places, retries and restarts. Here a place
becomes a client, and workers are started where nobody else did; `coordinator` says what may run when.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from netversus.errors import ClusterError, MissingExtraError
from netversus.execute.coordinator import ACCELERATOR, DEATHS, GONE_SECONDS, LOST_SECONDS, Coordinator
from netversus.execute.executor import ADDRESS, Placement
from netversus.execute.listener import Listener
from netversus.plan import Plan
from netversus.provenance import usable_cores
from netversus.store import RunStore

LOOPBACK: Final = "127.0.0.1"
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
        Coordinator(client, plan, store, listener, ours=place.where in OURS, here=place.where in HERE).run()


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
