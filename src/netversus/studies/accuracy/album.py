"""Thumbnails of mistakes, made while the images are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from PIL import Image
from torch import Tensor

from netversus.lab.data.dataset import ImageSet
from netversus.lab.evaluation import Batch
from netversus.records import Artifact, ContenderCard
from netversus.studies.accuracy.mistakes import FILE, MOST, SIDE, Mistake, dumped, loaded


class Album:
    """One contender's first mistakes in the order of reading; `kept` is the file of a cell that was interrupted."""

    def __init__(self, card: ContenderCard, images: ImageSet, kept: bytes | None) -> None:
        self._card, self._images = card, images
        self._mistakes = loaded(kept)
        self._seen = {each.unit for each in self._mistakes}

    def add(self, batch: Batch, predicted: Tensor) -> Iterator[Artifact]:
        """The file anew, where the batch adds to it.

        Args:
            batch: the images as the contender saw them.
            predicted: int64, shape (batch,): the contender's first answers.
        """
        before = len(self._mistakes)
        for row, (unit, label, answer) in enumerate(zip(batch.ids, batch.labels, predicted.tolist(), strict=True)):
            if len(self._mistakes) == MOST:
                break
            if answer != label and unit not in self._seen:
                self._seen.add(unit)
                self._mistakes.append(self._mistake(batch, row, answer))
        if len(self._mistakes) > before:
            yield Artifact(FILE, dumped(self._mistakes), self._card.name)

    def _mistake(self, batch: Batch, row: int, answer: int) -> Mistake:
        pixels = batch.pixels(self._card.preprocessing)[row]
        image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
        image.thumbnail((SIDE, SIDE))
        file = BytesIO()
        image.save(file, "JPEG", quality=85)
        known = self._images.factors
        place = self._images.ids.index(batch.ids[row]) if known else 0
        factors = {name: levels[place] for name, levels in known.items()}
        label = int(batch.labels[row])
        return Mistake(batch.ids[row], label, answer, file.getvalue(), *image.size, factors)
