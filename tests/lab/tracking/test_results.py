"""Files of results in MOTChallenge's format, read strictly."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from lab.tracking.made import tracks, world, write
from netversus.errors import DataError
from netversus.lab.data.annotated import Clip
from netversus.lab.tracking.results import as_text, as_zip, from_zip, read_results, tracks_of

LINE = "1,1,10,10,5,5,0.9,-1,-1,-1\n"


class Named(Clip):
    """A clip of which only the name and the length matter."""

    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self.ids = tuple(f"{name}/{number}" for number in range(length))

    def image(self, index):
        raise NotImplementedError

    def boxes(self, index):
        raise NotImplementedError


CLIPS = [Named("a", 40), Named("b", 40)]


def test_what_is_written_is_read_back_from_a_folder_and_from_a_zip(tmp_path):
    made = {name: tracks(world(seed)[1]) for seed, name in enumerate("ab")}
    (tmp_path / "all").mkdir()
    for name, one in made.items():
        (tmp_path / "all" / f"{name}.txt").write_text(as_text(one))
    packed = as_zip({name: as_text(one) for name, one in made.items()})
    (tmp_path / "all.zip").write_bytes(packed)
    for path in (tmp_path / "all", tmp_path / "all.zip"):
        read = read_results(path, CLIPS)
        for name, one in made.items():
            assert read[name].frames.tolist() == one.frames.tolist()
            assert read[name].ids.tolist() == one.ids.tolist()
            assert np.allclose(read[name].corners, one.corners, atol=1e-4)
    assert as_zip(from_zip(packed)) == packed


def test_trackevals_folder_named_data_is_found(tmp_path):
    write(tmp_path / "it" / "data" / "a.txt", world(0)[1])
    assert len(read_results(tmp_path / "it", CLIPS[:1])["a"])


def test_rows_may_stand_in_any_order_and_a_sequence_may_be_empty():
    read = tracks_of(b"3,1,1,1,2,2,1\n\n1,1,1,1,2,2,1\n", "f", 3)
    assert read.frames.tolist() == [0, 2]
    assert len(tracks_of(b"", "f", 3)) == 0
    assert tracks_of(b"1,1,1,1,2,2,1\x0c\n2,1,1,1,2,2,1,-1,-1,-1,\r\n", "f", 3).frames.tolist() == [0, 1]  # ragged


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1,1,10,10,5\n", "f, line 1: expected 7 to 10 columns, got 5"),
        (LINE + "1,2,nan,10,5,5,1\n", "f, line 2: expected a finite number, got nan"),
        ("1,2,inf,10,5,5,1\n", "f, line 1: expected a finite number, got inf"),
        ("1,x,10,10,5,5,1\n", "f, line 1: 'x' is no number"),
        ("1.5,1,10,10,5,5,1\n", "f, line 1: frame and id are whole numbers, got 1.5 and 1"),
        ("0,1,10,10,5,5,1\n", "f, line 1: frame 0 lies outside the sequence, whose frames are 1 to 3"),
        (LINE + "4,1,10,10,5,5,1\n", "f, line 2: frame 4 lies outside the sequence, whose frames are 1 to 3"),
        ("1,-1,10,10,5,5,1\n", "f, line 1: an id is 0 at least, got -1"),
        ("1,1,10,10,-5,5,1\n", "f, line 1: a box has a width and a height, got -5 x 5"),
        (LINE + "\n" + LINE, "f, line 3: id 1 is in frame 1 already, in line 1"),
        ("\xff\xfe", "f is no text"),
    ],
)
def test_a_line_that_is_none_is_named_by_file_and_line(content, said):
    with pytest.raises(DataError) as caught:
        tracks_of(content.encode("latin-1"), "f", 3)
    assert str(caught.value) == said


def test_results_of_other_data_and_a_missing_sequence_are_named(tmp_path):
    write(tmp_path / "c.txt", world(0)[1])
    with pytest.raises(DataError, match=r"is about other data: it has c, the data have a, b"):
        read_results(tmp_path, CLIPS)
    write(tmp_path / "a.txt", world(0)[1])
    with pytest.raises(DataError, match=r"has no b.txt \(1 of 2 lack one\)"):
        read_results(tmp_path, CLIPS)


def test_an_archive_that_is_none_or_names_a_sequence_twice_is_refused(tmp_path):
    path = tmp_path / "r.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(DataError, match="is no zip file that can be read"):
        read_results(path, CLIPS)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/a.txt", LINE)
        archive.writestr("../a.txt", LINE)
    with pytest.raises(DataError, match=r"holds a\.txt twice"):
        read_results(path, CLIPS)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["r.zip"]  # nothing is unpacked
