"""What pictures with boxes, and sequences with tracks, look like to a study. Loads no torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The n objects of one picture.

    Attributes:
        corners: left, top, right, bottom in pixels, float64, shape (n, 4); right and bottom lie outside.
        labels: index into the data card's `box_classes`, int64, shape (n,).
        areas: in pixels, float64, shape (n,): of the mask where there is one, else of the box.
        crowd: whether it stands for a group of objects, bool, shape (n,).
        tracks: which object of its sequence it is, int64, shape (n,); -1 where the picture is of no sequence.
    """

    corners: NDArray[np.float64]
    labels: NDArray[np.int64]
    areas: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    tracks: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


class FrameSet(ABC):
    """Pictures with stable unit ids, and the boxes of each.

    `numbers` are the ids that a file of results calls the pictures by, and `categories` those of the box classes in
    their order; where the data have none of their own both count from 1, as `netversus export-data` writes them.
    """

    ids: tuple[str, ...]
    categories: tuple[int, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The pictures' ids in COCO files, in the order of `ids`."""
        return tuple(range(1, len(self) + 1))

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def image(self, index: int) -> Image.Image:
        """The picture at `index`, decoded, upright, mode RGB.

        Raises:
            DataError: the file changed or vanished since the data were opened.
        """

    @abstractmethod
    def boxes(self, index: int) -> Boxes:
        """What is in the picture at `index`; pictures without objects have none."""


class Clip(FrameSet):
    """The pictures of one sequence in their order; `name` is its unit id. Boxes carry their tracks."""

    name: str

    def aside(self, index: int) -> NDArray[np.float64]:  # noqa: ARG002 (for data that know of such)
        """Corners, shape (k, 4), of what is marked in the picture at `index` and is nobody's task to track (MOT17's
        vehicles and occluders): it counts neither as an object nor as an excuse."""
        return np.zeros((0, 4))


def typical_side(sizes: Iterable[tuple[int, int]]) -> int | None:
    """The side in px of a square as large as the median of these pictures (widths and heights in px); none of none."""
    areas = [width * height for width, height in sizes]
    return round(math.sqrt(float(np.median(areas)))) if areas else None
