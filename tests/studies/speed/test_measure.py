from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from contract.suite import NARROW, WIDE
from made_images import Files, encoded, smooth
from netversus.errors import CellError
from netversus.evidence import StudyEvidence
from netversus.execute.inprocess import execute
from netversus.execute.listener import Silent
from netversus.exhibits import Table
from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.devices import resolve_device
from netversus.lab.engines import find_engines
from netversus.lab.rates import nominal_rates
from netversus.lab.running import ENGINE_FILE
from netversus.lab.timing.kept import Kept
from netversus.plan import make_plan
from netversus.records import Artifact, Done, Emission, Observations, Progress, Verdict
from netversus.request import make_request
from netversus.statistics.comparison import Comparison, compare
from netversus.statistics.pairing import Sample
from netversus.store import RunStore
from netversus.studies.speed import NOTES, STUDY, WAY, SpeedOptions
from netversus.studies.speed.child import Job, _cold_start, _Reopened, peak_resident
from netversus.studies.speed.exhibit import exhibit
from netversus.studies.speed.measure import _lent, _running, measure
from netversus.studies.speed.share import blocks_of_process
from netversus.studies.speed.step import WAY_RECORD, Step

if TYPE_CHECKING:
    from conftest import Clock, Net

MakeBench = Callable[..., SimpleNamespace]
MakeNet = Callable[..., "Net"]
Seen = dict[tuple[str, str], dict[str, float]]


def gathered(emissions: Iterable[Emission]) -> Seen:
    """What a store keeps: the first value of a unit."""
    seen: Seen = {}
    for emission in emissions:
        if isinstance(emission, Observations):
            row = seen.setdefault((emission.contender, emission.metric), {})
            for unit, value in zip(emission.units, emission.values, strict=True):
                row.setdefault(unit, value)
    return seen


def judged(seen: Seen, metric: str) -> Comparison:
    question = next(q for q in STUDY.questions if q.metric == metric)
    metrics = question.inputs or (metric,)
    a, b = ({m: Sample(tuple(seen[name, m]), np.array(list(seen[name, m].values()))) for m in metrics} for name in "AB")
    return compare(question, a, b, level=0.99, margin=question.margin, seed=0)


def test_injected_times_come_out_as_verdicts_whatever_the_machine_does(
    bench: MakeBench, net: MakeNet, clock: Clock
) -> None:
    rng = np.random.default_rng(0)
    clock.pace = lambda seconds: (2 + np.sin(seconds / 20)) * rng.lognormal(0, 0.05)
    seen = gathered(measure(bench(A=net(0.01), B=net(0.015))))
    latency, slow, throughput = (judged(seen, metric) for metric in ("latency", "latency_p95", "throughput"))
    assert (latency.n, slow.n, throughput.n) == (24, 24, 24)
    assert latency.verdict is slow.verdict is throughput.verdict is Verdict.A_BETTER
    assert latency.effect is not None
    assert latency.effect.low < 1.5 < latency.effect.high
    assert throughput.effect is not None
    assert throughput.effect.low < 1 / 1.5 < throughput.effect.high


def test_equal_contenders_on_a_restless_machine_are_equivalent(bench: MakeBench, net: MakeNet, clock: Clock) -> None:
    rng = np.random.default_rng(1)
    clock.pace = lambda seconds: (2 + np.sin(seconds / 20)) * rng.lognormal(0, 0.02)
    seen = gathered(measure(bench(A=net(0.01), B=net(0.01))))
    assert judged(seen, "latency").verdict is Verdict.EQUIVALENT
    assert judged(seen, "throughput").verdict is Verdict.EQUIVALENT


def test_rare_stalls_show_in_the_tail_and_not_in_the_middle(bench: MakeBench, net: MakeNet, clock: Clock) -> None:
    rng = np.random.default_rng(2)
    stalling = net(0.01)
    usual = clock.spend
    clock.pace = lambda _seconds: rng.lognormal(0, 0.01)
    stalling.clock = SimpleNamespace(spend=lambda seconds: usual(seconds * (1 + 4 * (rng.random() < 0.12))))
    seen = gathered(measure(bench(A=net(0.01), B=stalling, options={"blocks": 60})))
    assert judged(seen, "latency").verdict is Verdict.EQUIVALENT
    assert judged(seen, "latency_p95").verdict is Verdict.A_BETTER


