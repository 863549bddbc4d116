"""Train the contenders in turns, round by round, and measure the learning curve between the rounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.lab.bench import Bench
from netversus.lab.data.dataset import ImageSet
from netversus.lab.evaluation import predict, shuffled
from netversus.lab.preprocessing import normalise
from netversus.lab.training import Trainee, pixels, sample_order, start_as_identity
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.studies.training import WEIGHTS, total_samples

EVALUATION_BATCH = 64
CHECKPOINT_SECONDS = 60.0  # writing one costs seconds for a large contender; at most this much is trained twice


@dataclass(frozen=True)
class Split:
    """A split as one preprocessing shows it: `images` uint8 (n, 3, h, w), `labels` int64 (n,)."""

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor
    curve: NDArray[np.int64]  # the images on which the learning curve is measured


def measure(bench: Bench) -> Iterator[Emission]:
    """Each round every contender takes the same steps on the same images; who goes first alternates."""
    samples = total_samples(bench.options, len(bench.data.split("train")))
    steps = samples // bench.options.batch
    order = sample_order(len(bench.data.split("train")), samples, bench.seed)
    trainees = [_trainee(bench, card, steps) for card in bench.contenders]
    views = {p: _views(bench, p) for p in {card.preprocessing for card in bench.contenders}}
    stops = [round(steps * (i + 1) / bench.options.rounds) for i in range(bench.options.rounds)]
    saved = time.monotonic()
    for number, stop in enumerate(stops):
        for trainee in trainees if number % 2 == 0 else reversed(trainees):
            train, test = views[trainee.preprocessing]
            if trainee.done < stop:
                yield from _round(trainee, train, order, stop, f"round-{number + 1:03d}")
                yield from _curve(trainee, train, test)
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            _save(bench, trainees)
            saved = time.monotonic()
    for trainee in trainees:
        train, _ = views[trainee.preprocessing]
        yield from _finish(trainee, train)


def _save(bench: Bench, trainees: list[Trainee]) -> None:
    bench.flush()  # a resumed trainee takes its earlier rounds for observed
    for trainee in trainees:
        trainee.save(_checkpoint(bench, trainee.name))


def _checkpoint(bench: Bench, name: str) -> Path:
    return bench.scratch(name) / "checkpoint.pt"


def _trainee(bench: Bench, card: ContenderCard, steps: int) -> Trainee:
    model = bench.model(card, train=True)
    if bench.options.zero_init_residual:
        start_as_identity(model)
    trainee = Trainee(
        name=card.name,
        model=model,
        preprocessing=card.preprocessing,
        recipe=bench.options,
        seed=bench.seed,
        steps=steps,
        device=bench.device,
    )
    if _checkpoint(bench, card.name).is_file():
        trainee.load(_checkpoint(bench, card.name))
    return trainee


def _views(bench: Bench, preprocessing: Preprocessing) -> tuple[Split, Split]:
    return tuple(_view(bench.data.split(s), preprocessing, bench.options.curve_images) for s in ("train", "test"))  # type: ignore[return-value]


def _view(images: ImageSet, preprocessing: Preprocessing, curve_images: int) -> Split:
    curve = shuffled(len(images), 0)[:curve_images]
    return Split(images.ids, pixels(images, preprocessing), torch.from_numpy(images.labels), curve)


def _round(trainee: Trainee, train: Split, order: NDArray[np.int64], stop: int, unit: str) -> Iterator[Emission]:
    """The steps of one round: their mean loss and the seconds that an image took."""
    first, losses, begin = trainee.done, [], time.perf_counter()
    for loss in trainee.train(train.images, train.labels, order, stop):
        losses.append(loss)
        yield Progress(trainee.done, trainee.steps, f"steps of {trainee.name}")
    seconds = (time.perf_counter() - begin) / ((stop - first) * trainee.recipe.batch)
    yield Observations(trainee.name, "train_time", (unit,), (seconds,))
    yield Observations(trainee.name, "train_loss", (_samples(trainee),), (float(np.mean(losses)),))


def _samples(trainee: Trainee) -> str:
    return f"samples-{trainee.done * trainee.recipe.batch:09d}"


def _curve(trainee: Trainee, train: Split, test: Split) -> Iterator[Emission]:
    """A point of the learning curve: top-1 on the same images of each split."""
    for name, split in (("train", train), ("test", test)):
        top1 = float(np.mean(_correct(trainee, split, split.curve)))
        yield Observations(trainee.name, f"curve_{name}_top1", (_samples(trainee),), (top1,))


def _correct(trainee: Trainee, split: Split, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Whether each image is classified correctly in eval mode: float64 of 0 and 1, shape (len(index),)."""
    trainee.model.eval()
    parts = []
    for start in range(0, len(index), EVALUATION_BATCH):
        chosen = torch.from_numpy(index[start : start + EVALUATION_BATCH])
        inputs = normalise(split.images[chosen].to(trainee.device), trainee.preprocessing)
        parts.append((predict(trainee.model, inputs).argmax(dim=1) == split.labels[chosen]).numpy())
    return np.concatenate(parts).astype(np.float64)


def _finish(trainee: Trainee, train: Split) -> Iterator[Emission]:
    """How well the images of the train curve are fitted in the end, image by image, and the weights."""
    correct = _correct(trainee, train, train.curve)
    ids = tuple(train.ids[i] for i in train.curve)
    yield Observations(trainee.name, "fit_top1", ids, tuple(correct.tolist()))
    tensors = {name: tensor.contiguous() for name, tensor in trainee.model.state_dict().items()}
    yield Artifact(WEIGHTS, safetensors.torch.save(tensors), trainee.name)
