"""Sequences in MOTChallenge's layout, read strictly, and what `export-data` writes read back."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from netversus.errors import DataError
from netversus.lab.data import open_data
from netversus.lab.data.export import export
from netversus.lab.data.scenes import open_sequences

SPEC = "scenes?size=64&train=1&test=2&frames=4"


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("mot") / "data"
    export(SPEC, out, layout="mot", seed=3)
    return out


@pytest.fixture
def folder(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "data"))


def first(folder: Path) -> Path:
    return folder / "test" / "scenes-test-0000"


def change_line(folder: Path, line: str) -> None:
    """Put a line in the first's place."""
    path = first(folder) / "gt" / "gt.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([line, *lines[1:]]) + "\n")


def test_what_is_exported_is_read_back_pixel_by_pixel_and_box_by_box(exported):
    data = open_data(f"mot:{exported}")
    made = open_sequences(SPEC, seed=3)
    assert data.card.sequences == {"train": 1, "test": 2}
    assert data.card.splits == {}
    for split, clips in data.sequences.items():
        for place, clip in enumerate(clips):
            sequence = made[split].sequence(place)
            assert clip.name == sequence.name
            for time, picture in enumerate(sequence):
                assert np.array_equal(np.asarray(clip.image(time)), np.asarray(picture.image))
                boxes = clip.boxes(time)
                expected = np.array([seen.whole_box for seen in picture.objects], dtype=float).reshape(-1, 4)
                assert boxes.corners == pytest.approx(expected, abs=1e-3)
                assert boxes.labels.tolist() == [seen.label for seen in picture.objects]
                assert boxes.tracks.tolist() == [seen.track + 1 for seen in picture.objects]
                assert not boxes.crowd.any()
                assert len(clip.aside(time)) == 0


def test_a_folder_of_sequences_that_is_not_divided_is_for_the_test(exported):
    assert open_data(f"mot:{exported / 'train'}").card.sequences == {"test": 1}


def test_the_digest_follows_the_content_and_not_the_place(folder, exported):
    before = open_data(f"mot:{exported}").card.digest
    assert open_data(f"mot:{folder}").card.digest == before
    change_line(folder, "1,1,2,2,5,5,1,1,1.0")
    assert open_data(f"mot:{folder}").card.digest != before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1,1,2,2,5,5,1,1", "line 1: expected 9 columns, got 8"),
        ("1,1,2,2,5,5,1,1,1,1,1", "line 1: expected 9 columns, got 11"),
        ("1,1,2,nan,5,5,1,1,1", "line 1: expected a finite number, got nan"),
        ("5,1,2,2,5,5,1,1,1", "line 1: frame 5 lies outside the sequence, whose frames are 1 to 4"),
        ("1,0,2,2,5,5,1,1,1", "line 1: an id is 1 at least, got 0"),
        ("1,1,2,2,0,5,1,1,1", "line 1: a box has a width and a height, got 0 x 5"),
        ("1,1,2,2,5,5,2,1,1", "line 1: the seventh column is 1 for what counts and 0 for what does not, got 2"),
        ("1,1,2,2,5,5,1,99,1", "line 1: the class is a whole number from 1 to"),
        ("1,1,2,2,5,5,1,1,1.5", "line 1: the visibility lies in 0 to 1, got 1.5"),
        ("1,1,2,2,5,5,1,1,1\n1,1,2,2,5,5,1,1,1", "line 2: id 1 is in frame 1 already, in line 1"),
    ],
)
def test_a_line_of_the_ground_truth_that_is_none_is_named(folder, line, said):
    change_line(folder, line)
    with pytest.raises(DataError) as caught:
        open_data(f"mot:{folder}")
    assert str(first(folder) / "gt" / "gt.txt") in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gaps_are_no_fault_and_pictures_without_objects_are_told(folder):
    for gt in folder.glob("*/*/gt/gt.txt"):
        gt.write_text("1,1,2,2,5,5,1,1,1\n4,1,2,2,5,5,0,1,1\n")
    data = open_data(f"mot:{folder}")
    clip = data.sequences["test"][0]
    assert [len(clip.boxes(time)) for time in range(4)] == [1, 0, 0, 0]
    assert [len(clip.aside(time)) for time in range(4)] == [0, 0, 0, 1]
    assert "9 of 12 pictures hold no object" in data.card.notes
    assert "3 of 6 true boxes are set aside" in data.card.notes


