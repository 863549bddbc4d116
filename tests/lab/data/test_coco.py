"""Pictures with boxes in COCO's format, read strictly, and what `export-data` writes read back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netversus.errors import DataError
from netversus.lab.data import open_data
from netversus.lab.data.coco_rows import LARGEST_FILE, read_annotations
from netversus.lab.data.export import export
from netversus.lab.data.scenes import CLASSES, open_frames

SPEC = "scenes?size=64&train=3&test=4&difficulty=0.5"
FILE = Path("annotations") / "instances_test.json"
Content = dict[str, Any]


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("coco") / "data"
    export(SPEC, out, layout="coco", seed=3)
    return out


@pytest.fixture
def folder(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "data"))


def small() -> Content:
    """Two pictures of 12x8 px, two categories, three objects."""
    return {
        "images": [{"id": 7, "file_name": "b.png", "width": 12, "height": 8}, {"id": 3, "file_name": "a.png"}],
        "categories": [{"id": 90, "name": "dog"}, {"id": 18, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 18, "bbox": [1, 2, 3, 4], "area": 9.5, "iscrowd": 0},
            {"id": 2, "image_id": 3, "category_id": 90, "bbox": [0, 0, 12, 8]},
            {"id": 3, "image_id": 7, "category_id": 90, "bbox": [2.5, 2, 4, 4], "iscrowd": 1},
        ],
    }


@pytest.fixture
def write(tmp_path, encoded, noise) -> Callable[..., str]:
    """Write `small`, changed, beside its pictures; the spec that opens it."""

    def written(change: Callable[[Content], object] = lambda _: None) -> str:
        content = small()
        change(content)
        images = tmp_path / "images"
        images.mkdir(exist_ok=True)
        for number, name in enumerate(("a.png", "b.png")):
            (images / name).write_bytes(encoded(noise(number)))
        (tmp_path / "truth.json").write_text(json.dumps(content))
        return f"coco:{tmp_path / 'truth.json'}?images={images}"

    return written


def refused(spec: str, **settings) -> str:
    """The one line that says why data are refused."""
    with pytest.raises(DataError) as caught:
        open_data(spec, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_exported_is_read_back_pixel_by_pixel_and_box_by_box(exported):
    data = open_data(f"coco:{exported}")
    made = open_frames(SPEC, seed=3)
    assert data.card.frames == {"train": 3, "test": 4}
    assert data.card.splits == {}
    assert data.card.box_classes == CLASSES
    for side, frames in data.frames.items():
        assert frames.categories == tuple(range(1, len(CLASSES) + 1))
        for index in range(len(frames)):
            picture = made[side].frame(index)
            assert np.array_equal(np.asarray(frames.image(index)), np.asarray(picture.image))
            boxes = frames.boxes(index)
            expected = np.array([seen.box for seen in picture.objects], dtype=float).reshape(-1, 4)
            assert boxes.corners.tolist() == expected.tolist()
            assert boxes.labels.tolist() == [seen.label for seen in picture.objects]
            assert boxes.areas.tolist() == [seen.mask.sum() for seen in picture.objects]
            assert not boxes.crowd.any()


def test_pictures_and_classes_come_in_the_order_of_their_ids_whatever_that_of_the_file(write):
    frames = open_data(write()).frames["test"]
    assert frames.ids == ("test/000000000003", "test/000000000007")
    assert frames.numbers == (3, 7)
    assert frames.categories == (18, 90)
    boxes = frames.boxes(1)
    assert boxes.corners.tolist() == [[1, 2, 4, 6], [2.5, 2, 6.5, 6]]
    assert boxes.labels.tolist() == [0, 1]
    assert boxes.areas.tolist() == [9.5, 16]  # that of the mask where the file tells it, else of the box
    assert boxes.crowd.tolist() == [False, True]


def test_the_digest_follows_the_content_and_not_the_place(folder, exported):
    before = open_data(f"coco:{exported}").card.digest
    assert open_data(f"coco:{folder}").card.digest == before
    content = json.loads((folder / FILE).read_text())
    content["annotations"][0]["bbox"][2] += 1
    (folder / FILE).write_text(json.dumps(content))
    assert open_data(f"coco:{folder}").card.digest != before


def _put(part: str, place: int, **values: object) -> Callable[[Content], object]:
    return lambda content: content[part][place].update(values)


def _drop(part: str, place: int, key: str) -> Callable[[Content], object]:
    return lambda content: content[part][place].pop(key)


BAD: list[tuple[Callable[[Content], object], str]] = [
    (lambda c: c.pop("images"), "has no images: it is no COCO file of boxes"),
    (lambda c: c.update(annotations={}), "annotations must be a list, got dict"),
    (lambda c: c.update(categories=[]), "its list of categories is empty"),
    (lambda c: c["annotations"].clear(), "has no object on any picture that can be used"),
    (lambda c: c["images"].append("c.png"), "images[2]: expected an object, got str"),
    (_put("images", 1, id=7), "images[1]: the id 7 is that of images[0] too"),
    (_put("images", 1, id=2**63), "images[1]: id is a whole number from 0 to 2^63 - 1, got a number of more than 64"),
    (_put("images", 1, id=3.0), "images[1]: id is a whole number from 0 to 2^63 - 1, got 3.0"),
    (_put("images", 1, id=True), "images[1]: id is a whole number"),
    (_put("images", 1, file_name="b.png"), "images[1]: 'b.png' is the picture of images[0] too"),
    (_put("images", 1, file_name="../a.png"), "images[1]: a file_name leads to a file below"),
    (_put("images", 1, file_name="/etc/passwd"), "images[1]: a file_name leads to a file below"),
    (_drop("images", 1, "file_name"), "images[1]: expected a file_name, got None"),
    (_put("images", 0, width=0), "images[0]: width and height are whole numbers of pixels, got [0, 8]"),
    (_put("categories", 1, id=90), "categories[1]: the id 90 is that of categories[0] too"),
    (_put("categories", 1, name="dog"), "categories[1]: the name 'dog' is that of categories[0] too"),
    (_put("categories", 1, name=" "), "categories[1]: expected a name, got ' '"),
    (_put("annotations", 2, id=1), "annotations[2]: the id 1 is that of annotations[0] too"),
    (_drop("annotations", 2, "id"), "annotations[2]: id is a whole number from 0 to 2^63 - 1, got None"),
    (_put("annotations", 0, image_id=8), "annotations[0]: there is no picture with the id 8"),
    (_put("annotations", 0, category_id=1), "annotations[0]: there is no category with the id 1"),
    (_put("annotations", 0, bbox=[1, 2, 3]), "annotations[0]: bbox is four finite numbers"),
    (_put("annotations", 0, bbox=[1, 2, float("nan"), 4]), "annotations[0]: bbox is four finite numbers"),
    (_put("annotations", 0, bbox=[1, 2, 10**400, 4]), "annotations[0]: bbox is four finite numbers"),
    (_drop("annotations", 0, "bbox"), "annotations[0]: bbox is four finite numbers (x, y, width, height), got None"),
    (_put("annotations", 0, bbox=[1, 2, -3, 4]), "annotations[0]: a box has no negative width or height"),
    (_put("annotations", 0, bbox=[12, 2, 3, 4]), "annotations[0]: the box [12.0, 2.0, 3.0, 4.0] lies outside"),
    (_put("annotations", 0, bbox=[-9, 2, 3, 4]), "annotations[0]: the box [-9.0, 2.0, 3.0, 4.0] lies outside"),
    (_put("annotations", 0, area=-1), "annotations[0]: an area is a number from 0 on, got -1"),
    (_put("annotations", 0, area=float("inf")), "annotations[0]: an area is a number from 0 on, got inf"),
    (_put("annotations", 0, iscrowd=2), "annotations[0]: iscrowd is 0 or 1, got 2"),
    (_put("annotations", 0, iscrowd="no"), "annotations[0]: iscrowd is 0 or 1, got 'no'"),
]


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said for _, said in BAD])
def test_what_cannot_be_right_is_refused_in_one_line_that_names_file_and_record(write, tmp_path, change, said):
    line = refused(write(change))
    assert str(tmp_path / "truth.json") in line
    assert said in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no JSON"),
        (b'{"images": [', "is no JSON"),
        (b"\xff\xfe\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"3", "is no COCO file: expected an object, got int"),
        (b"[]", "is no COCO file: expected an object, got list"),
    ],
)
def test_a_file_that_is_none_is_named(content, said):
    with pytest.raises(DataError) as caught:
        read_annotations(content, "truth.json")
    assert said in str(caught.value)
    assert str(caught.value).startswith("truth.json ")
    assert "\n" not in str(caught.value)


def test_a_file_too_large_to_be_read_is_not_read(write, tmp_path):
    spec = write()
    os.truncate(tmp_path / "truth.json", LARGEST_FILE + 1)  # a hole: it takes no room
    assert refused(spec) == f"{tmp_path / 'truth.json'} is larger than 4 GiB"


def test_ids_of_more_than_32_bits_are_kept(write):
    large = 2**53 + 1  # no float64 holds it

    def change(content: Content) -> None:
        content["images"][0]["id"] = large
        for one in content["annotations"]:
            one["image_id"] = large if one["image_id"] == 7 else 3

    frames = open_data(write(change)).frames["test"]
    assert frames.numbers == (3, large)
    assert frames.ids == ("test/0000000000000003", f"test/{large}")
    assert len(frames.boxes(1)) == 2


def test_what_pycocotools_takes_is_taken_and_counted(write):
    def change(content: Content) -> None:
        content["annotations"] += [
            {"id": 4, "image_id": 7, "category_id": 18, "bbox": [3, 3, 0, 4]},
            {"id": 5, "image_id": 7, "category_id": 18, "bbox": [-2.5, 3, 9, 4]},
        ]
        content["categories"].append({"id": 91, "name": "emu"})
        content["annotations"].pop(1)  # the only object of the other picture

    data = open_data(write(change))
    assert set(data.card.notes) >= {
        "test: 2 pictures with 4 objects from truth.json",
        "test: crowds excuse what lies on them (1 of the boxes)",
        "test: boxes without area count as objects that nobody finds (1; annotations[2])",
        "test: boxes that reach over the edge are taken as they are (1; annotations[3])",
        "test: pictures without any object (1)",
        "test: classes without any object (2; dog, emu)",  # a crowd is no object
    }
    boxes = data.frames["test"].boxes(1)
    assert boxes.corners[2].tolist() == [3, 3, 3, 7]
    assert boxes.corners[3].tolist() == [-2.5, 3, 6.5, 7]


def test_pictures_that_cannot_be_used_are_named_with_their_boxes_or_stop_the_run(write, tmp_path, encoded, noise):
    spec = write()
    (tmp_path / "images" / "b.png").unlink()
    data = open_data(spec)
    assert data.card.frames == {"test": 1}
    assert [one.path for one in data.card.skipped] == ["b.png"]
    assert "test: boxes on pictures that were left out (2)" in data.card.notes
    assert "1 pictures of" in refused(spec, strict=True)
    (tmp_path / "images" / "b.png").write_bytes(encoded(noise(1, (12, 9))))
    assert open_data(spec).card.skipped[0].reason == "it is 12x9, the annotations say 12x8"
    (tmp_path / "images" / "b.png").write_bytes(b"no picture")
    assert len(open_data(spec).card.skipped) == 1
    (tmp_path / "images" / "a.png").unlink()
    assert "not one of the 2 pictures" in refused(spec)


def test_a_link_out_of_the_folder_is_not_followed(write, tmp_path, encoded, noise):
    spec = write()
    (tmp_path / "secret.png").write_bytes(encoded(noise(1)))
    (tmp_path / "images" / "b.png").unlink()
    (tmp_path / "images" / "b.png").symlink_to(tmp_path / "secret.png")
    (skipped,) = open_data(spec).card.skipped
    assert skipped.reason == "a link that leads out of the folder of pictures"


def test_a_picture_that_changed_since_is_refused_when_it_is_asked_for(write, tmp_path, encoded, noise):
    frames = open_data(write()).frames["test"]
    (tmp_path / "images" / "a.png").write_bytes(encoded(noise(9, (13, 8))))
    with pytest.raises(DataError, match=r"a\.png changed since the data were opened"):
        frames.image(0)


def test_a_folder_without_a_test_side_measures_its_val(folder):
    (folder / FILE).rename(folder / "annotations" / "instances_val2017.json")
    (folder / "test").rename(folder / "val2017")
    data = open_data(f"coco:{folder}")
    assert data.card.frames == {"train": 3, "test": 4}
    assert data.frames["test"].ids[0] == "test/000000000001"


def test_a_layout_that_is_none_is_told(folder, tmp_path):
    shutil.copy(folder / FILE, folder / "annotations" / "instances_test2.json")
    assert "has several files for test: instances_test.json, instances_test2.json" in refused(f"coco:{folder}")
    assert "no annotations/instances_test*.json" in refused(f"coco:{folder / 'test'}")
    assert "does not say where its pictures lie" in refused(f"coco:{folder / FILE}")
    assert "there is no folder of pictures" in refused(f"coco:{folder / FILE}?images={tmp_path / 'nowhere'}")
    assert "there is no file or folder" in refused(f"coco:{tmp_path / 'nowhere'}")


def test_train_pictures_of_other_categories_are_refused(folder):
    path = folder / "annotations" / "instances_train.json"
    content = json.loads(path.read_text())
    content["categories"][0]["name"] = "other"
    path.write_text(json.dumps(content))
    assert "has other categories than" in refused(f"coco:{folder}")


def test_a_file_of_train_pictures_is_named_beside_that_of_the_test(folder):
    train = folder / "annotations" / "instances_train.json"
    spec = f"coco:{folder / FILE}?images={folder / 'test'}&train={train}&train_images={folder / 'train'}"
    named, found = open_data(spec), open_data(f"coco:{folder}")
    assert named.card.frames == {"train": 3, "test": 4}
    assert named.card.digest == found.card.digest
