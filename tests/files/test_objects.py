"""A run in an object store: the same as on a disk, also when the store stumbles. Real sockets, a real S3 protocol."""

from __future__ import annotations

import itertools
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from netversus import api
from netversus.api import open_run
from netversus.cli.__main__ import main
from netversus.errors import MissingExtraError, RunFolderError
from netversus.files import LocalFiles, is_remote, objects, open_files
from netversus.files.objects import HOLD, ObjectFiles, without_secrets
from netversus.store import RunStore

from .conftest import SECRET, Door

TINY = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
QUICK = (
    *("--study", "training", "--study", "accuracy", "--accuracy.images", "120"),
    *("--training.samples", "64", "--training.rounds", "2", "--training.curve-images", "20"),
)
TIMED = {"train_time"}


def observations(place: str | Path) -> dict[tuple[str, str, str], list[tuple[str, float]]]:
    store = RunStore.open(place)
    return {
        (cell.key, who, metric): list(zip(sample.units, sample.values.tolist(), strict=True))
        for cell in store.plan().cells
        for (who, metric), sample in store.cell(cell).observations().items()
        if metric not in TIMED
    }


@pytest.fixture(params=["disk", "objects"])
def files(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "disk":
        return open_files(tmp_path / "place")
    return open_files(f"{request.getfixturevalue('bucket')}/place")


def test_both_kinds_of_place_keep_the_same_promises(files):
    assert files.empty()
    assert files.names("plans") == []
    with pytest.raises(FileNotFoundError):
        files.read("plans/0001.json")
    files.write("plans/0002.json", b"two")
    files.write("plans/0001.json", b"one")
    files.write("plans/0001.json", b"uno")
    files.write("run.json", b"{}")
    assert not files.empty()
    assert files.names("plans") == ["0001.json", "0002.json"]
    assert files.names("") == ["run.json"]
    assert files.read("plans/0001.json") == b"uno"
    assert files.exists("run.json")
    assert not files.exists("plans")
    assert files.create("settled/a.json", b"first")
    assert not files.create("settled/a.json", b"second")
    assert files.read("settled/a.json") == b"first"
    assert files.names("settled") == ["a.json"]
    below = files.below("plans")
    assert below.read("0002.json") == b"two"
    assert below.local("0002.json").read_bytes() == b"two"
    (below.scratch() / "checkpoint").write_bytes(b"x")
    assert (files.below("plans").scratch() / "checkpoint").read_bytes() == b"x"


def test_a_whole_run_in_a_store_equals_one_on_a_disk(bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", *TINY, *QUICK, "--out", f"{bucket}/run"]) == 0
    assert f"report: {bucket}/run/report.html" in capsys.readouterr().out
    assert main(["compare", *TINY, *QUICK, "--out", str(tmp_path / "run")]) == 0
    assert observations(f"{bucket}/run") == observations(tmp_path / "run")
    there, here = open_run(f"{bucket}/run"), open_run(tmp_path / "run")
    assert [f for f in there.findings if f.metric not in TIMED] == [f for f in here.findings if f.metric not in TIMED]
    assert main(["report", f"{bucket}/run", "--out", str(tmp_path / "there.md")]) == 0
    assert there.store.files.read("report.html").startswith(b"<!DOCTYPE html>")
    with pytest.raises(RunFolderError, match="no folder of this machine"):
        there.path  # noqa: B018
    assert main(["compare", "--resume", f"{bucket}/run"]) == 0


def test_a_store_that_stumbles_changes_nothing(door: Door, bucket: str, tmp_path: Path):
    statuses = itertools.cycle([500, 503, 503])
    door.fault = lambda number, *_: next(statuses) if number % 12 == 0 else None
    door.delay = 0.005
    assert main(["compare", *TINY, *QUICK, "--out", f"{bucket}/run"]) == 0
    assert door.refused >= 5
    assert main(["compare", *TINY, *QUICK, "--out", str(tmp_path / "run")]) == 0
    assert observations(f"{bucket}/run") == observations(tmp_path / "run")


def test_a_line_that_goes_dead_in_the_middle_of_an_object_gives_no_part_of_it(door: Door, bucket: str):
    files = open_files(f"{bucket}/place")
    whole = bytes(range(256)) * 400
    files.write("observations.bin", whole)
    left = iter([True, True])
    door.cut = lambda _, method, path: method == "GET" and path.endswith("observations.bin") and next(left, False)
    assert files.read("observations.bin") == whole  # asked for again
    assert door.severed == 2
    door.cut = lambda *_: True
    with pytest.raises(OSError, match="place: "):
        files.read("observations.bin")


def test_of_many_that_take_a_run_at_once_one_has_it(bucket: str):
    places = [open_files(f"{bucket}/run") for _ in range(8)]
    start, held, refused, over = threading.Barrier(8), [], [], threading.Event()

    def take(files) -> None:
        start.wait()
        try:
            with files.held():
                held.append(files)
                over.wait(30)
        except RunFolderError as error:
            refused.append(str(error))
        if len(refused) == 7:
            over.set()

    threads = [threading.Thread(target=take, args=(files,)) for files in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    assert len(refused) == 7
    assert all("another process is working on" in line for line in refused)


def test_a_holder_that_slept_for_too_long_does_not_take_the_run_back(bucket: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(objects, "BEAT_SECONDS", 0.05)
    files = open_files(f"{bucket}/run")
    with files.held():
        files.write(HOLD, b'{"token": "of another, who found it stale"}')
        threading.Event().wait(0.3)
        assert b"another" in files.read(HOLD)
    assert b"another" in files.read(HOLD)  # nor lets go of what is not its own


def test_a_store_that_refuses_is_one_line(door: Door, bucket: str, capsys: pytest.CaptureFixture[str]):
    door.fault = lambda *_: 403
    assert main(["compare", *TINY, *QUICK, "--out", f"{bucket}/run"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"netversus: cannot write the run folder {bucket}/run")
    assert said.count("\n") == 1


def test_a_store_that_fails_in_a_cell_leaves_a_run_that_can_be_gone_on_with(door: Door, bucket: str, tmp_path: Path):
    down = threading.Event()
    door.fault = lambda _, method, path: (
        403 if method == "PUT" and "observations" in path and not down.is_set() else None
    )
    assert main(["compare", *TINY, *QUICK, "--out", f"{bucket}/run"]) == 5
    down.set()
    assert main(["compare", "--resume", f"{bucket}/run"]) == 0
    assert main(["compare", *TINY, *QUICK, "--out", str(tmp_path / "run")]) == 0
    assert observations(f"{bucket}/run") == observations(tmp_path / "run")


def test_two_coordinators_on_one_run_are_noticed(bucket: str, capsys: pytest.CaptureFixture[str]):
    assert main(["compare", *TINY, *QUICK, "--out", f"{bucket}/run"]) == 0
    store = RunStore.open(f"{bucket}/run")
    with store.locked():
        assert main(["compare", "--resume", f"{bucket}/run"]) == 2
        assert "another process is working on" in capsys.readouterr().err
        assert json.loads(store.files.read(HOLD))["process"]
    assert not store.files.exists(HOLD)
    assert main(["compare", "--resume", f"{bucket}/run"]) == 0


def test_the_hold_of_a_process_that_was_killed_is_forgotten(bucket: str, monkeypatch: pytest.MonkeyPatch):
    files = open_files(f"{bucket}/run")
    files.write(HOLD, b'{"token": "of somebody who is gone"}')
    with pytest.raises(RunFolderError, match="another process"), files.held():
        pass
    monkeypatch.setattr(objects, "STALE_SECONDS", 0.0)
    with files.held():
        assert b"gone" not in files.read(HOLD)
    assert not files.exists(HOLD)


def test_a_holder_is_heard_of_and_a_wrong_clock_of_ours_does_not_matter(bucket: str, monkeypatch: pytest.MonkeyPatch):
    class Skewed(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz or UTC) + timedelta(days=3)

    monkeypatch.setattr(objects, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(objects, "datetime", Skewed)
    files = open_files(f"{bucket}/run")
    assert isinstance(files, ObjectFiles)
    with files.held():
        mark = files.read(HOLD)
        threading.Event().wait(0.3)
        assert files.read(HOLD) == mark
        assert 0 <= files._age() < 60
        with pytest.raises(RunFolderError), open_files(f"{bucket}/run").held():
            pass


def test_workers_write_into_the_store_by_themselves(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    assert main(["compare", *TINY, *QUICK, "--out", f"{bucket}/run", "--workers", "1"]) == 0
    assert main(["compare", *TINY, *QUICK, "--out", str(tmp_path / "run"), "--workers", "1"]) == 0
    assert observations(f"{bucket}/run") == observations(tmp_path / "run")


def test_no_secret_is_stored_or_shown(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import fsspec

    argv = ["netversus", "compare", f"--out=s3://user:{SECRET}@host/run?token={SECRET}", f"hf://{SECRET}@hub/x"]
    monkeypatch.setattr(api.sys, "argv", argv)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    run = api.compare(*TINY, studies=["training"], options={"training": {"samples": 64}}, out=f"{bucket}/run")
    system = fsspec.filesystem("s3")
    stored = [system.cat_file(name) for name in system.find(bucket)]
    assert len(stored) > 8
    assert not any(SECRET.encode() in content for content in stored)
    (session,) = run.store.sessions()
    assert "s3://host/run" in session.command
    for suffix in ("html", "md", "json", "csv"):
        run.report(tmp_path / f"report.{suffix}")
        assert SECRET not in (tmp_path / f"report.{suffix}").read_text()


def test_addresses_are_told_without_secrets():
    assert without_secrets("s3://key:secret@bucket/run/?token=x") == "s3://bucket/run"
    assert without_secrets("gs://bucket/run") == "gs://bucket/run"


def test_a_place_is_an_address_or_a_folder(tmp_path: Path):
    assert is_remote("s3://bucket/run")
    assert not is_remote("runs/demo")
    assert isinstance(open_files(f"file://{tmp_path}/run"), LocalFiles)
    with pytest.raises(RunFolderError, match="no file system is known"):
        open_files("nowhere://bucket/run")


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch):
    import fsspec.core

    def missing(*_: object, **__: object) -> None:
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"gcsfs.*netversus\[cloud\]"):
        open_files("gs://bucket/run")
