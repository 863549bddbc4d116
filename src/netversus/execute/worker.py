"""What a worker process does: one pass of a run that it finds by its place. Only the name of this function and plain
strings travel; all else a worker reads from the run folder and from its own copy of netversus."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from netversus.errors import UsageError
from netversus.execute.listener import Silent
from netversus.execute.passes import Pass
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.plan import Plan
from netversus.records import Done, Outcome, Progress
from netversus.store import RunStore

Event = Mapping[str, Any]
"""What a listener would be told, as plain data."""


def run_pass(run: str, keys: tuple[str, ...], topic: str) -> int:
    """Run the cells of a pass that are not done, and write their outcomes into the run. Returns how many there were.

    Raises:
        UsageError: the run, its data or its contenders are not here as they were planned.
    """
    from netversus.execute.inprocess import execute
    from netversus.lab.devices import make_deterministic, resolve_device

    store, plan = _run(run)
    cells = tuple(cell for cell in plan.cells if cell.key in keys)
    data = _data(plan.data.spec, plan.data.digest, plan.request.seed, plan.request.strict)
    make_deterministic()
    telling = _Telling(_teller(topic))
    execute(plan, store, data, resolve_device(plan.device), telling, only=cells)
    return sum(not isinstance(store.outcome(cell), Done) for cell in cells)


def _run(place: str) -> tuple[RunStore, Plan]:
    """The run as it is now: its plan may have grown since the last pass."""
    try:
        store = RunStore.open(place)
    except UsageError as error:
        host = os.uname().nodename
        raise UsageError(
            f"the worker on {host} does not see the run: {error.message}",
            hint="use a file system that all machines share, or an object store such as s3://",
        ) from None
    return store, store.plan()


@lru_cache(maxsize=2)
def _data(spec: str, digest: str, seed: int, strict: bool) -> Dataset:
    data = open_data(spec, seed=seed, strict=strict)
    if data.card.digest != digest:
        raise UsageError(f"the data {spec} on {os.uname().nodename} are not those that were planned")
    return data


def _teller(topic: str) -> Callable[[Event], None]:
    """What brings events to the coordinator: the cluster's own log of a worker."""
    from distributed import get_worker

    worker = get_worker()
    return lambda event: worker.log_event(topic, dict(event))


class _Telling(Silent):
    """A listener that tells the coordinator, which tells the user."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    def started(self, work: Pass, number: int, of: int) -> None:  # noqa: ARG002
        """A pass begins."""
        self._tell({"kind": "started", "keys": [cell.key for cell in work.cells]})

    def progressed(self, work: Pass, progress: Progress) -> None:
        """A pass came further."""
        event = {"kind": "progressed", "done": progress.done, "total": progress.total, "what": progress.what}
        self._tell(event | {"keys": [cell.key for cell in work.cells]})

    def ended(self, work: Pass, outcome: Outcome, seconds: float) -> None:  # noqa: ARG002
        """One cell ended: the coordinator reads how from the run."""
        self._tell({"kind": "ended", "keys": [outcome.cell], "seconds": seconds})

    def noted(self, line: str) -> None:
        """A line for the reader."""
        self._tell({"kind": "noted", "line": line, "keys": []})
