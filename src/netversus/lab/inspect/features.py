"""The features that a contender gives the images. Loads torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from netversus.errors import DataError
from netversus.lab.contenders.load import load
from netversus.lab.data.dataset import Dataset
from netversus.lab.inspect.looked import Features
from netversus.lab.poison.features import features
from netversus.lab.preprocessing import to_uint8
from netversus.records import ContenderCard

_TOGETHER = 64  # images that are decoded at once


def features_by(card: ContenderCard, data: Dataset, device: torch.device) -> Features:
    """What the contender's last layer sees. Its own head is not asked: any classes will do.

    Raises:
        WeightsError, UnsafeFileError: its weights cannot be had, or do not fit.
    """
    model = load(card, classes=0, seed=0).to(device).eval()
    places = {split: {each: i for i, each in enumerate(images.ids)} for split, images in data.splits.items()}

    def look(units: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        if not units:
            raise DataError("there are no images to read features of")
        parts = []
        for start in range(0, len(units), _TOGETHER):
            some = [data.split(split).image(places[split][each]) for split, each in units[start : start + _TOGETHER]]
            stack = torch.stack([to_uint8(image, card.preprocessing) for image in some])
            parts.append(features(model, stack, card.preprocessing, device))
        return np.concatenate(parts)

    return look
