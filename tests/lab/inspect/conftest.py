"""Labelled pictures in memory."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.records import DataCard

CLASSES = ("ash", "birch", "cedar")


class Pictures(ImageSet):
    """Images in memory."""

    def __init__(self, images: list[Image.Image], labels: list[int], split: str) -> None:
        self.ids = tuple(f"{split}/{number:03d}" for number in range(len(images)))
        self.labels = np.array(labels, dtype=np.int64)
        self.factors = {}
        self._images = images

    def image(self, index: int) -> Image.Image:
        return self._images[index]


@pytest.fixture
def made():
    """Data of splits, each a list of images and one of labels."""

    def make(**splits: tuple[list[Image.Image], list[int]]) -> Dataset:
        sets = {name: Pictures(images, labels, name) for name, (images, labels) in splits.items()}
        sizes = {name: len(each) for name, each in sets.items()}
        return Dataset(DataCard("made", "made", "digest", CLASSES, sizes, None), sets)

    return make


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """The digits' pixels as features, float64 (1797, 64), and their labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return found.data.astype(np.float64), found.target.astype(np.int64)
