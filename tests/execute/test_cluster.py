"""Worker processes die, a scheduler goes away, a cell always crashes: the end is that of an undisturbed run.

Real worker processes. The study that they run is installed as a package of its own would be, so that a worker finds it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from netversus import studies
from netversus.api import prepare
from netversus.cli.__main__ import main
from netversus.execute import cluster
from netversus.execute.coordinator import ACCELERATOR
from netversus.execute.executor import Placement
from netversus.execute.worker import run_pass
from netversus.records import Done, Failed
from netversus.request import make_request
from netversus.store import RunStore

pytest.importorskip("distributed")
pytestmark = pytest.mark.kills

DECLARATION = """
from typing import Annotated

from pydantic import Field

from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Options, Study


class TallyOptions(Options):
    numbers: Annotated[int, Field(description="How far to count.")] = 6
    trouble: Annotated[str, Field(description="What goes wrong at 3: none, kill-once, kill, wait.")] = "none"
    mark: Annotated[str, Field(description="A file that says that it went wrong already.")] = ""


STUDY = Study(
    name="tally",
    question="How far can each contender count?",
    questions=(Question("count", "Who counts higher?", Scale.MEAN, Direction.HIGHER, "", "number", margin=0.1),),
    cost=lambda options, work: Cost(seconds=1.0),
    options=TallyOptions,
    seeded=True,
    default=False,
)
"""
MEASURE = """
import os
import signal
import time
from pathlib import Path

from netversus.records import Observations, Progress


def measure(bench):
    options = bench.options
    for number in range(options.numbers):
        for card in bench.contenders:
            if f"n{number}" in bench.stored(card.name, "count"):
                continue
            if number == 3 and "wide" in card.name and options.trouble != "none":
                bench.flush()
                go_wrong(options)
            yield Observations(card.name, "count", (f"n{number}",), (float(number + bench.seed),))
        yield Progress(number + 1, options.numbers, "numbers")


def go_wrong(options):
    mark = Path(options.mark)
    if options.trouble == "kill" or (options.trouble == "kill-once" and not mark.exists()):
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if options.trouble == "wait":
        mark.with_name(f"waiting-{os.getpid()}").touch()
    while options.trouble == "wait" and not mark.exists():
        time.sleep(0.05)
