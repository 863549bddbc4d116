"""The engine of a contender is chosen once for all of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lone_bench import lone_bench
from netversus.lab import running
from netversus.lab.bench import Bench
from netversus.lab.engines import get_engine
from netversus.lab.engines.select import Choice, choose, confirm
from netversus.lab.running import ENGINE_FILE, engine_in
from netversus.study import Options

NARROW = "py:tiny_nets:narrow@scratch"
Settled = dict[str, bytes]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked for: "choose" or "confirm". Two engines are to be had, and "folded" is the faster."""
    words: list[str] = []

    def choosing(*arguments: object, **settings: object) -> Choice:
        words.append("choose")
        return choose(*arguments, **settings)  # type: ignore[arg-type]

    def confirming(*arguments: object, **settings: object) -> Choice:
        words.append("confirm")
        return confirm(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "choose", choosing)
    monkeypatch.setattr(running, "confirm", confirming)
    monkeypatch.setattr(running, "automatic_engines", lambda _: (get_engine("folded"), get_engine("channels-last")))
    seconds = {"folded": 1.0, "channels-last": 2.0, "eager": 3.0}
    monkeypatch.setattr("netversus.lab.engines.select._timed", lambda prepared, _: seconds[prepared.engine])
    return words


@pytest.fixture
def cell(tmp_path: Path) -> Callable[..., Bench]:
    """A cell of a run, as another study, seed or process has it: its own artifacts, what the run settled, weights."""

    def make(settled: Settled, engine: str = "auto", weights: Path | None = None, kept: dict | None = None) -> Bench:
        bench = lone_bench(Options(), tmp_path, contenders=[NARROW], data="digits", kept={} if kept is None else kept)
        card = replace(bench.contenders[0], engine=engine)
        return replace(
            bench,
            contenders=[card],
            settle=settled.setdefault,
            settled=settled.get,
            weights={card.name: weights} if weights else {},
        )

    return make


def weights_of(cell: Callable[..., Bench], path: Path, factor: float = 1.0) -> Path:
    """A file of weights, as training leaves it."""
    bench = cell({})
    model = bench.model(bench.contenders[0])
    save_file({name: factor * tensor.float() for name, tensor in model.state_dict().items()}, path)
    return path


def on_engine(bench: Bench) -> str:
    return str(bench.ready(bench.contenders[0]).engine)


def record(bench: Bench) -> dict:
    return json.loads(bench.kept(NARROW, ENGINE_FILE) or b"{}")


def test_every_cell_runs_what_the_first_one_chose_and_tells_of_it(cell: Callable[..., Bench], asked: list[str]):
    settled: Settled = {}
    first, second = cell(settled), cell(settled)
    assert [on_engine(first), on_engine(second)] == ["folded", "folded"]
    assert asked == ["choose"]
    assert record(first) == record(second)
    assert [each["engine"] for each in record(second)["candidates"]] == ["folded", "channels-last", "eager"]


def test_a_cell_that_was_interrupted_stays_on_its_engine_whatever_the_run_settled_since(
    cell: Callable[..., Bench], asked: list[str]
):
    settled: Settled = {}
    on_engine(cell(settled))
    before = {(NARROW, ENGINE_FILE): json.dumps({"engine": "channels-last", "candidates": []}).encode()}
    assert on_engine(cell(settled, kept=before)) == "channels-last"


def test_who_was_second_goes_by_what_the_first_settled(cell: Callable[..., Bench], asked: list[str]):
    """Two workers choose at the same moment: both find nothing settled, and one of them writes first."""
    theirs = json.dumps({"engine": "channels-last", "candidates": [{"engine": "eager", "seconds": 1.0}]}).encode()
    bench = replace(cell({}), settle=lambda _name, _content: theirs)
    assert on_engine(bench) == "channels-last"
    assert record(bench)["engine"] == "channels-last"


def test_other_weights_are_compared_anew_and_not_timed_anew(
    cell: Callable[..., Bench], asked: list[str], tmp_path: Path
):
    settled: Settled = {}
    one, two = (weights_of(cell, tmp_path / f"{number}.safetensors", number) for number in (1.0, 1.5))
    benches = [cell(settled, weights=path) for path in (one, two, one, two)]
    assert {on_engine(bench) for bench in benches} == {"folded"}
    assert asked == ["choose", "confirm"]
    assert record(benches[0]) == record(benches[2]) != record(benches[1]) == record(benches[3])
    (looked_at,) = [each for each in record(benches[1])["candidates"] if each["engine"] == "folded"]
    assert looked_at["seconds"] == 1.0
    assert looked_at["why"] == "chosen on other weights; agrees with fp32 on these too"
    assert looked_at["judged"] == 96


def test_a_study_that_does_without_the_trained_weights_runs_what_was_chosen_on_them(
    cell: Callable[..., Bench], asked: list[str], tmp_path: Path
):
    settled: Settled = {}
    on_engine(cell(settled, weights=weights_of(cell, tmp_path / "w.safetensors")))
    timed = cell(settled)
    assert on_engine(timed) == "folded"
    assert asked == ["choose"]
    assert record(timed)["engine"] == "folded"


def test_another_contender_or_device_or_other_data_choose_for_themselves(cell: Callable[..., Bench], asked: list[str]):
    settled: Settled = {}
    on_engine(cell(settled))
    other = cell(settled)
    other.contenders = [replace(other.contenders[0], digest="another")]
    on_engine(other)
    moved = cell(settled)
    moved.data = replace(moved.data, card=replace(moved.data.card, digest="others"))
    on_engine(moved)
    assert asked == ["choose"] * 3
    assert len(settled) == 3


def test_an_engine_that_was_asked_for_is_compared_once_with_the_same_weights(
    cell: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
):
    judged: list[str] = []
    judge = running.judge
    monkeypatch.setattr(running, "judge", lambda *a, **k: (judged.append("once"), judge(*a, **k))[1])
    settled: Settled = {}
    benches = [cell(settled, engine="folded") for _ in range(2)]
    assert [on_engine(bench) for bench in benches] == ["folded", "folded"]
    assert judged == ["once"]
    assert engine_in(benches[1].kept(NARROW, ENGINE_FILE)) == "folded"
    images = torch.rand(3, 3, 32, 32)
    assert torch.equal(*(bench.ready(bench.contenders[0])(images) for bench in benches))
