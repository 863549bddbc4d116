from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from netversus.errors import DataError
from netversus.lab.data import open_data, verify
from netversus.records import SkippedFile


def test_one_folder_is_divided_by_class_with_the_seed(pets):
    data = open_data(str(pets), seed=5)
    assert data.card.classes == ("cat", "dog")
    assert data.card.splits == {"train": 16, "test": 4}
    assert np.bincount(data.split("test").labels).tolist() == [2, 2]
    assert not set(data.split("train").ids) & set(data.split("test").ids)
    assert "seed 5" in data.card.notes[0]
    assert open_data(str(pets), seed=5).card == data.card
    assert open_data(str(pets), seed=6).split("test").ids != data.split("test").ids


def test_labels_follow_the_sorted_class_folders_and_images_their_files(pets):
    images = open_data(f"{pets}?val=1").split("test")
    assert images.ids[0] == "cat/00.png"
    for index in (0, 7, 19):
        assert images.labels[index] == ("dog" in images.ids[index])
        assert np.array_equal(np.asarray(images.image(index)), np.asarray(Image.open(pets / images.ids[index])))


def test_everything_may_be_measured_on(pets):
    data = open_data(f"{pets}?val=1")
    assert data.card.splits == {"test": 20}
    with pytest.raises(DataError, match="no train split"):
        data.split("train")


@pytest.mark.parametrize(("train", "test"), [("train", "val"), ("Train", "validation"), ("training", "test")])
def test_subfolders_that_divide_are_kept(pets, train, test):
    (pets / train).mkdir()
    (pets / "cat").rename(pets / train / "cat")
    (pets / "dog").rename(pets / train / "dog")
    (pets / test / "cat").mkdir(parents=True)
    (pets / test / "dog").mkdir()
    for name in ("cat/00.png", "dog/10.png", "dog/11.png"):
        (pets / train / name).rename(pets / test / name)
    data = open_data(str(pets))
    assert data.card.splits == {"train": 17, "test": 3}
    assert data.split("test").ids == (f"{test}/cat/00.png", f"{test}/dog/10.png", f"{test}/dog/11.png")
    with pytest.raises(DataError, match="divided already"):
        open_data(f"{pets}?val=0.5")


def test_of_test_and_val_the_test_folder_is_measured_on_unless_told_otherwise(pets):
    for side in ("train", "val", "test"):
        shutil.copytree(pets / "cat", pets / side / "cat")
        shutil.copytree(pets / "dog", pets / side / "dog")
    shutil.rmtree(pets / "cat")
    shutil.rmtree(pets / "dog")
    assert open_data(str(pets)).split("test").ids[0] == "test/cat/00.png"
    assert "not used: val" in open_data(str(pets)).card.notes
    assert open_data(f"{pets}?test=val").split("test").ids[0] == "val/cat/00.png"
    with pytest.raises(DataError, match="no subfolder 'vol'"):
        open_data(f"{pets}?test=vol")


def test_a_train_folder_alone_is_refused_with_the_way_out(pets):
    (pets / "train").mkdir()
    (pets / "cat").rename(pets / "train" / "cat")
    with pytest.raises(DataError, match=r"to divide it, give .*train"):
        open_data(str(pets))


def test_pictures_of_the_test_that_are_in_train_too_are_told(pets):
    (pets / "val" / "cat").mkdir(parents=True)
    (pets / "val" / "dog").mkdir(parents=True)
    shutil.copy(pets / "cat" / "00.png", pets / "val" / "cat" / "a.png")
    shutil.copy(pets / "dog" / "10.png", pets / "val" / "dog" / "b.png")
    (pets / "train").mkdir()
    (pets / "cat").rename(pets / "train" / "cat")
    (pets / "dog").rename(pets / "train" / "dog")
    assert "2 test images are in train too: val/cat/a.png, val/dog/b.png" in open_data(str(pets)).card.notes


def test_copies_of_a_picture_are_kept_on_one_side(pets):
    for number in range(10):
        shutil.copy(pets / "cat" / f"{number:02d}.png", pets / "cat" / f"copy-{number}.png")
    for seed in range(5):
        assert not [note for note in open_data(f"{pets}?val=0.5", seed=seed).card.notes if "in train too" in note]


