"""A disk that is really full: a small tmpfs, filled up. The run ends in one line, and goes on once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from netversus.cli.__main__ import main
from netversus.execute import inprocess
from netversus.records import Done
from netversus.store import RunStore

pytestmark = pytest.mark.kills

CONTENDERS = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
OPTIONS = (
    *("--study", "training", "--study", "accuracy", "--training.samples", "128", "--training.batch", "16"),
    *("--training.rounds", "3", "--training.curve-images", "20", "--accuracy.images", "96", "--accuracy.batch", "8"),
)
TIMED = {"train_time"}
SIZE = 4 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def filled(disk: Path, *, leave: int) -> Path:
    """Take all but `leave` bytes of what is free."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    ballast.write_bytes(bytes(max(0, free - leave)))
    return ballast


def observations(run: Path) -> dict[tuple[str, str, str], list[tuple[str, float]]]:
    store = RunStore.open(run)
    return {
        (cell.key, who, metric): list(zip(sample.units, sample.values.tolist(), strict=True))
        for cell in store.plan().cells
        for (who, metric), sample in store.cell(cell).observations().items()
        if metric not in TIMED
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    assert main(["compare", *CONTENDERS, *OPTIONS, "--out", str(run)]) == 0
    return run


@pytest.mark.parametrize("leave", [300_000, 120_000, 40_000])
def test_a_disk_that_fills_up_in_a_run_costs_nothing_once_there_is_room(
    small_disk: Path, undisturbed: Path, leave: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inprocess, "FLUSH_SECONDS", 0.0)  # it fills in the middle of a cell
    ballast = filled(small_disk, leave=leave)
    run = small_disk / "run"
    code = main(["compare", *CONTENDERS, *OPTIONS, "--out", str(run)])
    said = capsys.readouterr()
    assert code in (2, 5)
    told = [line for line in (said.out + said.err).splitlines() if "full" in line or "No space left" in line]
    assert told
    assert "Traceback" not in said.out + said.err
    assert not list(run.rglob(".*.tmp"))
    ballast.unlink()
    assert main(["compare", "--resume", str(run)]) == 0
    store = RunStore.open(run)
    assert all(isinstance(store.outcome(cell), Done) for cell in store.plan().cells)
    assert observations(run) == observations(undisturbed)


def test_a_disk_that_is_full_from_the_start_is_one_line(small_disk: Path, capsys: pytest.CaptureFixture[str]):
    ballast = filled(small_disk, leave=0)
    assert main(["compare", *CONTENDERS, *OPTIONS, "--out", str(small_disk / "run")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left on device" in said
    ballast.unlink()
    assert main(["compare", *CONTENDERS, *OPTIONS, "--out", str(small_disk / "run")]) == 0