"""
CONTENDERS = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")


@pytest.fixture
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The study, installed where this process and every worker look for packages."""
    site = tmp_path / "site"
    package, info = site / "netversus_tally", site / "netversus_tally-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text(DECLARATION)
    (package / "measure.py").write_text(MEASURE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: netversus-tally\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[netversus.studies]\ntally = netversus_tally\n")
    places = [str(site), str(Path(__file__).parents[1])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for place in places:
        monkeypatch.syspath_prepend(place)
    studies.find_studies.cache_clear()
    yield
    monkeypatch.undo()
    studies.find_studies.cache_clear()
    for name in [name for name in sys.modules if name.startswith("netversus_tally")]:
        del sys.modules[name]


def words(run: Path, *more: str, seeds: int = 2) -> list[str]:
    return ["compare", *CONTENDERS, "--study", "tally", "--repeats", str(seeds), "--out", str(run), *more]


def counted(run: Path) -> dict[str, list[tuple[str, float]]]:
    """What lies in the run, by cell: as stored, so that a unit that counted twice would show."""
    store = RunStore.open(run)
    return {
        f"{cell.seed} {who}": list(zip(sample.units, sample.values.tolist(), strict=True))
        for cell in store.plan().cells
        for (who, _), sample in store.cell(cell).observations().items()
    }


def whole(seeds: int = 2, numbers: int = 6) -> dict[str, list[tuple[str, float]]]:
    return {
        f"{seed} {who}": [(f"n{n}", float(n + seed)) for n in range(numbers)]
        for seed in range(seeds)
        for who in CONTENDERS
    }


def test_two_workers_observe_what_one_process_does(tally, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(words(tmp_path / "here")) == 0
    assert main(words(tmp_path / "there", "--workers", "2")) == 0
    assert counted(tmp_path / "there") == counted(tmp_path / "here") == whole()
    said = capsys.readouterr()
    assert "distributed" not in said.out + said.err
    assert said.out.count("done     tally of py:tiny_nets:wide@scratch") == 4


def test_a_worker_that_is_killed_in_a_cell_costs_nothing(tally, tmp_path: Path):
    trouble = ("--tally.trouble", "kill-once", "--tally.mark", str(tmp_path / "mark"))
    assert main(words(tmp_path / "run", "--workers", "2", *trouble)) == 0
    assert (tmp_path / "mark").exists()
    assert counted(tmp_path / "run") == whole()


def test_a_worker_whose_clock_is_days_off_changes_nothing(tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wrong = "import time\nright = time.time\ntime.time = lambda: right() - 3 * 86400\n"
    (tmp_path / "site" / "sitecustomize.py").write_text(f"{wrong}open({str(tmp_path / 'skewed')!r}, 'a').close()\n")
    trouble = ("--tally.trouble", "kill-once", "--tally.mark", str(tmp_path / "mark"))
    assert main(words(tmp_path / "run", "--workers", "1", *trouble)) == 0
    assert (tmp_path / "skewed").exists()
    assert counted(tmp_path / "run") == whole()


def test_a_cell_that_always_crashes_fails_alone(tally, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    trouble = ("--tally.trouble", "kill", "--tally.mark", str(tmp_path / "mark"))
    assert main(words(tmp_path / "run", "--workers", "1", *trouble, seeds=1)) == 5
    store = RunStore.open(tmp_path / "run")
    outcomes = {cell.contenders[0]: store.outcome(cell) for cell in store.plan().cells}
    assert isinstance(outcomes[CONTENDERS[0]], Done)
    failed = outcomes[CONTENDERS[1]]
    assert isinstance(failed, Failed)
    assert failed.error == "the worker process died on it 3 times (killed, or out of memory)"
    assert counted(tmp_path / "run")[f"0 {CONTENDERS[0]}"] == whole()[f"0 {CONTENDERS[0]}"]
    assert counted(tmp_path / "run")[f"0 {CONTENDERS[1]}"] == whole()[f"0 {CONTENDERS[1]}"][:3]
    assert "going on with each contender alone" in capsys.readouterr().out


def test_a_coordinator_that_is_killed_is_resumed_and_leaves_no_worker_behind(tally, tmp_path: Path):
    run, mark = tmp_path / "run", tmp_path / "mark"
    command = words(run, "--workers", "2", "--tally.trouble", "wait", "--tally.mark", str(mark))
    coordinator = subprocess.Popen(
        [sys.executable, "-m", "netversus.cli.__main__", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _until(lambda: len(list(run.glob("cells/*/observations-*"))) >= 4)
    family = psutil.Process(coordinator.pid).children(recursive=True)
    coordinator.send_signal(signal.SIGKILL)
    coordinator.wait()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive
    assert set(counted(run)) == set(whole())
    mark.touch()
    assert main(["compare", "--resume", str(run)]) == 0
    assert counted(run) == whole()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a program of Dask's, on the loopback interface."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"dask-{len(started)}.log").open("wb")
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        log.close()
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_scheduler_that_goes_away_ends_the_run_in_order(
    tally, tmp_path: Path, dask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "LOST_SECONDS", 6.0)
    file, run, mark = tmp_path / "scheduler.json", tmp_path / "run", tmp_path / "mark"
    scheduler = dask("scheduler", "--port", "0", "--scheduler-file", str(file))
    _until(file.is_file)
    dask("worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny")
    trouble = ("--tally.trouble", "wait", "--tally.mark", str(mark))
    killer = _when(lambda: len(list(run.glob("cells/*/observations-*"))) >= 2, scheduler.kill)
    assert main(words(run, "--on", str(file), *trouble)) == 5
    killer()
    said = capsys.readouterr()
    assert (
        f"scheduler went away; what was measured until then is stored (go on with: netversus compare --resume {run})"
        in (" ".join(said.err.split()))
    )
    mark.touch()
    assert main(["compare", "--resume", str(run)]) == 0
    assert counted(run) == whole()


def test_a_worker_of_a_cluster_that_goes_away_costs_nothing(tally, tmp_path: Path, dask):
    file, run, mark = tmp_path / "scheduler.json", tmp_path / "run", tmp_path / "mark"
    dask("scheduler", "--port", "0", "--scheduler-file", str(file))
    _until(file.is_file)
    first = dask("worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny")
    trouble = ("--tally.trouble", "wait", "--tally.mark", str(mark))

    def lose() -> None:
        first.kill()
        dask("worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny")
        mark.touch()

    lost = _when(lambda: len(list(run.glob("cells/*/observations-*"))) >= 2, lose)
    assert main(words(run, "--on", str(file), *trouble)) == 0
    lost()
    assert counted(run) == whole()


def test_a_cell_that_is_delivered_twice_at_once_counts_once(tally, tmp_path: Path):
    run, mark = tmp_path / "run", tmp_path / "mark"
    request = make_request(
        {
            "contenders": CONTENDERS,
            "studies": ("tally",),
            "options": {"tally": {"trouble": "wait", "mark": str(mark)}},
        }
    )
    plan, store = prepare(request).nominal_plan(), RunStore.create(run)
    store.add_plan(replace(plan, device="cpu"))
    keys = tuple(cell.key for cell in plan.cells)
    with cluster._client(Placement("workers", workers=2)) as client:
        client.wait_for_workers(2)
        twice = [
            client.submit(run_pass, str(run), keys, "topic", key=f"delivery-{n}", resources={ACCELERATOR: 1})
            for n in range(2)
        ]
        _until(lambda: len(list(tmp_path.glob("waiting-*"))) == 2)  # both are in the middle of the same cells
        mark.touch()
        assert client.gather(twice) == [0, 0]
    assert counted(run) == whole(seeds=1)
    assert all(isinstance(store.outcome(cell), Done) for cell in plan.cells)


def test_a_cluster_that_is_not_there_is_one_line(tally, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cluster, "LOST_SECONDS", 1.0)
    assert main(words(tmp_path / "run", "--on", "tcp://127.0.0.1:9")) == 5
    assert "the cluster at tcp://127.0.0.1:9 cannot be reached" in capsys.readouterr().err
    assert main(words(tmp_path / "run", "--on", "absent.json")) == 5
    assert "absent.json is not a scheduler file" in capsys.readouterr().err


def test_nothing_listens_beyond_the_loopback_interface():
    with cluster._client(Placement("workers", workers=1)) as client:
        family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        listening = [c.laddr for p in family for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert listening
        assert {address.ip for address in listening} == {"127.0.0.1"}
        addresses = [worker["host"] for worker in client.scheduler_info(n_workers=-1)["workers"].values()]
        assert addresses == ["127.0.0.1"]


def _until(ready: Callable[[], object], seconds: float = 90.0) -> None:
    patience = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < patience
        time.sleep(0.05)


def _when(ready: Callable[[], object], then: Callable[[], None]) -> Callable[[], None]:
    """Do something in another thread once it is time; the result waits for it."""
    import threading

    def work() -> None:
        _until(ready)
        then()

    thread = threading.Thread(target=work)
    thread.start()
    return thread.join
