"""A data set that is not downloaded: its rows in any order, from the row groups of parquet files."""

from __future__ import annotations

import os
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netversus.errors import DataError, UnreadableError
from netversus.lab.data import hf_stream, open_data

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def quiet_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    datasets.disable_progress_bars()


@pytest.fixture
def pets(tmp_path, encoded, noise):
    """Two splits as the hub keeps them: 20 rows in two files to measure on, six rows a group."""
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    folder = tmp_path / "pets" / "data"
    folder.mkdir(parents=True)
    for name, start in (("train-00000-of-00001", 0), ("test-00000-of-00002", 100), ("test-00001-of-00002", 110)):
        rows = {
            "img": [{"bytes": encoded(noise(start + i)), "path": None} for i in range(10)],
            "label": [i % 2 for i in range(10)],
        }
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / f"{name}.parquet", batch_size=6)
    return folder.parent


def test_rows_are_the_same_units_as_without_streaming(pets, noise):
    data, whole = open_data(f"hf:{pets}?streaming=true"), open_data(f"hf:{pets}")
    assert data.card.splits == whole.card.splits == {"train": 10, "test": 20}
    assert data.card.classes == whole.card.classes
    images, others = data.split("test"), whole.split("test")
    assert images.ids == others.ids
    assert images.labels.tolist() == others.labels.tolist()
    for row in (19, 0, 7, 10):
        assert np.array_equal(np.asarray(images.image(row)), np.asarray(noise(100 + row)))
    assert not images.checked
    assert any("row groups of up to 6 rows" in note for note in data.card.notes)
    assert any("not pixels" in note for note in data.card.notes)
    assert open_data(f"hf:{pets}?streaming=true").card == data.card


def test_opening_reads_labels_and_footers_and_no_image(pets, monkeypatch):
    asked: list[tuple[str, ...]] = []
    read, group = pq.ParquetFile.read, pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read", lambda self, **k: asked.append(tuple(k["columns"])) or read(self, **k))
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda self, i, **k: asked.append((*k["columns"], i)) or group(self, i, **k)
    )
    images = open_data(f"hf:{pets}?streaming=true").split("test")
    assert set(asked) == {("label",)}
    asked.clear()
    for row in (0, 5, 3, 6, 0):
        images.image(row)
    assert asked == [("img", 0), ("img", 1)]


def test_what_is_held_is_bounded_and_the_group_in_use_stays(pets, monkeypatch):
    monkeypatch.setattr(hf_stream, "HELD_BYTES", 1)
    read: list[int] = []
    monkeypatch.setattr(
        hf_stream.Cells, "_read", lambda self, place, f=hf_stream.Cells._read: read.append(place) or f(self, place)
    )
    images = open_data(f"hf:{pets}?streaming=true").split("test")
    for row in (0, 1, 12, 13, 0):
        images.image(row)
    assert read == [0, 2, 0]


def test_a_group_that_many_threads_want_is_read_once(pets, monkeypatch):
    read: list[int] = []
    monkeypatch.setattr(
        hf_stream.Cells, "_read", lambda self, place, f=hf_stream.Cells._read: read.append(place) or f(self, place)
    )
    images = open_data(f"hf:{pets}?streaming=true").split("test")
    threads = [threading.Thread(target=images.image, args=(row,)) for row in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [0]


def test_the_digest_tells_another_file_though_pixels_are_not_read(pets, encoded, noise):
    before = open_data(f"hf:{pets}?streaming=true").card.digest
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"img": [{"bytes": encoded(noise(i)) + b"x", "path": None} for i in range(10)], "label": [0, 1] * 5}
    datasets.Dataset.from_dict(rows, features=features).to_parquet(pets / "data" / "test-00000-of-00002.parquet")
    assert open_data(f"hf:{pets}?streaming=true").card.digest != before


def test_what_tells_of_change_are_the_files_themselves_for_the_digest_knows_footers_alone(pets):
    files = sorted((pets / "data").iterdir())
    assert open_data(f"hf:{pets}").split("test").trace == ""
    assert open_data(f"hf:{pets}?streaming=true").split("test").trace is None  # written a moment ago
    traces, digests = [], []
    for stamp in (10**18, 11 * 10**17):
        for file in files:
            os.utime(file, ns=(stamp, stamp))
        data = open_data(f"hf:{pets}?streaming=true")
        traces.append(data.split("test").trace)
        digests.append(data.card.digest)
    assert digests[0] == digests[1]
    assert None not in traces
    assert traces[0] != traces[1]


def test_bad_rows_are_named_when_they_are_read_and_a_missing_label_at_once(tmp_path, encoded, noise):
    pictures = [{"bytes": encoded(noise(i)), "path": "x.png"} for i in range(4)]
    pictures[1]["bytes"] = b"no image"
    pictures[2] = {"bytes": None, "path": "/etc/passwd"}
    pq.write_table(pa.table({"image": pictures, "label": ["a", "b", "a", None]}), tmp_path / "x.parquet")
    spec = f"hf:{tmp_path / 'x.parquet'}?streaming=true&val=1"
    data = open_data(spec)
    assert [(one.path, one.reason) for one in data.card.skipped] == [("data/000003", "no label")]
    images = data.split("test")
    images.image(0)
    with pytest.raises(UnreadableError, match="data/000001: not an image"):
        images.image(1)
    with pytest.raises(UnreadableError, match="data/000002: its bytes are not in the table"):
        images.image(2)
    with pytest.raises(DataError, match=r"1 file of x\.parquet cannot be used, first data/000003"):
        open_data(spec, strict=True)


def test_what_cannot_be_read_in_the_recorded_shuffle_is_refused_with_the_way_out(tmp_path, encoded, noise, pets):
    folder = tmp_path / "folder"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        (folder / label / "1.png").write_bytes(encoded(noise(1)))
    with pytest.raises(DataError, match="only parquet files can be read in the recorded shuffle") as error:
        open_data(f"hf:{folder}?streaming=true")
    assert "\n" not in str(error.value)
    (pets / "data" / "test-00001-of-00002.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"cannot read .*test-00001"):
        open_data(f"hf:{pets}?streaming=true")


def test_a_hub_that_cannot_be_reached_gives_one_line(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("Couldn't reach 'someone/pets' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset_builder", refuse)
    with pytest.raises(DataError, match="the hub cannot be reached") as error:
        open_data("hf:someone/pets?streaming=true")
    assert "\n" not in str(error.value)
