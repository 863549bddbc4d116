from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from netversus.errors import DataError
from netversus.lab.data import open_data


def test_every_digit_is_in_one_split_with_its_own_label():
    data = open_data("digits")
    ids = [name for split in ("train", "test") for name in data.split(split).ids]
    labels = np.concatenate([data.split("train").labels, data.split("test").labels])
    assert data.card.splits == {"train": 1000, "test": 797}
    assert len(set(ids)) == 1797
    truth = load_digits().target
    assert all(truth[int(name.removeprefix("digits/"))] == label for name, label in zip(ids, labels, strict=True))
    assert labels.dtype == np.int64


def test_the_test_split_holds_every_class_in_proportion():
    counts = np.bincount(open_data("digits").split("test").labels, minlength=10)
    assert counts.min() >= 76
    assert counts.max() <= 82


def test_the_split_follows_the_seed_and_the_digest_follows_the_split():
    same, again, other = open_data("digits", seed=1), open_data("digits", seed=1), open_data("digits", seed=2)
    assert same.card == again.card
    assert same.split("test").ids != other.split("test").ids
    assert same.card.digest != other.card.digest
    assert open_data("digits?size=48", seed=1).card.digest != same.card.digest


def test_images_are_the_originals_enlarged():
    images = open_data("digits?size=8").split("test")
    original = load_digits().images[int(images.ids[3].removeprefix("digits/"))]
    image = images.image(3)
    assert (image.mode, image.size) == ("RGB", (8, 8))
    assert np.array_equal(np.asarray(image)[:, :, 0], np.rint(original * 255 / 16))
    assert open_data("digits").split("test").image(0).size == (32, 32)


def test_ink_is_a_third_each_and_grows_with_its_name():
    data = open_data("digits")
    images = data.split("train")
    ink = np.array(images.factors["ink"])
    amount = np.array([np.asarray(images.image(i), dtype=float).mean() for i in range(len(images))])
    means = [amount[ink == level].mean() for level in ("thin", "medium", "bold")]
    assert means == sorted(means)
    assert all(0.28 < (ink == level).mean() < 0.39 for level in ("thin", "medium", "bold"))


def test_a_split_that_does_not_exist_is_named():
    with pytest.raises(DataError, match="no val split, only train, test"):
        open_data("digits").split("val")


def test_the_card_admits_what_the_data_cannot_show():
    notes = " ".join(open_data("digits").card.notes)
    assert "8x8" in notes
    assert "writer" in notes