def test_mot17s_rules_hold_without_the_names_of_classes(folder):
    (folder / "labels.txt").unlink()
    for gt in folder.glob("*/*/gt/gt.txt"):
        lines = [f"1,{kind},{20 * kind},2,5,5,1,{kind},1" for kind in range(1, 14)]
        gt.write_text("\n".join([*lines, "1,20,2,30,5,5,0,1,1"]))
    data = open_data(f"mot:{folder}")
    boxes = data.sequences["test"][0].boxes(0)
    assert data.card.box_classes == ("pedestrian",)
    assert boxes.tracks[~boxes.crowd].tolist() == [1]
    assert boxes.tracks[boxes.crowd].tolist() == [2, 7, 8, 12]
    assert len(data.sequences["test"][0].aside(0)) == 9


def test_a_sequence_with_a_broken_picture_is_named_and_left_out_or_stops_the_run(folder):
    (first(folder) / "img1" / "000002.png").write_bytes(b"no picture")
    data = open_data(f"mot:{folder}")
    assert data.card.sequences == {"train": 1, "test": 1}
    (skipped,) = data.card.skipped
    assert skipped.path == "test/scenes-test-0000"
    assert "000002.png" in skipped.reason
    with pytest.raises(DataError, match=r"test/scenes-test-0000: 000002\.png"):
        open_data(f"mot:{folder}", strict=True)


def test_pictures_that_are_missing_or_too_many_or_of_another_size_are_told(folder):
    path = first(folder)
    (path / "img1" / "000003.png").unlink()
    assert "000003.png: cannot be read" in open_data(f"mot:{folder}").card.skipped[0].reason
    shutil.copy(path / "img1" / "000001.png", path / "img1" / "000003.png")
    shutil.copy(path / "img1" / "000001.png", path / "img1" / "000005.png")
    reason = open_data(f"mot:{folder}").card.skipped[0].reason
    assert reason == "seqinfo.ini says 4 pictures, but there is 000005.png too"
    (path / "img1" / "000005.png").unlink()
    info = path / "seqinfo.ini"
    info.write_text(info.read_text().replace("imWidth=64", "imWidth=65"))
    assert "seqinfo.ini says 65x64, but 000001.png is 64x64" in open_data(f"mot:{folder}").card.skipped[0].reason


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[Sequence]", "[Clip]", "has no section [Sequence]"),
        ("[Sequence]", "", "cannot be read"),
        ("seqLength=4", "", "does not say seqLength"),
        ("seqLength=4", "seqLength=four", "seqLength is a whole number"),
        ("imDir=img1", "imDir=../../secret", "name a folder beside it and a suffix"),
    ],
)
def test_a_seqinfo_that_cannot_be_used_is_named(folder, old, new, said):
    path = first(folder) / "seqinfo.ini"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError) as caught:
        open_data(f"mot:{folder}")
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_without_ground_truth_nothing_can_be_judged(folder):
    shutil.rmtree(first(folder) / "gt")
    with pytest.raises(DataError, match=r"has no gt/gt\.txt, without which nothing can be judged"):
        open_data(f"mot:{folder}")


def test_one_video_under_three_detectors_counts_once(folder):
    path = first(folder)
    for detector in ("DPM", "FRCNN", "SDP"):
        shutil.copytree(path, path.parent / f"MOT17-02-{detector}")
    data = open_data(f"mot:{folder}")
    assert data.card.sequences["test"] == 3
    assert [one.path for one in data.card.skipped] == ["test/MOT17-02-FRCNN", "test/MOT17-02-SDP"]
    assert "the same video as MOT17-02-DPM" in data.card.skipped[0].reason


def test_a_picture_that_changed_since_is_refused(folder):
    clip = open_data(f"mot:{folder}").sequences["test"][0]
    shutil.copy(first(folder) / "img1" / "000001.png", first(folder) / "img1" / "000002.png")
    with pytest.raises(DataError, match="changed since the data were opened"):
        clip.image(1)


@pytest.mark.parametrize("target", ["/nowhere/at/all", "."])
def test_a_folder_without_sequences_is_named(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        open_data(f"mot:{target}")
