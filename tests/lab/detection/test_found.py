"""COCO result files, read strictly: one line that names file and record, and nothing silently dropped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.detection.made import boxes
from netversus.errors import DataError
from netversus.lab.data.annotated import Boxes, FrameSet
from netversus.lab.detection.found import LARGEST_RESULTS, Found, as_results, check_results, from_results, read_results

LARGE = 2**53 + 1  # no float64 holds it, and 32 bits even less


class Frames(FrameSet):
    """Three pictures without anything on them, whose ids in files are not those of their places."""

    ids = ("a", "b", "c")
    categories = (18, 90)

    @property
    def numbers(self) -> tuple[int, ...]:
        return (3, 7, LARGE)

    def image(self, index: int) -> Image.Image:
        raise NotImplementedError

    def boxes(self, index: int) -> Boxes:
        return boxes([])


def row(**values: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.5} | values


def read(records: Any, folder: Path) -> list[Found]:
    path = folder / "results.json"
    path.write_text(json.dumps(records))
    return read_results(path, Frames(), 2)


def test_what_is_written_is_read_back_whatever_the_ids(tmp_path):
    found = {
        0: Found(np.array([[1.25, 2, 5, 8]]), np.array([1]), np.array([0.1])),
        2: Found(np.array([[-1.0, 0, 3, 3], [0, 0, 9, 0]]), np.array([0, 0]), np.array([0.7, 1e-9])),
    }
    records = as_results(Frames(), 2, found)
    assert [one["image_id"] for one in records] == [3, LARGE, LARGE]
    assert [one["category_id"] for one in records] == [90, 18, 18]
    again = read(records, tmp_path)
    assert [len(one) for one in again] == [1, 0, 2]
    for place, one in found.items():
        assert np.array_equal(again[place].corners, one.corners)
        assert np.array_equal(again[place].labels, one.labels)
        assert np.array_equal(again[place].scores, one.scores)


def test_a_picture_without_detections_and_a_file_without_any_are_no_fault(tmp_path):
    assert [len(one) for one in read([], tmp_path)] == [0, 0, 0]
    check_results(tmp_path / "results.json")


def test_the_same_detection_twice_stays_two(tmp_path):
    assert [len(one) for one in read([row(), row()], tmp_path)] == [0, 2, 0]


BAD: list[tuple[dict[str, Any], str]] = [
    (row(image_id=8), "the data have no picture with the id 8"),
    (row(image_id=7.0), "image_id must be a whole number, got 7.0"),
    (row(image_id="7"), "image_id must be a whole number, got '7'"),
    (row(image_id=True), "image_id must be a whole number, got True"),
    (row(category_id=1), "the data have no category with the id 1"),
    (row(category_id=None), "category_id must be a whole number, got None"),
    (row(score=float("nan")), "the score must be a finite number, got nan"),
    (row(score=float("inf")), "the score must be a finite number, got inf"),
    (row(score="high"), "the score must be a finite number, got 'high'"),
    (row(score=10**400), "the score must be a finite number, got 1000"),
    (row(bbox=[1, 2, 3]), "bbox must be four finite numbers (x, y, width, height), got [1, 2, 3]"),
    (row(bbox=[1, 2, float("nan"), 4]), "bbox must be four finite numbers"),
    (row(bbox=[1, 2, 10**400, 4]), "bbox must be four finite numbers"),
    (row(bbox={"x": 1}), "bbox must be four finite numbers"),
    (row(bbox=[1, 2, -3, 4]), "a box has a width and a height of 0 at least, got [1, 2, -3, 4]"),
    ({"image_id": 7, "category_id": 18, "score": 0.5}, "has no bbox (results of masks or key points cannot be"),
    ({"image_id": 7, "bbox": [1, 2, 3, 4], "score": 0.5}, "has no category_id"),
]


@pytest.mark.parametrize(("record", "said"), BAD, ids=[said for _, said in BAD])
def test_a_record_that_cannot_be_right_is_named_in_one_line(tmp_path, record, said):
    with pytest.raises(DataError) as caught:
        read([row(), record], tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'results.json'}, record 1")
    assert said in line
    assert "\n" not in line
    assert len(line) < 500


def test_results_of_other_data_are_said_to_be_that(tmp_path):
    with pytest.raises(DataError, match=r"is about other data: none of its 2 picture ids is among the data's"):
        read([row(image_id=100), row(image_id=101)], tmp_path)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_bytes(b""), "is no JSON"),
        (lambda path: path.write_bytes(b"[" * 100_000), "is no JSON"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is no JSON"),
        (lambda path: path.write_text('{"images": []}'), "is no file of COCO results: expected a list of detections"),
        (lambda path: path.write_text("[3]"), "record 0: expected an object with image_id"),
        (lambda path: (path.touch(), os.truncate(path, LARGEST_RESULTS + 1)), "is larger than 4 GiB"),
        (lambda path: path.mkdir(), "cannot read"),
        (lambda path: None, "cannot read"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, write: Callable[[Path], object], said):
    path = tmp_path / "results.json"
    write(path)
    for reader in (check_results, lambda each: read_results(each, Frames(), 2)):
        with pytest.raises(DataError) as caught:
            reader(path)
        assert str(path) in str(caught.value)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_records_in_memory_are_named_by_what_they_are_called():
    with pytest.raises(DataError, match=r"^resnet50, record 0: the data have no category with the id 5"):
        from_results([row(category_id=5)], "resnet50", Frames(), 2)
