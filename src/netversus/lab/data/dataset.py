"""What every kind of data looks like to a study. Loads no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netversus.errors import DataError, UnreadableError
from netversus.lab.data.annotated import Clip, FrameSet
from netversus.lab.data.decode import Fast
from netversus.records import DataCard


class ImageSet(ABC):
    """One split: images with stable unit ids and labels.

    `ids` are unique and do not depend on the machine; `labels` (int64, shape (n,)) index the classes of the
    data card; `factors` maps a nuisance factor's name to one level an image, for slices. `checked`: every image was
    decoded when the data were opened, so that none turns out to be unreadable later. `trace` is what tells, beside the
    digest of the data, whether a pixel has changed since an earlier run: "" where the digest tells it, as it does where
    they are checked; None where nothing does, so that pixels are not to be kept for another run.
    """

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    factors: Mapping[str, tuple[str, ...]]
    checked: bool = True
    trace: str | None = ""

    def __len__(self) -> int:
        return len(self.ids)

    @abstractmethod
    def image(self, index: int) -> Image.Image:
        """The image at `index`, decoded, upright, mode RGB.

        Raises:
            DataError: the file changed or vanished since the data were opened.
            UnreadableError: it was not looked at when they were, and is no image that can be used.
        """

    def read(self, index: int, fast: Fast) -> Image.Image:  # noqa: ARG002 (for sets that are made of files)
        """The image at `index`, decoded by `fast` where it is a plain JPEG (see `decode`); what is drawn is drawn."""
        return self.image(index)

    def content(self, index: int) -> bytes | None:  # noqa: ARG002 (the same)
        """The bytes that the image at `index` is decoded from; None where it is drawn, or cannot be read alone.

        Raises:
            DataError: the file changed or vanished since the data were opened.
        """
        return None


def readable(images: ImageSet, order: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The first `most` of the indices `order` whose images can be read: to try something on some images.

    Raises:
        DataError: none of them can.
    """
    if images.checked:
        return order[:most]
    found: list[int] = []
    reason = ""
    for index in order:
        if len(found) == most:
            break
        try:
            images.image(int(index))
        except UnreadableError as error:
            reason = reason or str(error)
            continue
        found.append(int(index))
    if reason and not found:
        raise DataError(f"none of {len(order):,} images could be read, first {reason}")
    return np.array(found, dtype=np.int64)


@dataclass(frozen=True)
class Dataset:
    """Opened data: the card and its splits ("train", "test"): labelled images, pictures with boxes, and sequences
    with tracks, as far as the data have them."""

    card: DataCard
    splits: Mapping[str, ImageSet]
    frames: Mapping[str, FrameSet] = field(default_factory=dict)
    sequences: Mapping[str, tuple[Clip, ...]] = field(default_factory=dict)

    def split(self, name: str) -> ImageSet:
        """A split by name.

        Raises:
            DataError: there is no such split.
        """
        if name not in self.splits:
            raise DataError(f"{self.card.name} has no {name} split, only {', '.join(self.splits) or 'none'}")
        return self.splits[name]
