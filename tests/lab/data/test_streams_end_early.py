"""A test that may stop early ends the reading of a set that lies elsewhere, on a true random sample of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netversus import api
from netversus.cli.__main__ import main
from netversus.errors import OptionError
from netversus.lab.data import open_data
from netversus.records import Verdict
from netversus.statistics.order import recorded_shuffle
from netversus.study import LEFT_OUT

from .test_shards import Members, Served, write_tar

IMAGES, A_SHARD = 768, 128
CONTENDERS = ("py:tell:right?crop=16", "py:tell:wrong?crop=16")
STUDY = {"studies": ["accuracy"], "stop_when_decided": True, "options": {"accuracy": {"exact": True, "cache": False}}}
NETS = """
import torch
from torch import nn


class Told(nn.Module):
    '''Tells the class that is written in the picture's colour, or always the same.'''

    def __init__(self, knows, num_classes):
        super().__init__()
        self.knows, self.classes = knows, num_classes
        self.any = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        told = (x.mean((1, 2, 3)) > 0).long() if self.knows else torch.zeros(len(x), dtype=torch.long)
        return torch.nn.functional.one_hot(told, self.classes).float()


def right(num_classes=2):
    return Told(True, num_classes)


def wrong(num_classes=2):
    return Told(False, num_classes)
