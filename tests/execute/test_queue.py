"""Jobs of a queueing system. The queue is a small program of the tests under Slurm's and PBS's names; all else is real."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from netversus.cli.__main__ import main
from netversus.errors import MissingExtraError
from netversus.execute import cluster
from netversus.execute.coordinator import ACCELERATOR
from netversus.execute.executor import QUEUES, Placement

from .test_cluster import counted, tally, whole, words

pytest.importorskip("dask_jobqueue")
pytestmark = [pytest.mark.kills, pytest.mark.timeout(120)]

__all__ = ["tally"]  # the fixture

SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "{folder}/script-$$"
setsid sh "{folder}/script-$$" > "{folder}/out-$$" 2>&1 < /dev/null &
echo $! >> "{folder}/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >> "{folder}/cancelled"
kill -- "-$1" 2> /dev/null
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Slurm's commands on PATH, a user's configuration, and a home of its own. Gives the folder of the jobs."""
    from dask import config

    folder, home = tmp_path / "queue", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("qsub", SBATCH), ("qdel", SCANCEL)):
        (folder / name).write_text(text.format(folder=folder))
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(home))
    theirs = {"cores": 2, "memory": "1GB", "interface": "lo", "python": sys.executable, "queue": "gpu"}
    with config.set({f"jobqueue.{kind}.{name}": value for kind in QUEUES for name, value in theirs.items()}):
        yield folder
    for job in jobs(folder):
        if psutil.pid_exists(job):
            os.killpg(job, signal.SIGKILL)


def jobs(folder: Path) -> list[int]:
    listed = folder / "jobs"
    return [int(line) for line in listed.read_text().split()] if listed.exists() else []


def test_jobs_of_a_queue_observe_what_one_process_does(
    tally, slurm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(words(tmp_path / "run", "--on", "slurm", "--workers", "2")) == 0
    assert counted(tmp_path / "run") == whole()
    said = capsys.readouterr()
    assert "distributed" not in said.out + said.err
    assert len(jobs(slurm)) == 2
    assert sorted((slurm / "cancelled").read_text().split()) == sorted(map(str, jobs(slurm)))
    for script in slurm.glob("script-*"):
        asked = script.read_text()
        assert "#SBATCH -p gpu" in asked  # the user's own configuration
        assert "--resources accelerator=1" in asked
        assert "tls://127.0.0.1:" in asked
        assert "PRIVATE KEY" not in asked
    assert not list((tmp_path / "home" / ".netversus").iterdir())  # the certificate ends with the run
    assert not [
        path for path in (tmp_path / "run").rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]


def test_who_has_not_the_certificate_is_turned_away_and_nothing_else_is_open(slurm: Path):
    import distributed
    from dask import config

    asked = {"jobqueue.slurm.interface": None, "jobqueue.slurm.scheduler-options": {"host": "0.0.0.0"}}
    before = listening(psutil.Process())
    with config.set(asked), cluster._client(Placement("queue", "slurm", 1)) as client:
        address = client.scheduler_info()["address"]
        port = int(address.rpartition(":")[2])
        opened = listening(psutil.Process()) - before
        assert ("0.0.0.0", port) in opened
        assert {ip for ip, other in opened if other != port} <= {"127.0.0.1"}
        with pytest.raises((OSError, ValueError)):
            distributed.Client(address.replace("tls://", "tcp://"), timeout=2, set_as_default=False)
        assert client.submit(sum, (1, 2)).result(timeout=60) == 3
        workers = [psutil.Process(job) for job in jobs(slurm)]
        family = [*workers, *(child for worker in workers for child in worker.children(recursive=True))]
        known = client.scheduler_info()["workers"]
        named = {int(each.rpartition(":")[2]) for each in (*known, *(worker["nanny"] for worker in known.values()))}
        assert {ip for process in family for ip, other in listening(process) if other not in named} <= {"127.0.0.1"}


def test_jobs_of_pbs_do_the_work_too(slurm: Path):
    with cluster._client(Placement("queue", "pbs", 1)) as client:
        assert client.submit(sum, (1, 2), resources={ACCELERATOR: 1}).result(timeout=60) == 3
    (script,) = slurm.glob("script-*")
    assert "#PBS -q gpu" in script.read_text()


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    return {tuple(c.laddr) for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    for package in ("cryptography", "dask_jobqueue"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            with pytest.raises(MissingExtraError, match=package.replace("_", "-")):
                cluster._queue_cluster(Placement("queue", "slurm", 1), ExitStack())
