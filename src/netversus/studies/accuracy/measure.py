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
from netversus.lab.evaluation import Batch, batches, predict
from netversus.lab.pipeline.method import EXACT, Method, decoder_in, method_of
from netversus.lab.pipeline.parity import MEAN_TOLERANCE, Answers, choose
from netversus.lab.preprocessing import normalise
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.accuracy.album import Album
from netversus.studies.accuracy.mistakes import FILE as MISTAKES
from netversus.studies.accuracy.running import CACHE, DECODING
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
    if cache and images.trace is None:
        yield from (Artifact(CACHE, json.dumps({"kept": False}).encode(), card.name) for card in bench.contenders)
    albums = {card.name: Album(card, images, bench.kept(card.name, MISTAKES)) for card in bench.contenders}
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
                logits = predict(models[card.name], batch.inputs(card.preprocessing), bench.room(card))
                _check_finite(bench, card, batch, logits)
                seen = list(observe(card, batch, logits))
                yield from albums[card.name].add(batch, logits.argmax(dim=1))  # first: a resumed cell asks for `seen`
                yield from seen
        yield Progress(batch.stop, len(order), noted("images"))
        if bench.enough():
            return
    if len(left_out) == len(order):
        raise DataError(f"none of {len(order):,} images could be read, first {next(iter(left_out.values()))}")


def _method(bench: Bench, images: ImageSet, order: NDArray[np.int64], models: Mapping[str, nn.Module]) -> Method:
    """The fastest way to decode whose pixels are near the exact ones and that changes no contender's first answer on
    the first images; kept with the cells, so that an interrupted one goes on with the pixels that it began with."""
    begun = _begun(bench)
    if begun:
        method, told = begun
    else:
        answers = {
            card.name: (card.preprocessing, _first_answers(bench, card, models[card.name])) for card in bench.contenders
        }
        shapes = [card.preprocessing for card in bench.contenders]
        method, tried = choose(images, order, shapes, answers=answers)
        record = {"method": method.label, "mean": MEAN_TOLERANCE, "tried": [each.record() for each in tried]}
        told = json.dumps(record, indent=1).encode()
    for card in bench.contenders:
        bench.keep(Artifact(DECODING, told, card.name))
    return method


def _begun(bench: Bench) -> tuple[Method, bytes] | None:
    """How the images of cells that were interrupted were decoded, and the record of its choice; None where none was.

    Raises:
        CellError: not all in one way, or in one that is not at hand any more. (Of several cells each is then measured
            alone, with its own.)
    """
    records = {card.name: record for card in bench.contenders if (record := bench.kept(card.name, DECODING))}
    labels = {name: str(json.loads(record)["method"]) for name, record in records.items()}
    if not labels:
        return None
    if len(set(labels.values())) > 1:
        ways = "; ".join(f"{name} by {label}" for name, label in labels.items())
        raise CellError(f"the cells were begun with their images decoded in different ways: {ways}")
    label = next(iter(labels.values()))
    method = method_of(label)
    if method is None:
        raise CellError(
            f"the images of this cell were decoded by the method {label}, which this installation lacks",
            hint=f"install {decoder_in(label)} and resume, or start a new run",
        )
    return method, next(iter(records.values()))


def _first_answers(bench: Bench, card: ContenderCard, model: nn.Module) -> Answers:
    def answers(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
        return predict(model, normalise(pixels, preprocessing).to(bench.device), bench.room(card)).argmax(1)

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
