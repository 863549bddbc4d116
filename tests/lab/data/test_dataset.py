"""What all kinds of data have in common."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from netversus.errors import DataError, UnreadableError
from netversus.lab.data.dataset import Dataset, ImageSet, readable
from netversus.lab.running import own_images


class Unchecked(ImageSet):
    """Eight grey images that were not looked at, some of which are none."""

    checked = False

    def __init__(self, *torn: int) -> None:
        self.ids = tuple(f"test/{index}" for index in range(8))
        self.labels = np.zeros(8, np.int64)
        self.factors = {}
        self._torn = torn

    def image(self, index: int) -> Image.Image:
        if index in self._torn:
            raise UnreadableError(f"{self.ids[index]}: torn")
        return Image.new("RGB", (32, 32))


def test_those_that_can_be_read_are_found_in_order():
    assert readable(Unchecked(5, 2), np.array([5, 7, 2, 1, 0]), 2).tolist() == [7, 1]
    assert readable(Unchecked(5), np.array([5, 7]), 4).tolist() == [7]


def test_where_none_can_be_read_that_is_said_with_the_first():
    with pytest.raises(DataError, match=r"^none of 3 images could be read, first test/5: torn$"):
        readable(Unchecked(*range(8)), np.array([5, 7, 2]), 2)


def test_of_no_images_none_is_readable():
    assert len(readable(Unchecked(), np.array([], np.int64), 4)) == 0


def test_an_engine_that_wants_the_users_images_hears_that_none_can_be_read(make_card, data_card):
    with pytest.raises(DataError, match="none of 8 images could be read"):
        own_images(make_card(), Dataset(data_card, {"test": Unchecked(*range(8))}))
