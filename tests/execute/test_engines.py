"""Whole runs on engines: chosen once, missing, or unable to take a network."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import netversus as nv
from netversus import api
from netversus.evidence import StudyEvidence
from netversus.exhibits import Table
from netversus.lab import running
from netversus.lab.engines import get_engine
from netversus.lab.engines.select import Choice, choose
from netversus.lab.engines.shown import engines_shown
from netversus.records import Done, Failed, Outcome, Skipped

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"
UNDECIDED = "py:stubborn_nets:undecided@scratch?engine=folded"
STUDIES = ("training", "accuracy", "speed")
QUICK = {
    "training": {"samples": 32, "rounds": 1, "curve_images": 20},
    "accuracy": {"images": 60},
    "speed": {"blocks": 2, "repetitions": 1, "warmup": 1, "batch": (4,), "stages": False},
}


def run(*contenders: str, out: Path, studies: tuple[str, ...] = STUDIES, **settings: object) -> nv.Run:
    return api.compare(*contenders, studies=studies, options={s: QUICK[s] for s in studies}, out=out, **settings)


def outcomes(done: nv.Run) -> dict[tuple[str, tuple[str, ...]], Outcome | None]:
    return {(cell.study, cell.contenders): done.store.outcome(cell) for cell in done.plan.cells}


def test_a_contender_that_its_engine_cannot_take_fails_and_the_others_are_measured(tmp_path: Path):
    folded = f"{NARROW}?engine=folded"
    done = run(folded, UNDECIDED, WIDE, out=tmp_path / "run")
    ended = outcomes(done)
    why = "folded cannot take this network: "
    for name in (folded, UNDECIDED, WIDE):
        assert isinstance(ended["training", (name,)], Done)
        outcome = ended["accuracy", (name,)]
        assert isinstance(outcome, Failed if name == UNDECIDED else Done)
        if isinstance(outcome, Failed):
            assert outcome.error.startswith(why)
            assert len(outcome.error.splitlines()) == 1
    shared = ended["speed", (folded, UNDECIDED, WIDE)]
    assert isinstance(shared, Failed)
    assert shared.error.startswith(f"{UNDECIDED}: {why}")
    assert shared.error.endswith("(the others are measured)")
    assert len(shared.error.splitlines()) == 1
    timed = StudyEvidence(done.store, done.plan, "speed")
    assert [card.name for card in timed.contenders] == [folded, WIDE]
    assert {(f.study, f.a, f.b) for f in done.findings if f.metric in ("top1", "latency")} >= {
        ("accuracy", folded, WIDE),
        ("speed", folded, WIDE),
    }


def test_a_contender_whose_engine_is_missing_is_skipped_before_it_is_trained_and_measured_once_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, lacking = tmp_path / "run", f"{NARROW}?engine=openvino"
    pytest.importorskip("openvino")
    with monkeypatch.context() as gone:
        gone.setitem(sys.modules, "openvino", None)  # type: ignore[arg-type]
        first = run(lacking, WIDE, NARROW, out=out)
    ended = outcomes(first)
    for (_, names), outcome in ended.items():
        assert isinstance(outcome, Skipped if names == (lacking,) else Done)
        if isinstance(outcome, Skipped):
            assert outcome.reason.startswith("the engine openvino cannot run here: it needs the package 'openvino'")
            assert "netversus[openvino]" in outcome.reason
    assert ("speed", (WIDE, NARROW)) in ended
    assert {(f.a, f.b) for f in first.findings} == {(WIDE, NARROW)}
    then = api.resume(out)
    assert all(isinstance(outcome, Done) for outcome in outcomes(then).values())
    assert ("speed", (lacking, WIDE, NARROW)) in outcomes(then)


def test_auto_chooses_once_for_every_study_and_seed_and_the_report_tells_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chosen: list[str] = []

    def choosing(*arguments: object, **settings: object) -> Choice:
        choice = choose(*arguments, **settings)  # type: ignore[arg-type]
        chosen.append(choice.engine)
        return choice

    monkeypatch.setattr(running, "choose", choosing)
    monkeypatch.setattr(running, "automatic_engines", lambda _: (get_engine("folded"), get_engine("channels-last")))
    done = run(NARROW, WIDE, out=tmp_path / "run", engine="auto", repeats=2)
    assert done.complete
    assert len(chosen) == 2
    for study in ("accuracy", "speed"):
        evidence = StudyEvidence(done.store, done.plan, study)
        engines = {
            (cell.seed, name): running.engine_in(stored.artifact(running.ENGINE_FILE, name) or b"")
            for cell, stored in evidence.cells
            for name in cell.contenders
        }
        assert len(engines) == (4 if study == "accuracy" else 2)
        assert {name: engine for (_, name), engine in engines.items()} == dict(zip((NARROW, WIDE), chosen, strict=True))
        (table,) = engines_shown(evidence)
        assert isinstance(table, Table)
        assert {row[0] for row in table.rows} == {NARROW, WIDE}
    settled = sorted(path.name for path in (done.path / "settled").iterdir())
    assert len(settled) == 2 * (1 + 2)  # of each contender: whatever its weights, and those of two seeds
