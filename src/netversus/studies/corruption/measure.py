"""Corrupt each image once in every way and show it to every contender; then show them images of other kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from netversus.errors import CellError, DataError
from netversus.lab.bench import Bench
from netversus.lab.corruptions import COMMON, SEVERITIES
from netversus.lab.corruptions.corrupt import corrupt
from netversus.lab.evaluation import Batch, batches, predict
from netversus.lab.preprocessing import geometry, normalise
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.corruption import shown
from netversus.studies.corruption.gallery import FILE, SIDE, Strip, dumped
from netversus.studies.corruption.outliers import outliers
from netversus.study import LEFT_OUT

BINS = 15  # of confidence, as the expected calibration error has them
CLEAN = "clean"
IMAGE_METRICS = ("clean_top1", "corrupted_top1", "accuracy_lost", "corrupted_nll", "overconfidence")


def measure(bench: Bench) -> Iterator[Emission]:
    """Per-image observations over the common corruptions; sums a batch for each corruption and severity; then outliers.

    Batches are cut from the recorded shuffle before anything is skipped, so that a resumed cell meets the same ones.
    """
    images = bench.data.split("test")
    order = recorded_shuffle(len(images), bench.options.order_seed)[: bench.options.images]
    models = {card.name: bench.ready(card) for card in bench.contenders}
    shapes = tuple(card.preprocessing for card in bench.contenders)
    left_out: dict[str, str] = {}
    for batch in batches(images, order, bench.options.batch, bench.device, preprocessings=shapes, leave_out=True):
        if batch.left_out:
            left_out |= batch.left_out
            yield from (Artifact(LEFT_OUT, json.dumps(left_out).encode(), card.name) for card in bench.contenders)
        open_cards = [card for card in bench.contenders if batch.ids and not _stored(bench, card, batch)]
        tallies = {card.name: Tally(card, batch) for card in open_cards}
        for name in (CLEAN, *shown(bench.options)) if open_cards else ():
            for card, made in _made(bench, open_cards, batch, name):
                pixels = made.to(bench.device)
                logits = predict(models[card.name], normalise(pixels, card.preprocessing), bench.room(card))
                tallies[card.name].add(name, logits, made)
        for card in open_cards:
            yield from tallies[card.name].emissions(first=batch.stop <= bench.options.batch)
        yield Progress(batch.stop, len(order), noted("images corrupted"))
    if len(left_out) == len(order):
        raise DataError(f"none of {len(order):,} images could be read, first {next(iter(left_out.values()))}")
    models.clear()
    yield from outliers(bench, np.array([i for i in order if images.ids[i] not in left_out], dtype=np.int64))


def _made(
    bench: Bench, cards: Sequence[ContenderCard], batch: Batch, name: str
) -> Iterator[tuple[ContenderCard, Tensor]]:
    """The batch under a corruption, uint8, all severities one after another: made once for all who see the same pixels.

    What is left of one shape is gone before the next is made, so that one copy is in memory at a time.
    """
    seeing: dict[Preprocessing, list[ContenderCard]] = {}
    for card in cards:
        seeing.setdefault(geometry(card.preprocessing), []).append(card)
    for shape, those in seeing.items():
        pixels = batch.pixels(shape)
        if name != CLEAN:
            seed = bench.options.chance_seed
            pixels = torch.cat([corrupt(pixels, name, severity, batch.ids, seed=seed) for severity in SEVERITIES])
        for card in those:
            yield card, pixels


def _stored(bench: Bench, card: ContenderCard, batch: Batch) -> bool:
    return all(set(batch.ids) <= set(bench.stored(card.name, metric)) for metric in IMAGE_METRICS)


@dataclass
class Tally:
    """What one contender says of one batch under everything; `rows` holds float64, shape (severities, n)."""

    card: ContenderCard
    batch: Batch
    right: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    nll: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    confidence: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    strips: dict[str, Strip] = field(default_factory=dict)

    def add(self, name: str, logits: Tensor, pixels: Tensor) -> None:
        """Keep what is needed of the answers to a corruption, and its picture of the batch's first image.

        Args:
            name: the corruption, or `CLEAN`.
            logits: float32, shape (severities x n, classes); once n for clean images.
            pixels: uint8, what was shown.

        Raises:
            CellError: the outputs do not fit the data's classes, or are not finite.
        """
        self._check(name, logits)
        count = len(self.batch.ids)
        labels = torch.from_numpy(self.batch.labels).repeat(len(logits) // count)
        logs = logits.double().log_softmax(dim=1)
        values = {
            "right": (logits.argmax(dim=1) == labels).double(),
            "nll": -logs.gather(1, labels[:, None])[:, 0],
            "confidence": logs.max(dim=1).values.exp(),
        }
        for kept, value in values.items():
            getattr(self, kept)[name] = value.view(-1, count).numpy()
        self.strips[name] = _strip(pixels[::count])

    def _check(self, name: str, logits: Tensor) -> None:
        most = int(self.batch.labels.max())
        if logits.ndim != 2 or logits.shape[1] <= most:
            raise CellError(
                f"{self.card.name} gave outputs of shape {tuple(logits.shape)}; the data need {most + 1} classes"
            )
        bad = (~torch.isfinite(logits)).any(dim=1).nonzero()
        if len(bad):
            unit = self.batch.ids[int(bad[0, 0]) % len(self.batch.ids)]
            raise CellError(f"{self.card.name} gave NaN or infinite outputs, first on {unit} under {name}")

    def emissions(self, *, first: bool) -> Iterator[Emission]:
        """All of it; the pictures with the first batch. The images come last: a resumed cell asks for them."""
        if first:
            yield Artifact(FILE, dumped(self.batch.ids[0], self.strips), self.card.name)
        yield from self._by_severity()
        yield from self._bins()
        yield from self._by_image()

    def _by_severity(self) -> Iterator[Observations]:
        """How many images of the batch are right at each corruption and severity, and how many there were."""
        units, right = [], []
        for name, rows in self.right.items():
            for severity, row in enumerate(rows, start=0 if name == CLEAN else 1):
                units.append(f"{name}/{severity}/{self.batch.stop:08d}")
                right.append(float(row.sum()))
        yield self._seen("severity_images", units, [float(len(self.batch.ids))] * len(units))
        yield self._seen("severity_right", units, right)

    def _bins(self) -> Iterator[Observations]:
        """Images, summed confidence and right answers in each bin of confidence, by severity (0: clean)."""
        units: list[str] = []
        columns: dict[str, list[float]] = {"bin_images": [], "bin_confidence": [], "bin_right": []}
        for severity in (0, *SEVERITIES):
            names = COMMON if severity else (CLEAN,)
            row = max(severity - 1, 0)
            confidence = np.concatenate([self.confidence[name][row] for name in names])
            right = np.concatenate([self.right[name][row] for name in names])
            index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
            for place in np.unique(index).tolist():
                units.append(f"{severity}/{place:02d}/{self.batch.stop:08d}")
                columns["bin_images"].append(float(np.count_nonzero(index == place)))
                columns["bin_confidence"].append(float(confidence[index == place].sum()))
                columns["bin_right"].append(float(right[index == place].sum()))
        for metric, values in columns.items():
            yield self._seen(metric, units, values)

    def _by_image(self) -> Iterator[Observations]:
        """Each image's mean over the common corruptions at all severities: it is the unit, for its corruptions are not
        independent of each other."""
        clean = self.right[CLEAN][0]
        right, nll, confidence = (_over_common(kept) for kept in (self.right, self.nll, self.confidence))
        rows = (clean, right, clean - right, nll, confidence - right)
        for metric, values in zip(IMAGE_METRICS, rows, strict=True):
            yield self._seen(metric, self.batch.ids, values.tolist())

    def _seen(self, metric: str, units: Sequence[str], values: Sequence[float]) -> Observations:
        return Observations(self.card.name, metric, tuple(units), tuple(values))


def _over_common(kept: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.concatenate([kept[name] for name in COMMON]).mean(axis=0))


def _strip(pixels: Tensor) -> Strip:
    """One image's severities side by side. `pixels` is uint8, shape (severities, 3, side, side)."""
    pictures = [Image.fromarray(each.permute(1, 2, 0).contiguous().numpy()) for each in pixels]
    side = min(SIDE, pictures[0].width)
    canvas = Image.new("RGB", (side * len(pictures), side))
    for place, picture in enumerate(pictures):
        canvas.paste(picture.resize((side, side), Image.Resampling.BILINEAR), (place * side, 0))
    file = BytesIO()
    canvas.save(file, "JPEG", quality=80)
    return Strip(file.getvalue(), *canvas.size)
