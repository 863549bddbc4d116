from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from netversus.errors import DataError, MissingExtraError, SpecError
from netversus.lab.data import open_data

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def quiet_cache(tmp_path, monkeypatch):
    """What `datasets` keeps stays inside the test, and it draws no bars."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")
    datasets.disable_progress_bars()


@pytest.fixture
def rows(encoded, noise):
    """Rows of a data set: number, class names in turn."""

    def make(count: int, start: int = 0) -> datasets.Dataset:
        return datasets.Dataset.from_dict(
            {
                "img": [{"bytes": encoded(noise(start + i)), "path": None} for i in range(count)],
                "label": [i % 2 for i in range(count)],
                "note": [f"row {i}" for i in range(count)],
            },
            features=datasets.Features(
                {
                    "img": datasets.Image(),
                    "label": datasets.ClassLabel(names=["tabby", "beagle"]),
                    "note": datasets.Value("string"),
                }
            ),
        )

    return make


def test_a_saved_data_set_with_splits_opens_with_its_labels_and_pixels(rows, tmp_path, noise):
    datasets.DatasetDict({"train": rows(8), "test": rows(4, start=50)}).save_to_disk(tmp_path / "pets")
    data = open_data(f"hf:{tmp_path / 'pets'}", strict=True)
    assert data.card.classes == ("tabby", "beagle")
    assert data.card.splits == {"train": 8, "test": 4}
    images = data.split("test")
    assert images.ids == ("test/000000", "test/000001", "test/000002", "test/000003")
    assert images.labels.tolist() == [0, 1, 0, 1]
    assert np.array_equal(np.asarray(images.image(2)), np.asarray(noise(52)))
    assert data.card.name == "pets"
    assert open_data(f"hf:{tmp_path / 'pets'}").card == data.card


def test_one_split_is_divided_by_the_seed(rows, tmp_path):
    rows(20).save_to_disk(tmp_path / "pets")
    data = open_data(f"hf:{tmp_path / 'pets'}?val=0.3", seed=2)
    assert data.card.splits == {"train": 14, "test": 6}
    assert "seed 2" in data.card.notes[0]
    assert open_data(f"hf:{tmp_path / 'pets'}").card.splits == {"train": 16, "test": 4}


def test_the_split_to_measure_on_can_be_told(rows, tmp_path):
    splits = {"train": rows(6), "validation": rows(4, 50), "test": rows(2, 90)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "pets")
    spec = f"hf:{tmp_path / 'pets'}"
    assert open_data(spec).card.splits == {"train": 6, "test": 2}
    assert open_data(f"{spec}?split=validation").card.splits == {"train": 6, "test": 4}
    assert open_data(f"{spec}?split=validation&val=1").card.splits == {"test": 4}
    assert "not used: test, train" in open_data(f"{spec}?split=validation&val=1").card.notes
    with pytest.raises(DataError, match="did you mean validation"):
        open_data(f"{spec}?split=validatoin")


def test_a_parquet_file_with_text_labels_and_plain_bytes_opens(tmp_path, encoded, noise):
    table = pa.table(
        {
            "image": [{"bytes": encoded(noise(i)), "path": f"{i}.png"} for i in range(10)],
            "label": ["cat" if i % 2 else "ape" for i in range(10)],
        }
    )
    pq.write_table(table, tmp_path / "pets.parquet")
    data = open_data(f"hf:{tmp_path / 'pets.parquet'}?val=1")
    assert data.card.classes == ("ape", "cat")
    assert data.split("test").labels.tolist() == [0, 1] * 5
    assert np.array_equal(np.asarray(data.split("test").image(3)), np.asarray(noise(3)))


def test_an_image_folder_opens_through_datasets_too(pets):
    data = open_data(f"hf:{pets}?val=1")
    assert data.card.classes == ("cat", "dog")
    images = data.split("test")
    original = np.asarray(Image.open(pets / "cat" / "03.png"))
    assert np.array_equal(np.asarray(images.image(3)), original)
    (pets / "cat" / "03.png").write_bytes((pets / "dog" / "15.png").read_bytes())
    with pytest.raises(DataError, match="changed"):
        images.image(3)


def test_bad_rows_are_named_and_stop_a_strict_run(tmp_path, encoded, noise):
    good = [{"bytes": encoded(noise(i)), "path": None} for i in range(6)]
    bad = [{"bytes": b"", "path": None}, {"bytes": b"no image", "path": None}, None, {"bytes": None, "path": "/no/x"}]
    labels = ["a", "b", "a", None, "b", "a", "a", "a", "b", "b"]
    pq.write_table(pa.table({"image": good + bad, "label": labels}), tmp_path / "x.parquet")
    data = open_data(f"hf:{tmp_path / 'x.parquet'}?val=1")
    assert data.card.splits == {"test": 5}
    skipped = {one.path: one.reason for one in data.card.skipped}
    assert list(skipped) == [f"train/{row:06d}" for row in (3, 6, 7, 8, 9)]
    reasons = list(skipped.values())
    assert reasons[:2] == ["no label", "empty file"]
    assert reasons[2].startswith("not an image")
    assert reasons[3:] == ["no image", "its file /no/x is missing"]
    with pytest.raises(DataError, match=r"5 files of x\.parquet cannot be used"):
        open_data(f"hf:{tmp_path / 'x.parquet'}", strict=True)


def test_columns_that_are_not_plain_must_be_told(tmp_path, encoded, noise):
    pictures = [{"bytes": encoded(noise(i)), "path": None} for i in range(4)]
    features = datasets.Features(
        {"before": datasets.Image(), "after": datasets.Image(), "grade": datasets.Value("int64")}
    )
    columns = {"before": pictures, "after": pictures[::-1], "grade": [3, 1, 3, 1]}
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(tmp_path / "x")
    spec = f"hf:{tmp_path / 'x'}?val=1"
    with pytest.raises(DataError, match="say image=COLUMN"):
        open_data(spec)
    with pytest.raises(DataError, match="say label=COLUMN"):
        open_data(f"{spec}&image=after")
    with pytest.raises(DataError, match="did you mean grade"):
        open_data(f"{spec}&image=after&label=grad")
    data = open_data(f"{spec}&image=after&label=grade")
    assert data.card.classes == ("1", "3")
    assert data.split("test").labels.tolist() == [1, 0, 1, 0]
    assert np.array_equal(np.asarray(data.split("test").image(0)), np.asarray(noise(3)))


def test_a_column_that_holds_no_images_is_refused(rows, tmp_path):
    rows(4).save_to_disk(tmp_path / "x")
    with pytest.raises(DataError, match="the column 'label' holds no images"):
        open_data(f"hf:{tmp_path / 'x'}?image=label&label=note")
    with pytest.raises(DataError, match="the column 'img' holds no classes"):
        open_data(f"hf:{tmp_path / 'x'}?label=img")


def test_a_hub_that_cannot_be_reached_gives_one_line_and_the_way_out(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("Couldn't reach 'someone/pets' on the Hub (LocalEntryNotFoundError)")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(DataError, match="the hub cannot be reached") as error:
        open_data("hf:someone/pets")
    assert "save_to_disk" in str(error.value)
    assert "\n" not in str(error.value)


def test_name_configuration_and_revision_reach_the_hub(rows, monkeypatch):
    asked = []

    def load(name, config, *, revision):
        asked.append((name, config, revision))
        return datasets.DatasetDict({"test": rows(4)})

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert open_data("hf:someone/pets?config=small&revision=abc&split=test").card.splits == {"test": 4}
    assert asked == [("someone/pets", "small", "abc")]


def test_what_is_no_data_set_gives_one_line(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "state.json").write_text("{")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "x.zip").write_bytes(b"x")
    for spec, said in (
        (f"hf:{tmp_path / 'x'}", "cannot load the data set"),
        (f"hf:{tmp_path / 'broken.parquet'}", "cannot load the data set"),
        (f"hf:{tmp_path / 'x.zip'}", "cannot tell the format"),
        ("hf:./nowhere", "there is no folder or file"),
    ):
        with pytest.raises(DataError, match=said) as error:
            open_data(spec)
        assert "\n" not in str(error.value)
    with pytest.raises(SpecError, match="needs a NAME_OR_PATH"):
        open_data("hf:")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"netversus\[hf\]"):
        open_data("hf:someone/pets")
