"""Scenes as pictures with boxes and as sequences with tracks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from netversus.lab.data.annotated import Boxes, Clip, FrameSet
from netversus.lab.data.scenes.render import Picture
from netversus.lab.data.scenes.sets import DetectionFrames, Sequence


class SceneFrames(FrameSet):
    """Still pictures with several objects each."""

    def __init__(self, frames: DetectionFrames) -> None:
        self.ids = tuple(f"scenes/frames/{frames.split}/{index:06d}" for index in range(len(frames)))
        # A picture is drawn for its pixels and again for its boxes; the latest are kept.
        self._drawn = lru_cache(maxsize=64)(frames.frame)

    def image(self, index: int) -> Image.Image:
        """The picture at `index`, a copy of its own."""
        return self._drawn(range(len(self))[index]).image.copy()

    def boxes(self, index: int) -> Boxes:
        """Boxes around what is seen of each object."""
        return _boxes(self._drawn(range(len(self))[index]))


class SceneClip(Clip):
    """One moving scene."""

    def __init__(self, sequence: Sequence) -> None:
        self.name = sequence.name
        self.ids = tuple(f"{sequence.name}/{time:06d}" for time in range(len(sequence)))
        self._drawn = lru_cache(maxsize=64)(sequence.frame)

    def image(self, index: int) -> Image.Image:
        """The picture at the time `index`, a copy of its own."""
        return self._drawn(range(len(self))[index]).image.copy()

    def boxes(self, index: int) -> Boxes:
        """Boxes around what is seen of each object, with their tracks."""
        return _boxes(self._drawn(range(len(self))[index]), tracked=True)


def _boxes(picture: Picture, *, tracked: bool = False) -> Boxes:
    seen = picture.objects
    return Boxes(
        corners=np.array([one.box for one in seen], dtype=np.float64).reshape(-1, 4),
        labels=np.array([one.label for one in seen], dtype=np.int64),
        areas=np.array([one.mask.sum() for one in seen], dtype=np.float64),
        crowd=np.zeros(len(seen), dtype=np.bool_),
        tracks=np.array([one.track if tracked else -1 for one in seen], dtype=np.int64),
    )
