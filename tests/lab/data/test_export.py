from __future__ import annotations

import configparser
import csv
import json
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from PIL import Image

from netversus.errors import DataError, OptionError, SpecError
from netversus.lab.data import open_data
from netversus.lab.data.export import export
from netversus.lab.data.export.coco import run_lengths
from netversus.lab.data.scenes import CLASSES, open_frames, open_sequences


def test_a_folder_that_was_written_opens_with_the_same_labels_and_pixels(tmp_path):
    data = open_data("scenes?train=16&test=8", seed=3)
    assert export(data, tmp_path / "out") == 24
    again = open_data(str(tmp_path / "out"), strict=True)
    assert again.card.classes == data.card.classes
    with (tmp_path / "out" / "manifest.csv").open(newline="") as file:
        origin = {row["file"]: row for row in csv.DictReader(file)}
    for split in ("train", "test"):
        before, after = data.split(split), again.split(split)
        assert len(after) == len(before)
        for index, name in enumerate(after.ids):
            place = before.ids.index(origin[name]["id"])
            assert before.labels[place] == after.labels[index]
            assert np.array_equal(np.asarray(before.image(place)), np.asarray(after.image(index)))
            assert origin[name]["light"] == before.factors["light"][place]


def test_data_are_written_by_spec_and_seed_and_as_jpeg(tmp_path):
    export("digits?test=1700", tmp_path / "out", image="jpeg", seed=4)
    again = open_data(str(tmp_path / "out"))
    assert again.card.splits == open_data("digits?test=1700", seed=4).card.splits
    assert not any("does not say" in note for note in again.card.notes)


def test_a_class_name_never_leads_out_of_the_folder(tmp_path, pets):
    data = open_data(f"{pets}?val=1")
    hostile = replace(data, card=replace(data.card, classes=("../../cat", ".dog")))
    export(hostile, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "test").iterdir()) == ["%2E.%2F..%2Fcat", "%2Edog"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "pets"]


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    out = tmp_path_factory.mktemp("coco") / "out"
    assert export("scenes?size=96&train=4&test=2&difficulty=0.5", out, layout="coco", seed=2) == 6
    return out


def _decoded(segmentation) -> np.ndarray:
    """Run lengths in column order to a mask, the slow and plain way."""
    height, width = segmentation["size"]
    flat = [value for i, count in enumerate(segmentation["counts"]) for value in [i % 2] * count]
    return np.array(flat, dtype=bool).reshape(width, height).T


def test_coco_boxes_areas_masks_and_ids_agree(coco):
    content = json.loads((coco / "annotations" / "instances_train.json").read_text())
    assert [one["name"] for one in content["categories"]] == list(CLASSES)
    assert [one["id"] for one in content["categories"]] == list(range(1, len(CLASSES) + 1))
    sizes = {one["id"]: (one["width"], one["height"]) for one in content["images"]}
    for one in content["images"]:
        assert Image.open(coco / "train" / one["file_name"]).size == sizes[one["id"]]
    ids = [one["id"] for one in content["annotations"]]
    assert len(ids) == len(set(ids)) > 8
    for one in content["annotations"]:
        mask = _decoded(one["segmentation"])
        rows, columns = np.nonzero(mask)
        x, y, width, height = one["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
        assert one["area"] == mask.sum() > 0
        assert mask.shape[::-1] == sizes[one["image_id"]]
        assert one["iscrowd"] == 0
        assert 1 <= one["category_id"] <= len(CLASSES)


def test_coco_pictures_are_those_of_the_set(coco):
    frames = open_frames("scenes?size=96&train=4&test=2&difficulty=0.5", seed=2)["test"]
    assert np.array_equal(np.asarray(Image.open(coco / "test" / "000000000002.png")), np.asarray(frames.frame(1).image))


def test_run_lengths_begin_with_the_background():
    assert run_lengths(np.array([[1, 0], [1, 1]], dtype=bool)) == [0, 2, 1, 1]
    assert run_lengths(np.array([[0, 0], [1, 0]], dtype=bool)) == [1, 1, 2]
    assert run_lengths(np.zeros((2, 3), dtype=bool)) == [6]


def test_mot_tracks_are_unique_in_a_frame_keep_their_class_and_fit_the_pictures(tmp_path):
    spec = "scenes?size=64&train=1&test=1&frames=12&difficulty=0.7"
    assert export(spec, tmp_path / "out", layout="mot", image="jpeg", seed=5) == 24
    folder = tmp_path / "out" / "test" / "scenes-test-0000"
    info = configparser.ConfigParser()
    info.read(folder / "seqinfo.ini")
    assert info["Sequence"]["seqLength"] == "12"
    assert info["Sequence"]["imExt"] == ".jpg"
    assert sorted(path.name for path in (folder / "img1").iterdir()) == [f"{i:06d}.jpg" for i in range(1, 13)]
    assert (tmp_path / "out" / "labels.txt").read_text().split() == list(CLASSES)
    rows = [line.split(",") for line in (folder / "gt" / "gt.txt").read_text().splitlines()]
    assert len(rows) > 12
    labels: dict[str, str] = {}
    pictures = open_sequences(spec, seed=5)["test"].sequence(0)
    for frame, several in groupby(rows, key=lambda row: int(row[0])):
        lines = list(several)
        assert 1 <= frame <= 12
        assert len({line[1] for line in lines}) == len(lines)
        objects = {str(one.track + 1): one for one in pictures.frame(frame - 1).objects}
        assert {line[1] for line in lines} == set(objects)
        for _, track, left, top, width, height, confidence, label, visibility in lines:
            box = objects[track].whole_box
            assert (float(left) - 1, float(top) - 1) == box[:2]
            assert (float(left) - 1 + float(width), float(top) - 1 + float(height)) == box[2:]
            assert confidence == "1"
            assert int(label) == objects[track].label + 1
            assert labels.setdefault(track, label) == label
            assert 0.25 <= float(visibility) <= 1


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(DataError, match="not an empty folder"):
        export("digits", tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "empty").mkdir()
    assert export("scenes?train=1&test=1", tmp_path / "empty") == 2


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, pets):
    data = open_data(f"{pets}?val=1")
    (pets / "dog" / "19.png").unlink()
    with pytest.raises(DataError, match=r"dog/19\.png any more"):
        export(data, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets"]


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write to"):
        export("scenes?train=1&test=1", tmp_path / "file" / "out")


@pytest.mark.parametrize(
    ("source", "settings", "error", "said"),
    [
        ("digits", {"layout": "coco"}, SpecError, "only scenes have boxes"),
        ("scenes?sise=3", {"layout": "mot"}, SpecError, "did you mean size"),
        ("scenes", {"layout": "cocoo"}, OptionError, "did you mean coco"),
        ("scenes", {"image": "webp"}, OptionError, "known: png, jpeg"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_written(tmp_path, source, settings, error, said):
    with pytest.raises(error, match=said):
        export(source, tmp_path / "out", **settings)
    assert not list(tmp_path.iterdir())


def test_opened_data_have_no_boxes(tmp_path):
    with pytest.raises(DataError, match="give the spec of scenes"):
        export(open_data("scenes?train=1&test=1"), tmp_path / "out", layout="coco")