def test_a_picture_with_two_labels_is_told(pets):
    shutil.copy(pets / "cat" / "00.png", pets / "dog" / "same.png")
    notes = open_data(str(pets)).card.notes
    assert "2 images have a copy in another class: cat/00.png, dog/same.png" in notes


def test_the_digest_follows_content_name_and_label_and_not_the_place_or_the_time(pets, tmp_path, encoded, noise):
    before = open_data(str(pets)).card.digest
    elsewhere = shutil.copytree(pets, tmp_path / "elsewhere")
    assert open_data(str(elsewhere)).card.digest == before
    (elsewhere / "cat" / "00.png").write_bytes(encoded(noise(99)))
    assert open_data(str(elsewhere)).card.digest != before
    (pets / "cat" / "00.png").rename(pets / "cat" / "zero.png")
    assert open_data(str(pets)).card.digest != before


def test_an_image_that_changed_or_vanished_since_is_refused(pets, encoded, noise):
    images = open_data(f"{pets}?val=1").split("test")
    (pets / "cat" / "00.png").write_bytes(encoded(noise(77)))
    with pytest.raises(DataError, match=r"cat/00\.png changed"):
        images.image(0)
    (pets / "cat" / "01.png").unlink()
    with pytest.raises(DataError, match=r"cat/01\.png any more"):
        images.image(1)
    (pets / "cat" / "02.png").touch()
    assert images.image(2).size == (12, 8)


def test_a_folder_of_one_class_or_of_none_is_refused(pets, tmp_path):
    shutil.rmtree(pets / "dog")
    with pytest.raises(DataError, match="class cat only"):
        open_data(str(pets))
    with pytest.raises(DataError, match="no class folders"):
        open_data(str(pets / "cat"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="no class folders"):
        open_data(str(tmp_path / "nothing"))


def _make_old(root):
    """Files written a moment ago are not remembered: they might change again within the clock's grain."""
    for path in root.rglob("*.png"):
        verify.os.utime(path, (1e9, 1e9))


def test_files_are_looked_at_once_while_they_stay_the_same(pets, monkeypatch, cache):
    _make_old(pets)
    (pets / "cat" / "bad.png").write_bytes(b"no image")
    _make_old(pets)
    first = open_data(str(pets)).card
    looked: list[bytes] = []
    monkeypatch.setattr(verify, "decode", lambda content, **_: looked.append(content))
    assert open_data(str(pets)).card == first
    assert not looked
    assert len(list(cache.iterdir())) == 1


def test_a_file_that_changed_is_looked_at_again(pets):
    _make_old(pets)
    open_data(str(pets))
    (pets / "cat" / "00.png").write_bytes(b"no longer an image")
    assert [one.path for one in open_data(str(pets)).card.skipped] == ["cat/00.png"]


def test_files_written_a_moment_ago_are_not_remembered(pets, cache):
    open_data(str(pets))
    assert all(json.loads(path.read_text()) == {} for path in cache.iterdir())


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": [1, 2, "x", "", 3]}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_damaged_memory_is_ignored_and_replaced(pets, cache, damage):
    _make_old(pets)
    first = open_data(str(pets)).card
    (memory,) = cache.iterdir()
    memory.write_bytes(damage)
    assert open_data(str(pets)).card == first
    assert len(json.loads(memory.read_bytes())) == 20


def test_a_memory_that_cannot_be_written_is_done_without(pets, tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("NETVERSUS_CACHE", str(blocked))
    assert open_data(str(pets)).card.splits == {"train": 16, "test": 4}


def test_strict_stops_at_the_first_bad_file_and_counts_them(pets):
    (pets / "cat" / "a.png").write_bytes(b"")
    (pets / "dog" / "b.png").write_bytes(b"")
    assert open_data(str(pets)).card.skipped == (
        SkippedFile("cat/a.png", "empty file"),
        SkippedFile("dog/b.png", "empty file"),
    )
    with pytest.raises(DataError, match=r"2 files of pets cannot be used, first cat/a\.png: empty file"):
        open_data(str(pets), strict=True)


def test_strict_is_content_with_a_clean_folder(pets):
    assert open_data(str(pets), strict=True).card == open_data(str(pets)).card
