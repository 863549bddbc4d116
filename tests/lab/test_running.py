"""A contender on its engine: whoever prepares it, from whatever record, prepares the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from made_images import photos
from netversus.lab import running
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.lab.engines import get_engine
from netversus.lab.running import engine_in, on_engine, on_its_engine, own_images
from netversus.lab.timing.kept import Kept
from netversus.records import Artifact, ContenderCard, Preprocessing
from netversus.studies.speed import SpeedOptions
from netversus.studies.speed.child import JOB, Job
from netversus.studies.speed.step import Step

CPU = torch.device("cpu")
ENGINES = ("onnxruntime-int8", "openvino-int8", "fused")
COUNT = 40  # a quarter of them is less than a quarter of the 128 that are asked for at most


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A folder of 40 photographs to train on, and two to judge on."""
    folder = tmp_path_factory.mktemp("photos")
    made = photos(COUNT + 2)
    for number, content in enumerate(made.contents):
        place = folder / ("train" if number < COUNT else "test") / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:02d}.jpg").write_bytes(content)
    return open_data(str(folder))


@pytest.fixture(scope="module")
def card(data: Dataset) -> ContenderCard:
    made = resolve("py:tiny_nets:narrow@scratch", data.card)
    return replace(made, preprocessing=Preprocessing(crop=32, resize=32))


def network(card: ContenderCard, data: Dataset) -> nn.Module:
    return load(card, classes=len(data.card.classes), seed=0).eval()


@pytest.fixture(scope="module")
def first(card: ContenderCard, data: Dataset) -> Callable[[str], Tensor]:
    """What a contender on an engine answers where it is run for the first time, from one process on."""
    images = own_images(card, data)

    @cache
    def answers(name: str) -> Tensor:
        if reason := get_engine(name).missing("cpu"):
            pytest.skip(reason)
        asked = replace(card, engine=name)
        prepared, record = on_its_engine(network(card, data), asked, data, CPU)
        assert engine_in(record) == name
        return prepared(images)

    return answers


@pytest.mark.parametrize("name", ENGINES)
def test_an_interrupted_cell_goes_on_with_the_same_network_bit_for_bit(
    name: str, first: Callable[[str], Tensor], card: ContenderCard, data: Dataset
):
    assert data.card.splits["train"] == COUNT
    expected = first(name)
    again = on_engine(network(card, data), card, data, CPU, name)
    assert torch.equal(again(own_images(card, data)), expected)


IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import torch
from netversus.lab.running import own_images
from netversus.studies.speed.child import JOB, _bench
file, out = map(Path, sys.argv[1:])
bench = _bench(JOB.validate_json(file.read_bytes()))
torch.save([bench.ready(card)(own_images(card, bench.data)) for card in bench.contenders], out)
"""


def test_a_fresh_process_of_the_speed_study_runs_the_same_networks_bit_for_bit(
    first: Callable[[str], Tensor], card: ContenderCard, data: Dataset, tmp_path: Path
):
    expected = [first(name) for name in ENGINES]
    cards = [replace(card, engine=name, name=name) for name in ENGINES]
    options = SpeedOptions().model_dump(mode="json")
    job = Job(tuple(cards), data.card, options, 0, "cpu", {}, folder=tmp_path, parent=0)
    file, out = tmp_path / "job.json", tmp_path / "answers.pt"
    file.write_bytes(JOB.dump_json(job))
    for name in ENGINES:  # as the process that waits for this one leaves it
        record = json.dumps({"engine": name, "candidates": []}).encode()
        Kept(tmp_path, Step).put_artifact(Artifact(running.ENGINE_FILE, record, name))
    run = [sys.executable, "-c", IN_ANOTHER_PROCESS, str(file), str(out)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(run, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    for name, found, wanted in zip(ENGINES, torch.load(out), expected, strict=True):
        assert torch.equal(found, wanted), name


@pytest.mark.parametrize("count", [1, 3])
def test_a_handful_of_images_is_too_few_to_compare_on_and_enough_to_run(count: int, card: ContenderCard, data: Dataset):
    few = Dataset(data.card, {"train": photos(count)})
    asked = replace(card, engine="onnxruntime-int8")
    if reason := get_engine(asked.engine).missing("cpu"):
        pytest.skip(reason)
    prepared, record = on_its_engine(network(card, data), asked, few, CPU)
    assert json.loads(record)["candidates"] == [{"engine": asked.engine, "compile_seconds": prepared.compile_seconds}]
    again = on_engine(network(card, data), card, few, CPU, asked.engine)
    images = own_images(card, data)
    assert torch.equal(prepared(images), again(images))


@pytest.mark.parametrize(("side", "chunk"), [(32, 64), (128, 32), (224, 8)])
def test_auto_times_with_as_many_images_at_once_as_are_shown(
    side: int, chunk: int, card: ContenderCard, data: Dataset, monkeypatch: pytest.MonkeyPatch
):
    asked: list[int] = []

    def choose(*_: object, batch: int, **__: object) -> SimpleNamespace:
        asked.append(batch)
        return SimpleNamespace(prepared=None)

    monkeypatch.setattr(running, "choose", choose)
    monkeypatch.setattr(running, "_record", lambda _: b"{}")
    sized = replace(card, engine="auto", preprocessing=Preprocessing(crop=side, resize=None))
    on_its_engine(nn.Identity(), sized, data, CPU)
    assert asked == [chunk]
