"""What tests of several studies share."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from netversus.errors import UnreadableError
from netversus.lab import evaluation
from netversus.lab.data import open_data
from netversus.lab.data.digits import DigitImages
from netversus.statistics.order import recorded_shuffle


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty images at once fit in memory, and no more."""
    whole = evaluation.in_chunks

    def crowded_chunks(model, inputs, chunk):
        if chunk > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(model, inputs, chunk)

    monkeypatch.setattr(evaluation, "in_chunks", crowded_chunks)


@pytest.fixture
def torn(monkeypatch: pytest.MonkeyPatch) -> str:
    """The first test digit that a study reads cannot be read; its name."""
    images = open_data("digits").split("test")
    name = images.ids[recorded_shuffle(len(images), 0)[0]]
    whole = DigitImages.image

    def image(self: DigitImages, index: int) -> Image.Image:
        if self.ids[index] == name:
            raise UnreadableError(f"{name}: torn")
        return whole(self, index)

    monkeypatch.setattr(DigitImages, "image", image)
    return name