def test_warming_up_enters_no_verdict(bench: MakeBench, net: MakeNet, clock: Clock) -> None:
    cold = net(0.01)
    clock.pace = lambda _seconds: 1000.0 if len(cold.shown) < 2 else 1.0
    seen = gathered(measure(bench(A=cold, B=net(0.01), options={"blocks": 6})))
    assert max(seen["A", "warmup"].values()) == pytest.approx(10)
    assert set(seen["A", "latency_raw"].values()) == {0.01}


def test_progress_grows_to_the_whole_and_notes_come_last(bench: MakeBench, net: MakeNet) -> None:
    emissions = list(measure(bench(A=net(0.01), B=net(0.01), options={"blocks": 3, "price": 2.0})))
    steps = [e for e in emissions if isinstance(e, Progress)]
    assert [(s.done, s.total) for s in steps] == [(i + 1, 6) for i in range(6)]  # warm-up, blocks, what is once
    assert isinstance(emissions[-1], Artifact)
    assert emissions[-1].name == NOTES
    told = json.loads(emissions[-1].content)
    assert (told["price"], told["batch"], told["meters"], told["notes"]) == (2.0, 32, [], [])


def test_others_are_listened_to_at_both_ends_and_in_every_block(bench: MakeBench, net: MakeNet) -> None:
    *_, notes = measure(bench(A=net(0.01), B=net(0.01), options={"blocks": 3}))
    assert isinstance(notes, Artifact)
    assert json.loads(notes.content)["busy"] == [0.125, 0.0625, 0.0625, 0.0625, 0.125]


def test_the_way_of_an_image_is_measured_once_and_after_the_blocks(bench: MakeBench, net: MakeNet) -> None:
    class Pictures(Files):
        def content(self, index: int) -> bytes:
            return self.contents[index]

    made = bench(A=net(0.01), B=net(0.01), options={"blocks": 2, "batch": 2})
    made.data.splits["test"] = Pictures([encoded(smooth(seed, (40, 36))) for seed in range(3)])
    emissions = list(measure(made))
    (place,) = [i for i, e in enumerate(emissions) if isinstance(e, Artifact) and e.name == WAY]
    blocks = [i for i, e in enumerate(emissions) if isinstance(e, Observations) and e.metric == "throughput"]
    assert place > max(blocks)
    found = WAY_RECORD.validate_json(emissions[place].content)
    assert (found.images, found.batch, list(found.contenders)) == (3, 2, ["A", "B"])
    assert list(measure(made)) == emissions  # kept, like every step


def test_an_interrupted_block_is_kept_whole_and_finished_blocks_are_not_measured_again(
    bench: MakeBench, net: MakeNet, tmp_path: Path
) -> None:
    first = bench(tmp_path, {"blocks": 4}, A=net(0.01), B=net(0.02))
    stored: list[Emission] = []
    with closing(measure(first)) as running:
        for emission in running:
            stored.append(emission)
            if isinstance(emission, Observations) and emission.units == ("p0/block-001",):
                break  # killed after one of the block's observations, before those of B
    assert ("B", "latency") in gathered(stored)
    assert "p0/block-001" not in gathered(stored)["B", "latency"]

    slower = bench(tmp_path, {"blocks": 4}, A=net(0.1), B=net(0.2))
    seen = gathered([*stored, *measure(slower)])
    assert list(seen["A", "latency"].values()) == [0.01, 0.01, 0.1, 0.1]
    assert list(seen["B", "latency"].values()) == [0.02, 0.02, 0.2, 0.2]
    assert seen["A", "latency"].keys() == seen["B", "latency"].keys()


def test_when_all_is_kept_nothing_is_loaded(bench: MakeBench, net: MakeNet, tmp_path: Path) -> None:
    nets = {"A": net(0.01), "B": net(0.02)}
    once = list(measure(bench(tmp_path, {"blocks": 2}, **nets)))
    again = bench(tmp_path, {"blocks": 2}, **nets)
    assert list(measure(again)) == once
    assert again.loads == 0


