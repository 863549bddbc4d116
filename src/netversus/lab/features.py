"""The features of every image, read once and kept on disk while the cell is open."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from netversus.lab.backbone import Backbone
from netversus.lab.bench import Bench
from netversus.lab.evaluation import batches, predict
from netversus.messages import noted
from netversus.records import ContenderCard, Progress

SAVED_EVERY = 10.0  # seconds: what a kill can cost


@dataclass(frozen=True, slots=True)
class Subset:
    """Some images of a split, in the order in which they are read: `index` int64 (n,), `labels` int64 (n,)."""

    split: str
    index: NDArray[np.int64]
    ids: tuple[str, ...]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Shelf:
    """The file of one contender's features of one subset: float32, a row an image, `widths` numbers of each place.

    Rows are appended; a file beside it tells how many of them are safely on the disk.
    """

    path: Path
    widths: tuple[int, ...]

    @property
    def rows(self) -> int:
        """How many images are safe."""
        return int(self._count.read_text()) if self._count.is_file() else 0

    @property
    def _count(self) -> Path:
        return self.path.with_suffix(".rows")

    def write(self, start: int, features: NDArray[np.float32]) -> None:
        """Put rows in their places, from `start` on."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.seek(start * sum(self.widths) * features.itemsize)
            file.write(features.tobytes())

    def save(self, rows: int) -> None:
        """Make sure that the first `rows` are on the disk."""
        with self.path.open("r+b") as file:
            os.fsync(file.fileno())
        temporary = self._count.with_suffix(".tmp")
        temporary.write_text(str(rows))
        temporary.replace(self._count)

    def read(self, place: int) -> NDArray[np.float32]:
        """The features of one place (negative: from the end), float32, shape (n, width)."""
        table = np.memmap(self.path, dtype=np.float32, mode="r").reshape(-1, sum(self.widths))
        ends = np.cumsum(self.widths)
        place %= len(self.widths)
        return np.array(table[:, ends[place] - self.widths[place] : ends[place]])


def widths(backbone: Backbone, card: ContenderCard, device: torch.device) -> tuple[int, ...]:
    """How many numbers each place gives for an image."""
    side = card.preprocessing.crop
    with torch.inference_mode():
        return tuple(each.shape[1] for each in backbone.places(torch.zeros(1, 3, side, side, device=device)))


def read_features(
    bench: Bench, subset: Subset, backbones: Mapping[str, Backbone], shelves: Mapping[str, Shelf]
) -> Iterator[Progress]:
    """Show the images of a subset to all contenders that have not seen them, each image decoded once."""
    cards = [card for card in bench.contenders if card.name in shelves]
    seen = {card.name: shelves[card.name].rows for card in cards}
    begin = min(seen.values(), default=len(subset.index))
    if begin == len(subset.index):
        return
    images, saved = bench.data.split(subset.split), time.monotonic()
    shapes = {card.preprocessing for card in cards}
    for batch in batches(images, subset.index[begin:], bench.options.batch, bench.device, preprocessings=shapes):
        stop = begin + batch.stop
        late = [card for card in cards if seen[card.name] < stop]
        for card in late:
            features = predict(_flat(backbones[card.name]), batch.inputs(card.preprocessing), bench.room(card))
            shelves[card.name].write(stop - len(batch.ids), features.numpy())
        if stop == len(subset.index) or time.monotonic() - saved >= SAVED_EVERY:
            for card in late:
                shelves[card.name].save(stop)
            saved = time.monotonic()
        yield Progress(stop, len(subset.index), noted("{split} images read", split=subset.split))


class _flat:  # noqa: N801  it stands where `predict` wants a function
    """A backbone's features of all places side by side."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([each.float() for each in self.backbone.places(images)], dim=1)


def subset(bench: Bench, split: str, order: Sequence[int] | NDArray[np.int64]) -> Subset:
    """The images of a split at the indices `order`."""
    images, index = bench.data.split(split), np.asarray(order, dtype=np.int64)
    return Subset(split, index, tuple(images.ids[i] for i in index), images.labels[index])
