"""`netversus compare`, from its arguments to its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from netversus.api import open_run
from netversus.cli.compare import parse_margins
from netversus.records import Direction, Question, Scale
from netversus.store import RunStore

from .conftest import QUICK, TINY


def test_a_comparison_ends_with_verdicts_and_a_report(netversus, tmp_path: Path):
    ended = netversus("compare", *TINY, *QUICK, "--out", "run")
    assert ended.code == 0, ended.err
    for word in ("planned: 4 cells", "Verdicts", "top1", "report: run/report.html"):
        assert word in ended.out
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert len(page) < 2_000_000


def test_without_out_the_run_lies_under_runs(netversus, tmp_path: Path):
    assert netversus("compare", *TINY, *QUICK).code == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "report.html").is_file()


def test_a_dry_run_prints_time_memory_and_disk_and_writes_nothing(netversus, tmp_path: Path):
    ended = netversus("compare", "resnet50", "resnet101", "--dry-run", "--budget", "6m")
    assert ended.code == 0
    for word in ("contender  resnet50", "training", "accuracy", "in all", "memory", "disk"):
        assert word in ended.out
    assert list(tmp_path.iterdir()) == []


def test_the_example_of_backbones_at_work_can_be_run_whole(netversus, repository: Path):
    ended = netversus("compare", "--config", str(repository / "examples" / "at_work.toml"), "--dry-run")
    assert ended.code == 0, ended.err
    for study in ("detection", "tracking", "recognition", "similarity", "generation"):
        assert study in ended.out
    assert "not run" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resnet5O", "resnet101"), "did you mean resnet50"),
        (("resnet50", "resnet50"), "resnet50 was named twice"),
        (("resnet50",), "at least 2"),
        (("--data", "digit"), "did you mean digits"),
        (("--data", "nowhere/at/all"), "nowhere/at/all"),
        (("--study", "acuracy"), "did you mean accuracy"),
        (("--accuracy.image", "3"), "did you mean images"),
        (("--acuracy.images", "3"), "did you mean accuracy"),
        (("--accuracy.images",), "needs a value"),
        (("--accuracy.images", "many"), "study accuracy: images"),
        (("--margin", "accuracy.top1"), "must be study.metric=amount"),
        (("--margin", "accuracy.top2=0.1"), "accuracy.top1"),
        (("--margin", "accuracy.top1=5"), "write 0.05 or 5%"),
        (("--margin", "accuracy.top1=-1%"), "a margin is not negative"),
        (("--margin", "speed.latency=20ms"), "alone or with %, got the unit 'ms'"),
        (("--budget", "soon"), "such as 90s"),
        (("--device", "gpu"), "auto, cpu, cuda"),
        (("--config", "absent.toml"), "cannot read the configuration absent.toml"),
        (("--resume", "absent"), "absent is not a run folder"),
        (("--resume", "run", "--data", "scenes", "--margin", "accuracy.top1=1%"), "takes no --data, --margin"),
        (("--resume", "run", "--accuracy.images", "9", "--out", "more"), "takes no --out, --accuracy.images"),
        (("resnet18", "--resume", "run"), "takes no contenders"),
        (("--level", "95"), "level"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(netversus, tmp_path: Path, arguments: tuple[str, ...], said: str):
    ended = netversus("compare", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.startswith("netversus: ")
    assert ended.err.count("\n") == 1
    assert not list(tmp_path.glob("runs/*/cells"))


def test_the_run_folder_cannot_be_something_else(netversus, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    ended = netversus("compare", *TINY, *QUICK, "--out", "mine")
    assert ended.code == 2
    assert "is not a run folder" in ended.err
    assert [f.name for f in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_written_is_said_at_once(netversus, tmp_path: Path):
    (tmp_path / "file").touch()
    ended = netversus("compare", *TINY, *QUICK, "--out", "file/run")
    assert ended.code == 2
    assert "cannot write the run folder file/run" in ended.err


def test_flags_win_over_the_configuration_file(netversus, tmp_path: Path):
    (tmp_path / "nv.toml").write_text(
        f'contenders = {json.dumps(TINY)}\nstudies = ["training"]\nlevel = 0.9\n'
        "[options.training]\nsamples = 64\nrounds = 1\ncurve_images = 20\n"
    )
    assert netversus("compare", "--config", "nv.toml", "--out", "run", "--training.rounds", "2").code == 0
    plan = RunStore.open(tmp_path / "run").plan()
    assert plan.request.level == 0.9
    assert {cell.options["rounds"] for cell in plan.cells} == {2}
    assert {cell.options["samples"] for cell in plan.cells} == {64}


BROKEN = """
from netversus.records import Observations


def measure(bench):
    for card in bench.contenders:
        if card.name.endswith("wide@scratch"):
            {trouble}
        yield Observations(card.name, "value", ("one",), (1.0,))
"""
DECLARED = """
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Study