def test_a_damaged_step_is_measured_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path, Step)
    step = Step((Observations("A", "latency", ("p0/block-000",), (0.1,)),), ("a note",), (0.5,))
    kept.put("p0-block-000", step)
    assert kept.get("p0-block-000") == step
    assert kept.get("p0-block-001") is None
    (tmp_path / "step-p0-block-000.json").write_bytes(b"")
    assert kept.get("p0-block-000") is None


@pytest.mark.parametrize(("blocks", "processes"), [(24, 1), (24, 5), (3, 4)])
def test_processes_share_all_blocks_and_no_block_twice(blocks: int, processes: int) -> None:
    options = SpeedOptions(blocks=blocks, processes=processes)
    shares = [blocks_of_process(options, k) for k in range(processes)]
    assert [number for share in shares for number in share] == list(range(blocks))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# Real contenders.

ENGINES = [name for name, engine in find_engines().items() if "cpu" in engine.devices and name != "compile"]
OUTSIDE = ("onnxruntime", "openvino")  # runtimes whose memory is not torch's


@pytest.mark.parametrize("engine", ENGINES)  # but for the one that takes minutes
def test_a_contender_is_measured_to_the_end_on_every_engine(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := find_engines()[engine].missing("cpu"):
        pytest.skip(reason)
    monkeypatch.setattr("netversus.studies.speed.share.others_busy", lambda: 0.0)  # which would wait
    data = open_data("digits")
    cards = [resolve(NARROW, data.card), replace(resolve(WIDE, data.card), engine=engine)]
    options = SpeedOptions(blocks=1, batch=(4,), repetitions=1, warmup=1)
    made = Bench(cards, data, options, 0, resolve_device("cpu"), lambda *_: (), lambda _: tmp_path, lambda: None)
    emissions = list(measure(made))
    seen = gathered(emissions)
    assert isinstance(emissions[-1], Artifact)
    assert emissions[-1].name == NOTES
    assert ((WIDE, "memory") in seen) == (not engine.startswith(OUTSIDE))
    assert (NARROW, "memory") in seen


# Fresh processes.


@pytest.fixture
def job(tmp_path: Path, data_card) -> Job:
    return Job((), data_card, {}, 0, "cpu", {}, tmp_path, parent=1)


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script in the interpreter's place."""

    def put(script: str) -> None:
        path = tmp_path / "interpreter"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return put


@pytest.mark.parametrize(
    ("script", "said"), [("echo first >&2; echo 'E: boom' >&2; exit 3", "E: boom$"), ("exit 3", "it ended with 3")]
)
def test_a_child_that_fails_fails_the_cell_with_its_last_words(
    job: Job, interpreter: Callable[[str], None], script: str, said: str
) -> None:
    interpreter(script)
    with pytest.raises(CellError, match=said):
        list(_running(job, Kept(job.folder, Step)))


def test_a_child_ends_with_its_parents_interest(job: Job, interpreter: Callable[[str], None]) -> None:
    interpreter(f"echo $$ > {job.folder}/pid; exec sleep 600")
    with closing(_running(job, Kept(job.folder, Step))) as running:
        while not (job.folder / "pid").is_file() or not (job.folder / "pid").read_text().strip():
            next(running)
        child = int((job.folder / "pid").read_text())
        assert psutil.pid_exists(child)
    assert not psutil.pid_exists(child)


def test_real_processes_share_the_blocks_and_time_their_own_start(tmp_path: Path) -> None:
    """Two contenders: two processes with a block each, and a cold start of each contender."""
    data = open_data("digits")
    cards = [resolve(each, data.card) for each in (NARROW, WIDE)]
    options = {"speed": {"blocks": 2, "batch": "4", "repetitions": 1, "processes": 2, "cold_start": 1}}
    request = make_request({"contenders": (NARROW, WIDE), "studies": ("speed",), "options": options})
    plan = make_plan(request, cards, data.card, nominal_rates(cards), "cpu")
    store = RunStore.create(tmp_path / "run")
    store.add_plan(plan)
    begin = time.monotonic()
    execute(plan, store, data, resolve_device("cpu"), Silent())
    passed = time.monotonic() - begin
    assert isinstance(store.outcome(plan.cells[0]), Done)

    evidence = StudyEvidence(store, plan, "speed")
    for name in (NARROW, WIDE):
        latency = evidence.series(name, "latency")
        assert latency is not None
        assert latency.units == ("p0/block-000", "p1/block-001")
        parts = {m: evidence.series(name, f"cold_start{m}") for m in ("", "_import", "_load", "_answer")}
        assert all(p is not None and tuple(p.units) == ("start-01",) for p in parts.values())
        whole, *pieces = (float(p.values[0]) for p in parts.values() if p is not None)
        assert whole == pytest.approx(sum(pieces))
        assert 0 < whole < passed
        resident = evidence.series(name, "memory_process")
        assert resident is not None
        assert 2**20 < resident.values[0] < psutil.virtual_memory().total
        with_a_batch = evidence.series(name, "memory_process_batch")
        assert with_a_batch is not None
        assert with_a_batch.values[0] >= resident.values[0]
    titles = [shown.title for shown in exhibit(evidence) if isinstance(shown, Table)]
    assert "From nothing to the first answer" in titles


def test_the_peak_of_this_process_is_at_least_what_it_holds_now() -> None:
    assert peak_resident() >= psutil.Process().memory_info().rss * 0.99


def test_every_process_runs_a_contender_on_the_engine_that_was_chosen_first(
    bench: MakeBench, net: MakeNet, tmp_path: Path
) -> None:
    kept, stored = Kept(tmp_path, Step), {("A", ENGINE_FILE): b"chosen before"}
    parent = bench(A=net(0.01), B=net(0.01))
    parent.engine_record = lambda card: stored.get((card.name, ENGINE_FILE))
    parent.keep_engine_record = lambda card, record: stored.setdefault((card.name, ENGINE_FILE), record)
    with _lent(parent, kept):
        assert kept.artifact("A", ENGINE_FILE) == b"chosen before"
        assert kept.artifact("B", ENGINE_FILE) is None
        kept.put_artifact(Artifact(ENGINE_FILE, b"chosen by the child", "B"))
    assert stored == {("A", ENGINE_FILE): b"chosen before", ("B", ENGINE_FILE): b"chosen by the child"}


def test_the_data_are_opened_again_only_when_asked_for(monkeypatch: pytest.MonkeyPatch, data_card) -> None:
    opened: list[str] = []
    splits = {"test": "the test split"}

    def open_again(spec: str, *, seed: int) -> SimpleNamespace:
        opened.append(f"{spec}, seed {seed}")
        return SimpleNamespace(splits=splits)

    monkeypatch.setattr("netversus.studies.speed.child.open_data", open_again)
    again = _Reopened(replace(data_card, splits={"test": 400}), 7)
    assert ("train" in again, "test" in again, list(again)) == (False, True, ["test"])
    assert opened == []
    assert again["test"] == again["test"] == "the test split"
    assert again.get("train") is None
    assert opened == ["digits, seed 7"]


def test_a_fresh_process_tells_its_memory_after_one_image_and_after_the_batch(
    job: Job, bench: MakeBench, net: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = net(0.01)
    alone = bench(A=network)
    monkeypatch.setattr("netversus.studies.speed.child._bench", lambda _job: alone)
    monkeypatch.setattr("netversus.studies.speed.child.peak_resident", lambda: sum(count for count, _ in network.shown))
    job = replace(job, contenders=tuple(alone.contenders), unit="start-01", batch=16, began=time.monotonic_ns())
    seen = gathered(_cold_start(job).observations)
    assert seen["A", "memory_process"] == {"start-01": 1}
    assert seen["A", "memory_process_batch"] == {"start-01": 17}


def test_a_fresh_process_is_shown_the_batch_that_all_contenders_could_take(
    bench: MakeBench, net: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def running(job: Job, kept: Kept[Step]) -> Iterable[None]:
        asked.append((job.contenders[0].name, job.batch))
        kept.put(job.step, Step())
        return ()

    monkeypatch.setattr("netversus.studies.speed.measure._running", running)
    options = {"blocks": 1, "batch": 32, "cold_start": 1}
    list(measure(bench(A=net(0.01), B=net(0.01, room=10 * 32**2), options=options)))
    assert sorted(asked) == [("A", 8), ("B", 8)]
