"""Files of boxes and tracks from strangers: read, or refused in one line that names the place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from netversus.errors import DataError, NetversusError
from netversus.lab.data import open_data
from netversus.lab.data.mot_rows import rows_of

numbers = st.sampled_from(
    ["1", "2", "-1", "0", "1e400", "nan", "inf", "-0", "1.5", "", " ", "x", "9" * 400, "0x1", "١"]
)
lines = st.lists(numbers, min_size=0, max_size=12).map(",".join)


@given(st.one_of(st.binary(max_size=200), st.lists(lines, max_size=6).map(lambda rows: "\n".join(rows).encode())))
def test_lines_of_tracks_are_read_or_refused(content: bytes) -> None:
    try:
        rows = rows_of(content, "gt.txt", length=5, columns=range(6, 11), least_id=1)
    except NetversusError as error:
        assert str(error).startswith("gt.txt")
        assert len(str(error).splitlines()) == 1
        return
    assert ((rows.frames >= 0) & (rows.frames < 5)).all()
    assert np.isfinite(rows.corners).all()


JSON = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"images": 3, "annotations": [], "categories": []}',
    b'{"images": [{"id": [], "file_name": {}}], "annotations": [], "categories": []}',
    b'{"images": [{"id": 1e999, "file_name": "a.png", "width": -1, "height": 0}], "annotations": [], "categories": []}',
    json.dumps(
        {
            "images": [{"id": 1, "file_name": "a\u0000.png", "width": 8, "height": 8}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [None, "x", float("inf"), 4]}],
            "categories": [{"id": 1, "name": "x"}],
        }
    ).encode(),
]


@pytest.mark.parametrize("content", JSON, ids=range(len(JSON)))
def test_a_coco_file_that_cannot_be_right_is_refused_in_one_line(tmp_path: Path, content) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_data(f"coco:{tmp_path / 'labels.json'}?images={tmp_path / 'images'}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("where", ["../secret.png", "inside/../../secret.png", "{outside}", "./../secret.png"])
def test_a_picture_of_a_coco_file_lies_in_its_folder(tmp_path: Path, where: str) -> None:
    (tmp_path / "images" / "inside").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    content = {
        "images": [{"id": 1, "file_name": where.format(outside=tmp_path / "secret.png"), "width": 8, "height": 8}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "<script>"}],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        open_data(f"coco:{tmp_path / 'labels.json'}?images={tmp_path / 'images'}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """A sequence of two pictures in MOTChallenge's layout; its folder."""
    folder = tmp_path / "data" / "one"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    for number in (1, 2):
        Image.new("RGB", (32, 24), (number, 0, 0)).save(folder / "img1" / f"{number:06d}.png")
    (folder / "gt" / "gt.txt").write_text("1,1,2,2,8,8,1,1,1\n2,1,3,3,8,8,1,1,1\n")
    (folder / "seqinfo.ini").write_text(seqinfo())
    return folder


def seqinfo(**changed: str) -> str:
    held = {"name": "one", "imDir": "img1", "seqLength": "2", "imWidth": "32", "imHeight": "24", "imExt": ".png"}
    return "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in (held | changed).items())


def test_a_sequence_is_read(sequence: Path) -> None:
    assert open_data(f"mot:{sequence.parent}").card.sequences == {"test": 1}


@pytest.mark.parametrize("folder", ["..", ".", "../one/img1", "/etc", "img1/../img1", "img1\x00", "~", ""])
def test_the_pictures_of_a_sequence_lie_in_a_folder_beside_its_description(sequence: Path, folder: str) -> None:
    for number in (1, 2):  # where a way out would lead
        Image.new("RGB", (32, 24)).save(sequence.parent / f"{number:06d}.png")
        Image.new("RGB", (32, 24)).save(sequence / f"{number:06d}.png")
    (sequence / "seqinfo.ini").write_text(seqinfo(imDir=folder))
    with pytest.raises(DataError) as caught:
        open_data(f"mot:{sequence.parent}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("length", ["1999999999", "000000000001999999999", "-1", "0", "1" * 5000, "٢x", "²", "1e3", ""])
def test_a_length_that_no_sequence_has_is_refused_at_once(sequence: Path, length: str) -> None:
    (sequence / "seqinfo.ini").write_text(seqinfo(seqLength=length))
    with pytest.raises(DataError, match="seqLength is a whole number"):
        open_data(f"mot:{sequence.parent}")


@given(st.text(max_size=120))
def test_any_description_of_a_sequence_is_read_or_refused(tmp_path_factory, text: str) -> None:
    folder = tmp_path_factory.mktemp("mot") / "data" / "one"
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text("1,1,2,2,8,8,1,1,1\n")
    for content in (text, f"[Sequence]\n{text}", seqinfo(imDir=text.replace("\n", " "))):
        (folder / "seqinfo.ini").write_text(content, encoding="utf-8", errors="surrogatepass")
        with pytest.raises(DataError) as caught:
            open_data(f"mot:{folder.parent}")
        assert len(str(caught.value).splitlines()) == 1
