"""The three sets that the generator gives: classification images, detection frames, sequences.

Every picture is a function of (seed, split, index) and the difficulty: what else is drawn, in what order, and how
large the set is, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from netversus.lab.data.dataset import ImageSet
from netversus.lab.data.scenes.compose import (
    FACTORS,
    classification_scene,
    detection_scene,
    label_at,
    levels_at,
    sequence_scene,
)
from netversus.lab.data.scenes.render import Picture, render

MIN_VISIBILITY = 0.25
"""Objects of which less is seen are left out of every list of boxes."""

_CACHE_BYTES = 64 * 2**20


class SceneImages(ImageSet):
    """One split of classification images. They are drawn when asked for; the first ones are kept in memory."""

    def __init__(self, *, seed: int, split: str, count: int, size: int, difficulty: float) -> None:
        self.ids = tuple(f"scenes/{split}/{index:06d}" for index in range(count))
        self.labels = np.array([label_at(seed, split, index) for index in range(count)], dtype=np.int64)
        levels = [levels_at(seed, split, index, difficulty) for index in range(count)]
        self.factors = {factor: tuple(one[factor] for one in levels) for factor in FACTORS}
        self._seed, self._split = seed, split
        self._size, self._difficulty = size, difficulty
        self._kept: dict[int, Image.Image] = {}
        self._room = _CACHE_BYTES // (3 * size * size)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, a copy of its own."""
        index = range(len(self))[index]
        image = self._kept.get(index)
        if image is None:
            image = self.picture(index).image
            # Not the latest but the first are kept: an epoch reads every image once, in any order.
            if len(self._kept) < self._room:
                self._kept[index] = image
        return image.copy()

    def picture(self, index: int) -> Picture:
        """The image with the box and mask of its one object."""
        index = range(len(self))[index]
        scene = classification_scene(self._seed, self._split, index, self._difficulty)
        return render(scene, self._size)


@dataclass(frozen=True)
class DetectionFrames:
    """One split of still pictures with several objects each. `size` is the side in pixels."""

    seed: int
    split: str
    count: int
    size: int = 256
    difficulty: float = 0.5

    def __len__(self) -> int:
        return self.count

    def frame(self, index: int) -> Picture:
        """The picture at `index`; objects seen by less than `MIN_VISIBILITY` are left out of its list."""
        scene = detection_scene(self.seed, self.split, range(self.count)[index], self.difficulty)
        return _listed(render(scene, self.size))


@dataclass(frozen=True)
class Sequence:
    """One moving scene. Track ids are those of the objects, from 0, and stay through the sequence."""

    name: str
    seed: int
    split: str
    index: int
    frames: int
    size: int
    difficulty: float

    def __len__(self) -> int:
        return self.frames

    def frame(self, time: int) -> Picture:
        """The picture at the time `time`, from 0; objects seen by less than `MIN_VISIBILITY` are left out."""
        scene = sequence_scene(self.seed, self.split, self.index, self.difficulty, self.frames)
        return _listed(render(scene.at(range(self.frames)[time]), self.size))

    def __iter__(self) -> Iterator[Picture]:
        return (self.frame(time) for time in range(self.frames))


@dataclass(frozen=True)
class Sequences:
    """One split of sequences of `frames` pictures each."""

    seed: int
    split: str
    count: int
    frames: int = 60
    size: int = 256
    difficulty: float = 0.5

    def __len__(self) -> int:
        return self.count

    def sequence(self, index: int) -> Sequence:
        """The sequence at `index`."""
        index = range(self.count)[index]
        name = f"scenes-{self.split}-{index:04d}"
        return Sequence(name, self.seed, self.split, index, self.frames, self.size, self.difficulty)


def _listed(picture: Picture) -> Picture:
    return Picture(picture.image, tuple(one for one in picture.objects if one.visibility >= MIN_VISIBILITY))
