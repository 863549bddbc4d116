"""What each contender answers at each resolution: every image is decoded once, and shown to all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import torch
from torch import Tensor

from netversus.errors import CellError, DataError
from netversus.lab.bench import Bench
from netversus.lab.engines.nan_origin import nan_origin
from netversus.lab.evaluation import Batch, batches, predict
from netversus.lab.preprocessing import scaled
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.study import LEFT_OUT

BATCH = 64
SMALLEST = "top1_smallest"


@dataclass(frozen=True)
class Shown:
    """A contender, the sides at which it is shown images, in px from small to large, and its network at each."""

    card: ContenderCard
    sides: tuple[int, ...]
    at: Callable[[int], Callable[[Tensor], Tensor]]


def resized(card: ContenderCard, side: int) -> ContenderCard:
    """A contender that takes images of another side: the same part of the picture, in more or fewer pixels."""
    return replace(card, preprocessing=scaled(card.preprocessing, side))


def metric_at(side: int) -> str:
    """The name of top-1 at a side."""
    return f"top1_at_{side:04d}"


def steps(bench: Bench) -> int:
    """How many batches there are to show."""
    asked: int = bench.options.images
    return ceil(min(asked, len(bench.data.split("test"))) / BATCH)


def top1(bench: Bench, contenders: Sequence[Shown]) -> Iterator[Emission]:
    """Whether the first answer is right, image by image, at each side; progress counts batches. An image that turns out
    to be unreadable is left out and named.

    Raises:
        CellError: a contender's outputs are not finite.
        DataError: no image could be read.
    """
    images = bench.data.split("test")
    order = recorded_shuffle(len(images), 0)[: bench.options.images]
    shapes = {resized(each.card, side).preprocessing for each in contenders for side in each.sides}
    left_out: dict[str, str] = {}
    shown = batches(images, order, BATCH, bench.device, preprocessings=shapes, leave_out=True)
    for number, batch in enumerate(shown):
        if batch.left_out:
            left_out |= batch.left_out
            yield from (Artifact(LEFT_OUT, json.dumps(left_out).encode(), each.card.name) for each in contenders)
        for each in contenders if batch.ids else ():
            for side in each.sides:
                yield from _answers(bench, each, side, batch)
        yield Progress(number + 1, steps(bench), noted("batches"))
    if len(left_out) == len(order):
        raise DataError(f"none of {len(order):,} images could be read, first {next(iter(left_out.values()))}")


def _answers(bench: Bench, each: Shown, side: int, batch: Batch) -> Iterator[Observations]:
    name = each.card.name
    metrics = [metric_at(side), *([SMALLEST] if side == each.sides[0] else [])]
    if all(set(batch.ids) <= set(bench.stored(name, metric)) for metric in metrics):
        return
    logits = predict(each.at(side), batch.inputs(resized(each.card, side).preprocessing), bench.room(each.card))
    if not bool(torch.isfinite(logits).all()):
        layer = nan_origin(bench.model(each.card), batch.inputs(resized(each.card, side).preprocessing))
        origin = layer or f"inside the engine {each.card.engine}"
        raise CellError(f"{name} gave NaN or infinite outputs at {side} px, first from {origin}")
    right = (logits.argmax(dim=1) == torch.from_numpy(batch.labels)).double().tolist()
    yield from (Observations(name, metric, batch.ids, tuple(right)) for metric in metrics)
