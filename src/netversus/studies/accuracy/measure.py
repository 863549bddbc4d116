"""Show each image once to every contender and keep what each said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.errors import CellError, DataError
from netversus.lab.bench import Bench
from netversus.lab.data.dataset import ImageSet
from netversus.lab.engines.nan_origin import nan_origin
from netversus.lab.evaluation import Batch, Room, batches, predict
from netversus.lab.pipeline.method import EXACT, Method, method_of
from netversus.lab.pipeline.parity import MEAN_TOLERANCE, Answers, choose
from netversus.lab.preprocessing import normalise
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.accuracy.album import Album
from netversus.studies.accuracy.mistakes import FILE as MISTAKES
from netversus.studies.accuracy.running import DECODING, MEMORY
from netversus.study import LEFT_OUT

METRICS = ("top1", "top5", "nll", "brier", "confidence", "predicted")


def measure(bench: Bench) -> Iterator[Emission]:
    """Per-image observations of every metric, batch by batch, all contenders on the same decoded batch.

    Batches are cut from the recorded shuffle before anything is skipped, so that a resumed cell meets the same
    batches, and so the same floating-point sums, as an undisturbed one. It ends early once the verdict is certain,
    where the user asked for that.
    """
    images = bench.data.split("test")
    order = recorded_shuffle(len(images), bench.options.order_seed)[: bench.options.images]
    models = {card.name: bench.ready(card) for card in bench.contenders}
    shapes = tuple(card.preprocessing for card in bench.contenders)
    method = EXACT if bench.options.exact else _method(bench, images, order, models)
    cache = bench.data.card.digest if bench.options.cache else None
    albums = {card.name: Album(card, images, bench.kept(card.name, MISTAKES)) for card in bench.contenders}
    rooms = {card.name: Room() for card in bench.contenders}
    left_out: dict[str, str] = {}
    for batch in batches(
        images,
        order,
        bench.options.batch,
        bench.device,
        preprocessings=shapes,
        method=method,
        cache=cache,
        leave_out=True,
    ):
        if batch.left_out:
            left_out |= batch.left_out
            yield from (Artifact(LEFT_OUT, json.dumps(left_out).encode(), card.name) for card in bench.contenders)
        for card in bench.contenders:
            if batch.ids and not _stored(bench, card, batch):
                logits = predict(models[card.name], batch.inputs(card.preprocessing), room := rooms[card.name])
                if room.most is not None:
                    yield Artifact(MEMORY, json.dumps(room.halved).encode(), card.name)
                _check_finite(bench, card, batch, logits)
                seen = list(observe(card, batch, logits))
                yield from albums[card.name].add(batch, logits.argmax(dim=1))  # first: a resumed cell asks for `seen`
                yield from seen
        yield Progress(batch.stop, len(order), "images")
        if bench.enough():
            return
    if len(left_out) == len(order):
        raise DataError(f"none of {len(order):,} images could be read, first {next(iter(left_out.values()))}")


def _method(bench: Bench, images: ImageSet, order: NDArray[np.int64], models: Mapping[str, nn.Module]) -> Method:
    """The fastest way to decode whose pixels are near the exact ones and that changes no contender's first answer on
    the first images; kept with the cells, so that an interrupted one goes on with the pixels that it began with."""
    kept = next(filter(None, (bench.kept(card.name, DECODING) for card in bench.contenders)), None)
    before = method_of(json.loads(kept)["method"]) if kept else None
    if kept and before:
        method, told = before, kept
    else:
        answers = {
            card.name: (card.preprocessing, _first_answers(models[card.name], bench)) for card in bench.contenders
        }
        shapes = [card.preprocessing for card in bench.contenders]
        method, tried = choose(images, order, shapes, answers=answers)
        record = {"method": method.label, "mean": MEAN_TOLERANCE, "tried": [each.record() for each in tried]}
        told = json.dumps(record, indent=1).encode()
    for card in bench.contenders:
        bench.keep(Artifact(DECODING, told, card.name))
    return method


def _first_answers(model: nn.Module, bench: Bench) -> Answers:
    def answers(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
        return predict(model, normalise(pixels, preprocessing).to(bench.device), Room()).argmax(1)

    return answers


def _stored(bench: Bench, card: ContenderCard, batch: Batch) -> bool:
    return all(set(batch.ids) <= set(bench.stored(card.name, metric)) for metric in METRICS)


def observe(card: ContenderCard, batch: Batch, logits: Tensor) -> Iterator[Observations]:
    """The metrics of one batch. `logits` is float32, shape (batch, classes).

    NLL in nats; Brier score summed over the classes, in [0, 2] (Brier 1950); confidence is the largest
    probability. Ties in the logits go to the lower class index, as argmax does. With five classes or fewer
    top-5 is 1 by definition.

    Raises:
        CellError: the outputs do not fit the data's classes, or are not finite.
    """
    _check(card, batch, logits)
    labels = torch.from_numpy(batch.labels)
    log_probabilities = logits.double().log_softmax(dim=1)
    probabilities = log_probabilities.exp()
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    predicted = logits.argmax(dim=1)
    truth = torch.nn.functional.one_hot(labels, logits.shape[1])
    values = {
        "top1": predicted == labels,
        "top5": (best == labels[:, None]).any(dim=1),
        "nll": -log_probabilities.gather(1, labels[:, None])[:, 0],
        "brier": (probabilities - truth).square().sum(dim=1),
        "confidence": probabilities.max(dim=1).values,
        "predicted": predicted,
    }
    for metric in METRICS:
        yield Observations(card.name, metric, batch.ids, tuple(values[metric].double().tolist()))


def _check(card: ContenderCard, batch: Batch, logits: Tensor) -> None:
    if logits.ndim != 2 or logits.shape[0] != len(batch.ids) or logits.shape[1] <= batch.labels.max():
        raise CellError(
            f"{card.name} gave outputs of shape {tuple(logits.shape)} for {len(batch.ids)} images; "
            f"the data need ({len(batch.ids)}, at least {int(batch.labels.max()) + 1})"
        )
    if not bool(torch.isfinite(logits).all()):
        raise CellError(f"{card.name} gave NaN or infinite outputs, first on {_first_bad(batch, logits)}")


def _first_bad(batch: Batch, logits: Tensor) -> str:
    """The first image whose outputs are not finite."""
    return batch.ids[int((~torch.isfinite(logits)).any(dim=1).nonzero()[0, 0])]


def _check_finite(bench: Bench, card: ContenderCard, batch: Batch, logits: Tensor) -> None:
    """Outputs that are no numbers are told with the layer that made them first.

    Raises:
        CellError: there are such.
    """
    if logits.ndim == 2 and not bool(torch.isfinite(logits).all()):
        layer = nan_origin(bench.model(card), batch.inputs(card.preprocessing))  # the network itself, in fp32
        origin = layer or f"inside the engine {card.engine}"
        raise CellError(
            f"{card.name} gave NaN or infinite outputs, first on {_first_bad(batch, logits)}, from {origin}"
        )
