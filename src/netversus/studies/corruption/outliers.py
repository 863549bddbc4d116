"""Images of other kinds, and how foreign they look to a contender: by its answers and by its features.

The images are made here, or come with this library; none is of the run's data. They are told by name in the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, pi, sin

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.bench import Bench
from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.filters import gaussian
from netversus.lab.data import open_data
from netversus.lab.evaluation import batches, predict
from netversus.lab.preprocessing import geometry, normalise, to_uint8
from netversus.messages import noted
from netversus.records import ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.statistics.ranking import OUTLIER
from netversus.studies.corruption import SCORES

KINDS = ("noise", "blobs", "gratings", "other data")
_SHOWN, _ROWS = 64, 256  # images at a time: shown to a network, compared with the train images


def outliers(bench: Bench, order: NDArray[np.int64]) -> Iterator[Emission]:
    """Scores of the test images at `order` and of as many outliers as asked for, all contenders on the same images."""
    units = (*(bench.data.split("test").ids[i] for i in order), *outlier_ids(bench.options.outliers))
    seers = [Seer(bench, card) for card in bench.contenders if not _stored(bench, card, units)]
    foreign = {shape: _foreign(bench, shape) for shape in dict.fromkeys(geometry(s.card.preprocessing) for s in seers)}
    own, _ = _seen(bench, "test", order, seers)
    train, labels = _seen(bench, "train", _train_order(bench), [each for each in seers if each.sees_features])
    for done, seer in enumerate(seers):
        others = seer.pixels(foreign[geometry(seer.card.preprocessing)])
        seen = torch.cat([own[seer.card.name], others]).double()
        yield from _scores(seer, units, seen, len(order), train.get(seer.card.name), labels, bench.options.neighbours)
        yield Progress(done + 1, len(seers), noted("contenders shown outliers"))


def _seen(
    bench: Bench, split: str, order: NDArray[np.int64], seers: Sequence[Seer]
) -> tuple[dict[str, Tensor], NDArray[np.int64]]:
    """What each sees in the images of a split at `order`, float32 (n, classes + width), and their labels.

    Each image is read once. A train image that cannot be read is left out. Where there is nothing to see, nobody has
    anything.
    """
    found: dict[str, list[Tensor]] = {seer.card.name: [] for seer in seers}
    labels: list[NDArray[np.int64]] = []
    if not seers or not len(order):
        return {}, np.zeros(0, np.int64)
    shapes = [seer.card.preprocessing for seer in seers]
    images = bench.data.split(split)
    for batch in batches(images, order, _SHOWN, bench.device, preprocessings=shapes, leave_out=split == "train"):
        for seer in seers if batch.ids else ():
            found[seer.card.name].append(seer.see(batch.inputs(seer.card.preprocessing)))
        labels.append(batch.labels)
    return {name: torch.cat(parts) for name, parts in found.items() if parts}, np.concatenate(labels)


def outlier_ids(count: int) -> tuple[str, ...]:
    """Their unit ids, the kinds in turn."""
    return tuple(f"outlier/{KINDS[i % len(KINDS)]}/{i // len(KINDS):06d}" for i in range(count))


def _stored(bench: Bench, card: ContenderCard, units: Sequence[str]) -> bool:
    metrics = [OUTLIER, *(f"outlier_{score}" for score in SCORES[:2])]
    if card.source != "onnx" and _train_order(bench).size:
        metrics += [f"outlier_{score}" for score in SCORES[2:]]
    return all(set(units) <= set(bench.stored(card.name, metric)) for metric in metrics)


def _train_order(bench: Bench) -> NDArray[np.int64]:
    if "train" not in bench.data.splits:
        return np.zeros(0, np.int64)
    count = len(bench.data.split("train"))
    return recorded_shuffle(count, bench.options.order_seed)[: bench.options.train_images]


class Seer:
    """One contender: images to its logits and, where it is a torch module, the features before its last layer."""

    def __init__(self, bench: Bench, card: ContenderCard) -> None:
        self.bench, self.card = bench, card
        self.model = bench.model(card)
        self.sees_features = card.source != "onnx"
        self.classes = 0
        self._backbone = self._with_features() if self.sees_features else None

    def _with_features(self) -> Backbone:
        side = self.card.preprocessing.crop
        blank = torch.zeros(1, 3, side, side, device=self.bench.device)
        return Backbone(self.model, anatomy(self.model, blank)).eval()

    def __call__(self, images: Tensor) -> Tensor:
        """Logits and features side by side, float32, shape (n, classes + width)."""
        if self._backbone is None:
            answers: Tensor = self.model(images)
            self.classes = answers.shape[1]
            return answers
        kept: list[Tensor] = []
        hook = self.model.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
        try:
            features = self._backbone(images)
        finally:
            hook.remove()
        self.classes = kept[0].shape[1]
        return torch.cat([kept[0], features.flatten(1)], dim=1)

    def see(self, inputs: Tensor) -> Tensor:
        """The same of any number of images, as many at once as fit in memory, on the CPU."""
        return predict(self, inputs, self.bench.room(self.card))

    def pixels(self, pixels: Tensor) -> Tensor:
        """What it sees in uint8 images of its shape, float32, shape (n, classes + width)."""
        parts = (part.to(self.bench.device) for part in torch.split(pixels, _SHOWN))
        return torch.cat([self.see(normalise(part, self.card.preprocessing)) for part in parts])


def _scores(
    seer: Seer,
    units: Sequence[str],
    seen: Tensor,
    own: int,
    train: Tensor | None,
    labels: NDArray[np.int64],
    neighbours: int,
) -> Iterator[Observations]:
    """The higher a score, the more foreign. `seen` is float64, shape (units, classes + width)."""
    name = seer.card.name
    logits, features = seen[:, : seer.classes], seen[:, seer.classes :]
    if not bool(torch.isfinite(seen).all()):
        first = units[int((~torch.isfinite(seen)).any(dim=1).nonzero()[0, 0])]
        raise CellError(f"{name} gave NaN or infinite outputs, first on {first}")
    found = {"max_logit": -logits.max(dim=1).values, "energy": -logits.logsumexp(dim=1)}
    if train is not None:
        known = train[:, seer.classes :].double()
        found["mahalanobis"] = mahalanobis(known.numpy(), labels, features.numpy())
        found["neighbours"] = neighbour_distance(known, features, neighbours)
    for score, values in found.items():
        yield Observations(name, f"outlier_{score}", tuple(units), tuple(values.tolist()))
    kinds = (0.0,) * own + (1.0,) * (len(units) - own)
    yield Observations(name, OUTLIER, tuple(units), kinds)


def mahalanobis(known: NDArray[np.float64], labels: NDArray[np.int64], features: NDArray[np.float64]) -> Tensor:
    """Squared Mahalanobis distance to the nearest class mean, under one covariance for all classes (Lee et al. 2018,
    "A simple unified framework for detecting out-of-distribution samples and adversarial attacks").

    The covariance is Ledoit and Wolf's, for there are often more features than images. Shapes (train, width), (train,)
    and (n, width) give (n,).
    """
    classes = np.unique(labels)
    means = np.stack([known[labels == each].mean(axis=0) for each in classes])
    centred = known - means[np.searchsorted(classes, labels)]
    precision = LedoitWolf(assume_centered=True).fit(centred).precision_
    nearest = np.full(len(features), np.inf)
    for mean in means:
        away = features - mean
        nearest = np.minimum(nearest, ((away @ precision) * away).sum(axis=1))
    return torch.from_numpy(nearest)


def neighbour_distance(known: Tensor, features: Tensor, neighbours: int) -> Tensor:
    """Distance to the k-th nearest train image, all features of length one (Sun et al. 2022, "Out-of-distribution
    detection with deep nearest neighbors"); float64, shapes (train, width) and (n, width) give (n,)."""
    unit, k = nn.functional.normalize(known, dim=1), min(neighbours, len(known))
    parts = torch.split(nn.functional.normalize(features, dim=1), _ROWS)
    return torch.cat([torch.cdist(part, unit).kthvalue(k, dim=1).values for part in parts])


def _foreign(bench: Bench, shape: Preprocessing) -> Tensor:
    """Outliers as a contender of that shape is shown them, uint8, shape (n, 3, crop, crop)."""
    other = open_data("scenes?train=1&test=500" if bench.data.card.spec.startswith("digits") else "digits")
    images = other.split("test")
    pictures = []
    for place, unit in enumerate(outlier_ids(bench.options.outliers)):
        kind = KINDS[place % len(KINDS)]
        if kind == "other data":
            pictures.append(to_uint8(images.image(place // len(KINDS) % len(images)), shape))
        else:
            chance = Chance(unit, seed=bench.options.chance_seed)
            pictures.append(_drawn(kind, shape.crop, chance))
    return torch.stack(pictures)


def _drawn(kind: str, side: int, chance: Chance) -> Tensor:
    """A made image, uint8, shape (3, side, side): noise on every value, soft blobs with hard edges (as Hendrycks and
    Gimpel had them), or stripes of one direction."""
    if kind == "noise":
        values = chance.uniform(3, side, side)
    elif kind == "blobs":
        values = gaussian(chance.uniform(3, side, side), side / 20)
        values = (values - values.mean()).div_(values.std().clamp_min(1e-6))
        values = values.masked_fill(values < 0.5, 0.0).div_(2)
    else:
        angle, waves = chance.number(0, pi), chance.number(2, 10)
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        wave = torch.sin(2 * pi * waves / side * (rows * sin(angle) + columns * cos(angle)))
        values = 0.5 + 0.5 * wave[None] * chance.uniform(3, 1, 1)
    return values.clamp(0, 1).mul(255).byte()
