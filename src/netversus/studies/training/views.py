"""The images as one preprocessing shows them: what is learned from, what is held out, what is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.lab.bench import Bench
from netversus.lab.data.dataset import ImageSet
from netversus.lab.data.split import held_out
from netversus.lab.training.judge import pixels, resident
from netversus.records import Preprocessing
from netversus.statistics.order import recorded_shuffle
from netversus.studies.training import TrainingOptions

_FRACTION, _VALIDATION, _NOISE, _SHARE = 11, 12, 13, 14  # what a random choice is for


@dataclass(frozen=True)
class View:
    """Some images: `images` uint8 (n, 3, h, w), `labels` int64 (n,), as they are taught. `curve` are the images on
    which the learning curve is measured; `wrong` those whose labels were made wrong."""

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor
    curve: NDArray[np.int64]
    wrong: NDArray[np.int64]


@dataclass(frozen=True)
class Views:
    """The train split without what is held out of it for validation, that, and the test split."""

    train: View
    validation: View | None
    test: View


def views(bench: Bench, preprocessing: Preprocessing, share: float = 1.0) -> Views:
    """The same images for every contender: they follow from the options and the bench's seed. With a `share` only so
    many of those that are learned from; a larger share holds the smaller one."""
    train, test = bench.data.split("train"), bench.data.split("test")
    learn, held = _parts(train, bench.options, bench.seed)
    if share < 1:
        learn = _chosen(train, learn, max(1, round(share * len(learn))), bench.seed + _SHARE)
    return Views(
        train=_view(bench, train, preprocessing, learn, noise=bench.options.label_noise),
        validation=_view(bench, train, preprocessing, held) if len(held) else None,
        test=_view(bench, test, preprocessing, np.arange(len(test))),
    )


def _parts(images: ImageSet, options: TrainingOptions, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The indices that are learned from and those that are held out, in proportion to the classes."""
    used = np.arange(len(images))
    if options.fraction < 1:
        used = _chosen(images, used, max(1, round(options.fraction * len(used))), seed + _FRACTION)
    if not options.validation:
        return used, used[:0]
    held = _chosen(images, used, max(1, round(options.validation * len(used))), seed + _VALIDATION)
    held = held[_not_alone(images.labels[used], images.labels[held])]
    return np.setdiff1d(used, held), held


def _chosen(images: ImageSet, among: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    labels, keys = images.labels[among].tolist(), [images.ids[i] for i in among]
    return among[held_out(labels, keys, count, seed)]


def _not_alone(labels: NDArray[np.int64], held: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the held-out images may stay so: a class of one image is learned from."""
    return np.bincount(labels, minlength=int(labels.max()) + 1)[held] > 1


def _view(
    bench: Bench, images: ImageSet, preprocessing: Preprocessing, index: NDArray[np.int64], noise: float = 0.0
) -> View:
    stack = pixels(images, preprocessing, index)
    labels, wrong = with_noise(images.labels[index], noise, bench.classes, bench.seed)
    return View(
        ids=tuple(images.ids[i] for i in index),
        images=resident(stack, bench.device),
        labels=torch.from_numpy(labels),
        curve=recorded_shuffle(len(index), 0)[: bench.options.curve_images],
        wrong=wrong,
    )


def with_noise(
    labels: NDArray[np.int64], share: float, classes: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels of which a share is replaced by another class, drawn evenly, and the indices of those (Zhang et al. 2017,
    who show that networks memorise them)."""
    labels = labels.copy()
    rng = np.random.default_rng([seed, _NOISE])
    wrong = rng.permutation(len(labels))[: round(share * len(labels)) if classes > 1 else 0]
    labels[wrong] = (labels[wrong] + rng.integers(1, max(2, classes), size=len(wrong))) % classes
    return labels, wrong
