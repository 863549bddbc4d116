"""No secret of the environment or of an address is in an error line, a log, a run folder or a report."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netversus.cli.__main__ import main
from netversus.errors import DataError, without_credentials

IN_ADDRESS, IN_ENVIRONMENT = "planted-in-address-7c1", "planted-in-environment-93f"
TWO = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch", "--study", "structure")
ADDRESSED = f"user:{IN_ADDRESS}@host"


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD", "SERVICE_API_KEY"):
        monkeypatch.setenv(name, IN_ENVIRONMENT)


@pytest.mark.parametrize(
    "words",
    [
        ("compare", *TWO, "--out", f"s3://{ADDRESSED}/run"),
        ("compare", *TWO, "--out", f"s3://bucket/run?token={IN_ADDRESS}"),
        ("compare", *TWO, "--out", f"nowhere://{ADDRESSED}/run"),
        ("compare", *TWO, "--out", "x", "--on", f"tcp://{ADDRESSED}:8786"),
        ("compare", *TWO, "--out", "x", "--on", f"http://{ADDRESSED}"),
        ("compare", *TWO, "--data", f"https://{ADDRESSED}/x.tar"),
        ("compare", *TWO, "--data", f"hf:https://{ADDRESSED}/x"),
        ("compare", *TWO, "--data", f"folder:s3://{ADDRESSED}/x"),
        ("compare", *TWO, "--data", f"webdataset:https://{ADDRESSED}/x.tar"),
        ("compare", *TWO, "--data", f"webdataset:x.tar?train=https://host/x.tar?sig={IN_ADDRESS}"),
        ("compare", f"file:https://{ADDRESSED}/x.safetensors?arch=resnet50", "resnet18"),
        ("compare", f"https://{ADDRESSED}/x", "resnet18"),
        ("compare", f"hf:https://{ADDRESSED}/x", "resnet18"),
        ("compare", "--resume", f"s3://{ADDRESSED}/run"),
        ("report", f"s3://{ADDRESSED}/run"),
        ("compare", f"resnet18{IN_ENVIRONMENT}", "resnet18"),
    ],
)
def test_an_error_line_holds_none(words, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    for secret in (IN_ADDRESS, IN_ENVIRONMENT):
        assert secret not in said.out + said.err
        assert not any(secret.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_scheduler_file_that_holds_one_is_told_without_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    pytest.importorskip("distributed")
    monkeypatch.setattr("netversus.execute.cluster.LOST_SECONDS", 1.0)
    (tmp_path / "scheduler.json").write_text(f'{{"address": "tcp://user:{IN_ADDRESS}@127.0.0.1:9"}}')
    run = tmp_path / "run"
    assert main(["compare", *TWO, "--out", str(run), "--on", str(tmp_path / "scheduler.json")]) == 5
    said = capsys.readouterr()
    assert "scheduler.json is not like tcp://host:8786" in said.err.replace("\n", " ")
    assert IN_ADDRESS not in said.out + said.err
    assert not any(IN_ADDRESS.encode() in path.read_bytes() for path in run.rglob("*") if path.is_file())


def test_a_cell_that_fails_with_a_secret_in_its_error_stores_and_tells_none(
    add_study: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    declared = (
        "from netversus.records import Direction, Question, Scale\n"
        "from netversus.study import Cost, Study\n"
        "STUDY = Study(name='leaky', question='?', questions=(Question('x', '?', Scale.MEAN, Direction.HIGHER, '', 'n'),),"
        " cost=lambda options, work: Cost(seconds=1.0), default=False)\n"
    )
    told = f"https://{ADDRESSED}/a and https://host/b?signature={IN_ADDRESS} with {IN_ENVIRONMENT}"
    measured = f"def measure(bench):\n    yield from ()\n    raise OSError({told!r})\n"
    add_study("leaky", __init__=declared, measure=measured)
    run = tmp_path / "run"
    assert main(["compare", *TWO[:2], "--study", "leaky", "--out", str(run)]) == 5
    for suffix in ("html", "md", "json", "csv"):
        main(["report", str(run), "--out", str(run / f"again.{suffix}")])
    said = capsys.readouterr()
    assert "https://host/a and https://host/b with ***" in " ".join(said.out.split())
    stored = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    assert any(b"Traceback" in content for content in stored)
    for secret in (IN_ADDRESS, IN_ENVIRONMENT):
        assert secret not in said.out + said.err
        assert not any(secret.encode() in content for content in stored)


def test_workers_write_none_into_the_run_and_say_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    run = tmp_path / "run"
    assert main(["compare", *TWO, "--out", str(run), "--workers", "1"]) == 0
    said = capfd.readouterr()
    assert IN_ENVIRONMENT not in said.out + said.err
    assert not any(IN_ENVIRONMENT.encode() in path.read_bytes() for path in run.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("cannot reach tcp://127.0.0.1:8786", "cannot reach tcp://127.0.0.1:8786"),
        ("s3://bucket/run: not there", "s3://bucket/run: not there"),
        ("git clone https://me:word@host/x", "git clone https://host/x"),
        ("'https://me:word' is no name", "'https://me' is no name"),
        ("GET https://host/x?X-Amz-Signature=abc failed", "GET https://host/x failed"),
        ("really? yes", "really? yes"),
    ],
)
def test_what_is_no_secret_stays(text: str, clean: str):
    assert without_credentials(text) == clean
    assert str(DataError(text)) == clean


def test_a_short_value_of_the_environment_is_no_secret_to_be_struck_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SORT_KEY", "images")
    assert without_credentials("no images here") == "no images here"
    assert os.environ["SORT_KEY"] == "images"