"""


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Contenders that answer without training, which the plan would refuse."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "tell.py").write_text(NETS)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))


def picture(number: int) -> bytes:
    """A picture whose colour tells its class, of several kilobytes, as an image is."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 60, (40, 40, 3), dtype=np.uint8) + np.uint8(190 * label(number))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def label(number: int) -> int:
    """Sorted by class, as sets are made: the first shards hold nothing but one of them."""
    return int(number >= IMAGES / 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for shard in range(IMAGES // A_SHARD):
        members: Members = []
        for number in range(A_SHARD * shard, A_SHARD * (shard + 1)):
            members += [(f"{number:05d}.png", picture(number)), (f"{number:05d}.cls", str(label(number)).encode())]
        write_tar(folder / f"{shard}.tar", members)
    return folder


@pytest.fixture(scope="module")
def server(made: Path) -> Iterator[Served]:
    pytest.importorskip("aiohttp")
    opened = Served(made)
    yield opened
    opened.close()


@pytest.fixture
def served(server: Served, made: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """The shards, with one memory of their headers for all tests: they take their time."""
    monkeypatch.setenv("NETVERSUS_CACHE", str(made.parent / f"{made.name}-cache"))
    return server


def spec(served: Served) -> str:
    return f"webdataset:{served.address}/{{0..5}}.tar?val=1"


def size(made: Path) -> int:
    return sum(path.stat().st_size for path in made.iterdir())


def test_the_stream_ends_with_the_verdict_and_what_was_read_is_a_random_sample(untrained, served, made, tmp_path):
    images = open_data(spec(served)).split("test")
    opened = served.bytes
    assert opened < size(made) * 0.75  # headers and labels; with images of 100 kB it would be a thirtieth
    run = api.compare(*CONTENDERS, data=spec(served), out=tmp_path / "early", **STUDY)
    early = served.bytes - opened
    finding = next(f for f in run.findings if f.metric == "top1")
    assert finding.verdict is Verdict.A_BETTER
    assert finding.n <= 128
    assert finding.available == IMAGES
    (cell, *_) = run.plan.cells
    read = run.store.cell(cell).observations()[cell.contenders[0], "top1"].units
    assert list(read) == [images.ids[i] for i in recorded_shuffle(IMAGES, 0)[: len(read)]]
    assert len({unit.partition("/")[0] for unit in read}) == IMAGES // A_SHARD
    before = served.bytes
    whole = api.compare(*CONTENDERS, data=spec(served), out=tmp_path / "whole", **STUDY | {"stop_when_decided": False})
    assert next(f for f in whole.findings if f.metric == "top1" and not f.slice).n == IMAGES
    all_of_them = served.bytes - before
    # Some batches were under way when the verdict came.
    assert early <= all_of_them * (len(read) + 4 * 64) / IMAGES * 1.1


def test_an_interrupted_stream_goes_on_and_ends_at_the_same_image(untrained, served, tmp_path, monkeypatch):
    from netversus.execute import inprocess

    whole = api.compare(*CONTENDERS, data=spec(served), out=tmp_path / "whole", **STUDY)
    take, taken = inprocess._take, 0

    def interrupted(*arguments) -> None:
        nonlocal taken
        taken += 1
        take(*arguments)
        if taken == 9:
            raise KeyboardInterrupt

    monkeypatch.setattr(inprocess, "_take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        api.compare(*CONTENDERS, data=spec(served), out=tmp_path / "run", **STUDY)
    assert api.resume(tmp_path / "run").findings == whole.findings


def test_unreadable_images_are_left_out_for_all_named_and_cost_the_verdict_nothing(
    untrained, made, tmp_path, capsys: pytest.CaptureFixture[str]
):
    folder, bad = tmp_path / "torn", {int(i) for i in recorded_shuffle(IMAGES, 0)[[1, 30, 70]]}
    for shard in range(IMAGES // A_SHARD):
        members: Members = []
        for number in range(A_SHARD * shard, A_SHARD * (shard + 1)):
            content = picture(number)
            content = content[:2000] if number in bad else content
            members += [(f"{number:05d}.png", content), (f"{number:05d}.cls", str(label(number)).encode())]
        write_tar(folder / f"{shard}.tar", members)
    data = f"webdataset:{folder}?val=1&check=headers"
    run = api.compare(*CONTENDERS, data=data, out=tmp_path / "run", **STUDY)
    finding = next(f for f in run.findings if f.metric == "top1")
    assert finding.verdict is Verdict.A_BETTER
    (cell, other) = run.plan.cells
    for each in (cell, other):
        told = json.loads(run.store.cell(each).artifact(LEFT_OUT, each.contenders[0]) or b"{}")
        assert 2 <= len(told) <= 3
        assert all("cannot be decoded" in reason for reason in told.values())
    ids = open_data(data).split("test").ids
    read = run.store.cell(cell).observations()[cell.contenders[0], "top1"].units
    assert not {ids[i] for i in bad} & set(read)
    report = (run.report(tmp_path / "report.md"), (tmp_path / "report.md").read_text())[1]
    assert "images could not be read and were left out for every contender" in report
    words = [
        "compare",
        *CONTENDERS,
        "--study",
        "accuracy",
        "--data",
        data,
        "--strict",
        "--out",
        str(tmp_path / "strict"),
    ]
    assert main(words) == 5
    assert "cannot be decoded" in capsys.readouterr().out


def test_a_verdict_about_exactly_a_set_of_unknown_size_is_refused_before_any_work(untrained, served, tmp_path):
    with pytest.raises(OptionError, match="nobody knows how many of its images can be read"):
        api.compare(*CONTENDERS, data=spec(served), out=tmp_path / "run", stop_about="benchmark", **STUDY)
    assert not (tmp_path / "run").exists()


def test_rows_of_a_streamed_data_set_are_read_until_the_verdict(untrained, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    from netversus.lab.data import hf_stream

    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["dark", "light"])})
    rows = {
        "image": [{"bytes": picture(i), "path": None} for i in range(IMAGES)],
        "label": [label(i) for i in range(IMAGES)],
    }
    (tmp_path / "set").mkdir()
    table = datasets.Dataset.from_dict(rows, features=features)
    table.to_parquet(tmp_path / "set" / "test-00000-of-00001.parquet", batch_size=1)
    read: list[int] = []
    monkeypatch.setattr(
        hf_stream.Cells, "_read", lambda self, place, f=hf_stream.Cells._read: read.append(place) or f(self, place)
    )
    settings = STUDY | {"options": {"accuracy": {"batch": 16}}}
    run = api.compare(*CONTENDERS, data=f"hf:{tmp_path / 'set'}?streaming=true&val=1", out=tmp_path / "run", **settings)
    finding = next(f for f in run.findings if f.metric == "top1")
    assert (finding.verdict, finding.available) == (Verdict.A_BETTER, IMAGES)
    assert finding.n <= 128
    assert len(read) <= finding.n + 4 * 16 < IMAGES / 3