STUDY = Study(
    name="broken",
    question="?",
    questions=(Question("value", "What?", Scale.FACT, Direction.NEITHER, "", "contender"),),
    cost=lambda options, work: Cost(seconds=1.0),
    default=False,
)
"""


def test_a_failed_cell_is_reported_and_ends_with_5(netversus, add_study, tmp_path: Path):
    add_study("broken", __init__=DECLARED, measure=BROKEN.format(trouble="raise RuntimeError('it <b>broke</b>')"))
    ended = netversus("compare", *TINY, "--study", "broken", "--out", "run")
    assert ended.code == 5
    assert "FAILED" in ended.out
    assert "--resume run" in ended.out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "it &lt;b&gt;broke&lt;/b&gt;" in page


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(netversus, add_study, tmp_path: Path):
    mended = tmp_path / "mended"
    trouble = f"import pathlib; exec('raise KeyboardInterrupt' if not pathlib.Path({str(mended)!r}).exists() else '')"
    add_study("broken", __init__=DECLARED, measure=BROKEN.format(trouble=trouble))
    ended = netversus("compare", *TINY, "--study", "broken", "--out", "run")
    assert ended.code == 130
    assert "go on with: netversus compare --resume run" in ended.out
    mended.touch()
    assert netversus("compare", "--resume", "run").code == 0


def test_resuming_a_finished_run_measures_nothing(netversus, quick_run: Path):
    before = {f: f.stat().st_mtime_ns for f in quick_run.glob("cells/*/*")}
    ended = netversus("compare", "--resume", str(quick_run))
    assert ended.code == 0
    assert {f: f.stat().st_mtime_ns for f in quick_run.glob("cells/*/*")} == before


def test_a_third_contender_is_added_to_what_is_there(netversus, quick_run: Path):
    before = {f: f.stat().st_mtime_ns for f in quick_run.glob("cells/*/*.parquet")}
    ended = netversus("compare", *TINY, "py:tiny_nets:middling@scratch", *QUICK, "--out", str(quick_run))
    assert ended.code == 0
    after = {f: f.stat().st_mtime_ns for f in quick_run.glob("cells/*/*.parquet")}
    assert before.items() < after.items()
    assert len(list(quick_run.glob("cells/*"))) == 6
    assert {(f.a, f.b) for f in open_run(quick_run).findings if f.metric == "top1"} == {
        (TINY[0], TINY[1]),
        (TINY[0], "py:tiny_nets:middling@scratch"),
        (TINY[1], "py:tiny_nets:middling@scratch"),
    }


def test_stopping_when_decided_is_asked_from_the_command_line(netversus, tmp_path: Path):
    asked = ("--stop-when-decided", "--stop-about", "benchmark", "--stop-prior", "10", "--baseline", TINY[0])
    ended = netversus("compare", *TINY, *QUICK, *asked, "--margin", "accuracy.top1=0.9", "--out", "run")
    assert ended.code == 0, ended.err
    plan = RunStore.open(tmp_path / "run").plan()
    assert (plan.request.stop_about, plan.request.stop_prior, plan.baseline) == ("benchmark", 10, TINY[0])
    assert "accuracy: decided after 64 of 120 images" in ended.out
    finding = next(f for f in open_run("run").findings if f.metric == "top1")
    assert (finding.verdict, finding.n, finding.available) == ("equivalent", 64, 120)


@pytest.mark.parametrize(
    ("pair", "margin"),
    [
        ("accuracy.top1=1%", 0.01),
        ("accuracy.top1=0.5 points", 0.005),
        ("accuracy.top1=0.02", 0.02),
        ("accuracy.ece=3%", 0.03),
        ("accuracy.nll=0.1 nats", 0.1),
        ("speed.latency=5%", 0.05),
        ("speed.latency=0.05", 0.05),
        ("speed.memory=5MiB", 5 * 2**20),
    ],
)
def test_a_margin_is_an_amount_as_people_write_it(pair: str, margin: float):
    assert parse_margins([pair]) == {pair.partition("=")[0]: pytest.approx(margin)}


def test_a_margin_in_time_is_one_of_seconds(monkeypatch):
    wait = Question("wait", "Who waits longer?", Scale.MEAN, Direction.LOWER, "s", "image")
    study = SimpleNamespace(name="queue", questions=(wait,))
    monkeypatch.setattr("netversus.cli.compare.find_studies", lambda: {"queue": study})
    assert parse_margins(["queue.wait=20ms"]) == {"queue.wait": pytest.approx(0.02)}


def test_changed_data_are_not_mixed_into_a_run(netversus, tmp_path: Path, repository: Path):
    assert netversus("export-data", "digits", "images", "--format", "folder").code == 0
    quick = ("compare", *TINY, *QUICK, "--data", "images", "--out", "run")
    assert netversus(*quick).code == 0
    victim = next((tmp_path / "images").rglob("*.png"))
    victim.unlink()
    ended = netversus("compare", "--resume", "run")
    assert ended.code == 2
    assert "changed since the run was planned" in ended.err
