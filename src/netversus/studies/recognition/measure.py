"""Features of every image once; ranks and pairs from their cosines; and what a contender says of single objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.bench import Bench
from netversus.lab.data.annotated import FrameSet
from netversus.lab.evaluation import predict
from netversus.lab.features import Shelf, Subset, read_features, subset, widths
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.messages import noted
from netversus.records import ContenderCard, Emission, Observations, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.recognition import OTHER, RANKS, SAME
from netversus.studies.recognition.retrieval import find, pairs, unit_length

HEAD = -1  # the last place at which features are read: what the last layer sees
SMALLEST = 4  # pixels: an object smaller than that is left out, and counted


def measure(bench: Bench) -> Iterator[Emission]:
    """Per-query ranks and precisions, per-picture shares of rightly classified objects."""
    options = bench.options
    queries, gallery = (
        subset(bench, split, recorded_shuffle(len(bench.data.split(split)), options.order_seed)[:count])
        for split, count in (("test", options.images), ("train", options.gallery))
    )
    backbones = {card.name: _backbone(bench, card) for card in bench.contenders}
    for part in (gallery, queries):
        shelves = {card.name: _shelf(bench, card, backbones[card.name], part) for card in bench.contenders}
        yield from read_features(bench, part, backbones, shelves)
    for number, card in enumerate(bench.contenders):
        yield from _retrieved(bench, card, backbones[card.name], queries, gallery)
        yield Progress(number + 1, len(bench.contenders), noted("contenders ranked"))
    backbones.clear()
    yield from _crops(bench)


def _backbone(bench: Bench, card: ContenderCard) -> Backbone:
    model, side = bench.model(card), card.preprocessing.crop
    return Backbone(model, anatomy(model, torch.zeros(1, 3, side, side, device=bench.device))).eval()


def _shelf(bench: Bench, card: ContenderCard, backbone: Backbone, part: Subset) -> Shelf:
    return Shelf(bench.scratch(card.name) / f"{part.split}.features", widths(backbone, card, bench.device))


def _retrieved(
    bench: Bench, card: ContenderCard, backbone: Backbone, queries: Subset, gallery: Subset
) -> Iterator[Observations]:
    """What each query finds. A query whose class the gallery lacks, or holds alone, has nothing to find: left out."""
    if bench.stored(card.name, "verified"):
        return
    looked_for, among = (
        unit_length(_finite(card, _shelf(bench, card, backbone, part), part)) for part in (queries, gallery)
    )
    counts = np.bincount(gallery.labels, minlength=bench.classes)[queries.labels]
    able = np.flatnonzero((counts > 0) & (counts < len(gallery.labels)))
    if not len(able):
        raise CellError("none of the test images has both images of its class and others in the gallery")
    found = find(looked_for[able], among, gallery.labels, queries.labels[able])
    seen = {f"recall_at_{k}": (found.rank <= k).astype(np.float64) for k in RANKS}
    same, other = pairs(looked_for[able], among, gallery.labels, queries.labels[able], bench.options.order_seed)
    seen |= {"average_precision": found.precision, SAME: same, OTHER: other, "verified": found.verified}
    units = tuple(queries.ids[i] for i in able)
    for metric, values in seen.items():
        yield Observations(card.name, metric, units, tuple(values.tolist()))


def _finite(card: ContenderCard, shelf: Shelf, part: Subset) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    features = shelf.read(HEAD)
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise CellError(f"{card.name} gave NaN or infinite features, first on {part.ids[bad[0]]}")
    return features


@dataclass(frozen=True, slots=True)
class Crops:
    """The objects of one picture, cut out by their true boxes; `small` counts those that were too small."""

    images: tuple[Image.Image, ...]
    labels: tuple[int, ...]
    small: int


def cut_out(frames: FrameSet, index: int) -> Crops:
    """The objects of the picture at `index` that are no crowd, each in the smallest square around it that fits."""
    picture, boxes = frames.image(index), frames.boxes(index)
    images, labels, small = [], [], 0
    for corners, label, crowd in zip(boxes.corners, boxes.labels, boxes.crowd, strict=True):
        if crowd:
            continue
        left, top, right, bottom = corners
        if min(right - left, bottom - top) < SMALLEST:
            small += 1
            continue
        images.append(picture.crop(_square(left, top, right, bottom, picture.size)))
        labels.append(int(label))
    return Crops(tuple(images), tuple(labels), small)


def _square(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square of whole pixels around a box, moved back into the picture where it would reach over its edge."""
    side = round(max(right - left, bottom - top))
    side = min(side, *size)
    x = min(max(round((left + right - side) / 2), 0), size[0] - side)
    y = min(max(round((top + bottom - side) / 2), 0), size[1] - side)
    return x, y, x + side, y + side


def _crops(bench: Bench) -> Iterator[Emission]:
    """The share of each picture's objects that a contender names rightly, where its answers stand for their classes."""
    frames, card_of_data = bench.data.frames.get("test"), bench.data.card
    judges = [
        card
        for card in bench.contenders
        if card.answers
        and card_of_data.box_classes == card_of_data.classes
        and not bench.stored(card.name, "crop_top1")
    ]
    if frames is None or not judges:
        return
    order = recorded_shuffle(len(frames), bench.options.order_seed)[: bench.options.pictures]
    shares: dict[str, list[float]] = {card.name: [] for card in judges}
    models = {card.name: bench.model(card) for card in judges}
    units, objects, small = [], [], []
    for place, index in enumerate(order.tolist()):
        crops = cut_out(frames, index)
        small.append(crops.small)
        if crops.images:
            units.append(frames.ids[index])
            objects.append(len(crops.images))
            for card in judges:
                pixels = torch.stack([to_uint8(image, card.preprocessing) for image in crops.images]).to(bench.device)
                inputs = normalise(pixels, card.preprocessing)
                said = predict(models[card.name], inputs, bench.room(card)).argmax(1)
                shares[card.name].append(float((said == torch.tensor(crops.labels)).double().mean()))
        yield Progress(place + 1, len(order), noted("pictures with boxes"))
    for card in judges:
        yield Observations(card.name, "crop_objects", tuple(units), tuple(map(float, objects)))
        yield Observations(card.name, "crops_too_small", tuple(frames.ids[i] for i in order), tuple(map(float, small)))
        yield Observations(card.name, "crop_top1", tuple(units), tuple(shares[card.name]))
