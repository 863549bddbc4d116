"""Files of boxes and tracks from strangers: read, or refused in one line that names the place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netversus.errors import DataError, NetversusError
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
    for row in rows:
        assert 0 <= row.frame < 5
        assert np.isfinite(row.corners).all()


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
            "images": [{"id": 1, "file_name": "../../secret.png", "width": 8, "height": 8}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 4, 4], "area": 16, "iscrowd": 0}],
            "categories": [{"id": 1, "name": "<script>"}],
        }
    ).encode(),
    json.dumps(
        {
            "images": [{"id": 1, "file_name": "a\u0000.png", "width": 8, "height": 8}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [None, "x", float("inf"), 4]}],
            "categories": [{"id": 1, "name": "x"}],
        }
    ).encode(),
]


@pytest.mark.parametrize("content", JSON, ids=range(len(JSON)))
def test_a_coco_file_is_refused_in_one_line_and_nothing_outside_its_folder_is_read(tmp_path: Path, content) -> None:
    from netversus.lab.data import list_data, open_data

    if "coco" not in {kind.name for kind in list_data()}:
        pytest.skip("there is no COCO reader")
    (tmp_path / "images").mkdir()
    (tmp_path / "secret.png").write_bytes(b"not to be read")
    (tmp_path / "labels.json").write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_data(f"coco:{tmp_path / 'labels.json'}?images={tmp_path / 'images'}")
    assert len(str(caught.value).splitlines()) == 1
