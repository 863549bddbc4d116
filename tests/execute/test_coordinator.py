"""What the coordinator sends when, and what travels: without a cluster, a test plays the workers."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from netversus.errors import ClusterError
from netversus.execute import cluster, coordinator
from netversus.execute.cluster import JOB_OPTIONS, _environment
from netversus.execute.coordinator import ACCELERATOR, Coordinator
from netversus.execute.passes import passes
from netversus.records import Done, Failed

from .conftest import Heard

TIMING = "needs=frozenset({Need.QUIET_MACHINE}),"


class Sent:
    """A task under way, until the test says that it is over."""

    def __init__(self, keys: tuple[str, ...], name: str) -> None:
        self.keys, self.key, self.status = keys, name, "pending"
        self.error: BaseException | None = None
        self.then: Callable[[Any], None] = lambda _: None

    def exception(self) -> BaseException | None:
        return self.error

    def add_done_callback(self, then: Callable[[Any], None]) -> None:
        self.then = then


class Cluster:
    """A client whose workers do nothing by themselves."""

    def __init__(self, workers: int = 2, resources: bool = True) -> None:
        self.status = "running"
        self.workers = {str(n): {"resources": {ACCELERATOR: 1} if resources else {}} for n in range(workers)}
        self.sent: list[Sent] = []
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        return {"workers": self.workers}

    def subscribe_topic(self, *_: object) -> None: ...

    def submit(self, *arguments: Any, **how: Any) -> Sent:
        self.calls.append((arguments, how))
        self.sent.append(Sent(arguments[2], how["key"]))
        return self.sent[-1]


def coordinator_of(run, client: Cluster, *, ours: bool = False, here: bool = False) -> tuple[Coordinator, Heard]:
    heard = Heard()
    found = Coordinator(client, run.plan, run.store, heard, ours=ours, here=here)
    found.waiting.extend(passes(run.plan.cells, lambda _: False))
    return found, heard


def finish(found: Coordinator, run, task: Sent) -> None:
    for cell in run.plan.cells:
        if cell.key in task.keys:
            run.store.cell(cell).begin(cell)
            run.store.cell(cell).end(Done(cell.key, 1.0, 0))
    task.status = "finished"
    task.then(task)
    found._hear()


KilledWorker = type("KilledWorker", (Exception,), {"__doc__": "As Dask names it."})


def kill(found: Coordinator, task: Sent) -> None:
    task.status, task.error = "error", KilledWorker()
    task.then(task)
    found._hear()


def test_who_only_waited_where_a_worker_died_is_not_blamed(counting, table):
    for name in ("first", "second"):
        counting(name=name, more="together=True,")
    run, client = table("a", "b", studies=("first", "second")), Cluster(workers=1)
    guilty = next(cell for cell in run.plan.cells if cell.study == "first")
    found, _ = coordinator_of(run, client)
    found._send()
    assert len(client.sent) == 2
    for task in client.sent[:]:  # Dask gives up both, though one of them never began
        kill(found, task)
    for sent in (3, 4):
        found._send()
        found._send()
        assert len(client.sent) == sent  # one at a time
        task = client.sent[-1]
        if guilty.key in task.keys:
            kill(found, task)
        else:
            finish(found, run, task)
    assert not found.waiting
    outcomes = {cell.study: type(run.store.outcome(cell)) for cell in run.plan.cells}
    assert outcomes == {"first": Failed, "second": Done}


def studies_of(run, tasks: list[Sent]) -> list[str]:
    return [next(cell.study for cell in run.plan.cells if cell.key in task.keys) for task in tasks]


def test_a_pass_that_times_the_machine_runs_while_nothing_else_does(counting, table):
    names = ("first", "timing", "second", "timing_too", "third")
    for name in names:
        counting(name=name, more=TIMING if name.startswith("timing") else "")
    run = table("a", "b", studies=names)
    client = Cluster()
    found, _ = coordinator_of(run, client)
    found._send()
    others = client.sent[:]
    assert sorted(studies_of(run, others)) == ["first", "second", "third"]
    for task in others:
        found._send()
        assert len(client.sent) == 3  # as long as anything runs
        finish(found, run, task)
    found._send()
    assert studies_of(run, client.sent[3:]) == ["timing"]
    found._send()
    assert len(client.sent) == 4  # nothing beside it, not even the other one
    finish(found, run, client.sent[3])
    found._send()
    assert studies_of(run, client.sent[4:]) == ["timing_too"]
    finish(found, run, client.sent[4])
    assert not found.waiting
    assert not found.running


def test_few_passes_are_under_way_however_many_there_are(counting, table):
    names = tuple(f"study{n}" for n in range(9))
    for name in names:
        counting(name=name)
    run, client = table("a", "b", studies=names), Cluster(workers=2)
    found, _ = coordinator_of(run, client)
    for n in range(len(names)):
        found._send()
        assert sum(task.status == "pending" for task in client.sent) == min(4, len(names) - n)
        finish(found, run, next(task for task in client.sent if task.status == "pending"))
    assert len(client.sent) == len(names)


def test_only_the_name_of_our_own_function_and_plain_words_travel(counting, table):
    serialize = pytest.importorskip("distributed.protocol.pickle")
    counting()
    run, client = table("a", "b"), Cluster()
    found, _ = coordinator_of(run, client)
    found._send()
    ((function, *arguments), how) = client.calls[0]
    content = serialize.dumps((function, arguments, how))
    words = [argument for _, argument, _ in pickletools.genops(content) if isinstance(argument, str)]
    assert {name for name in words if name.startswith("netversus.")} == {"netversus.execute.worker"}
    named = [operation.name for operation, *_ in pickletools.genops(content)]
    assert named.count("STACK_GLOBAL") + named.count("GLOBAL") == 1  # one function, by its name; no code, no class
    assert "REDUCE" not in named
    assert pickle.loads(content)[0] is function


@pytest.mark.parametrize(
    ("resources", "ours", "asked"),
    [(True, False, {ACCELERATOR: 1}), (False, False, None), (False, True, {ACCELERATOR: 1})],
)
def test_a_pass_asks_for_an_accelerator_where_workers_have_one_or_will(counting, table, resources, ours, asked):
    counting()
    client = Cluster(resources=resources)
    found, _ = coordinator_of(table("a", "b"), client, ours=ours)
    found._send()
    assert client.calls[0][1]["resources"] == asked
    assert f"{ACCELERATOR}=1" in JOB_OPTIONS


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(coordinator, "LOST_SECONDS", -1.0)


@pytest.mark.usefixtures("impatient")
def test_a_cluster_without_workers_is_told_once_each_time(counting, table):
    counting()
    client = Cluster(workers=0)
    found, heard = coordinator_of(table("a", "b"), client)
    found._send()
    for _ in range(2):
        found._hear()
    assert heard.notes == ["the cluster has no worker; the passes wait for one"]
    client.workers = {"0": {}}
    found._hear()
    assert len(heard.notes) == 1
    client.workers = {}
    for _ in range(2):
        found._hear()
    assert len(heard.notes) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("here", [True, False])
def test_worker_processes_that_stay_away_end_the_run_and_jobs_are_waited_for(counting, table, monkeypatch, here):
    monkeypatch.setattr(coordinator, "GONE_SECONDS", -1.0)
    counting()
    found, _ = coordinator_of(table("a", "b"), Cluster(workers=0), ours=True, here=here)
    found._send()
    with pytest.raises(ClusterError, match="did not come back") if here else nullcontext():
        found._hear()


def test_each_worker_has_an_accelerator_and_a_share_of_the_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "usable_cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    found = [_environment(number, 2) for number in range(2)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["4", "7"]
    assert {each["OMP_NUM_THREADS"] for each in found} == {"4"}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(cluster, "_accelerators", lambda: 3)
    assert [_environment(number, 4)["CUDA_VISIBLE_DEVICES"] for number in range(4)] == ["0", "1", "2", "0"]
    monkeypatch.setattr(cluster, "_accelerators", lambda: 0)
    assert "CUDA_VISIBLE_DEVICES" not in _environment(0, 1)
