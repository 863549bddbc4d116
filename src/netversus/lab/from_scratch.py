"""A contender trained from scratch on images that a study has prepared itself, with the recipe of a run's trainings."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.bench import Bench
from netversus.lab.evaluation import predict
from netversus.lab.preprocessing import normalise
from netversus.lab.training.checkpoint import Checkpoints, Pace
from netversus.lab.training.initial import start_as_identity
from netversus.lab.training.judge import resident
from netversus.lab.training.order import sample_order
from netversus.lab.training.recipe import Recipe
from netversus.lab.training.room import fitting
from netversus.lab.training.trainee import Trainee
from netversus.records import ContenderCard

CHECKPOINT_SECONDS = 60.0
BATCH = 64


@dataclass(frozen=True)
class Lesson:
    """What is taught: `images` uint8 (n, 3, h, w) as the contender sees them, `labels` int64 (n,), for so many `steps`.
    `name` is that of its folder, unique within the cell; the first weights follow from `seed`, and so does the
    order."""

    name: str
    images: Tensor
    labels: NDArray[np.int64]
    seed: int
    steps: int


def taught(bench: Bench, card: ContenderCard, lesson: Lesson, recipe: Recipe) -> Generator[int, None, nn.Module]:
    """Trains a contender, or goes on where a killed training was; yields the steps done, and returns the network in
    eval mode (`model = yield from taught(...)`).

    Raises:
        DivergedError: the loss is no longer a number.
        CellError: a batch does not fit in memory, or there are too few outputs.
    """
    folder = bench.scratch(card.name) / lesson.name
    trainee = _trainee(bench, card, lesson, recipe)
    checkpoints = Checkpoints(folder, _config(card, lesson, recipe))
    images, labels = resident(lesson.images, bench.device), torch.from_numpy(lesson.labels)
    order = sample_order(len(labels), lesson.steps * recipe.batch, lesson.seed, recipe.repeated)
    pace = Pace(CHECKPOINT_SECONDS)
    with fitting(recipe.batch):
        state = checkpoints.newest(bench.device)
        if state is not None:
            trainee.restore(state)
        for _ in trainee.train(images, labels, order, lesson.steps):
            if pace.due():
                pace.keep(lambda: checkpoints.save(trainee.done, trainee.state()))
            yield trainee.done
    return trainee.judged.eval()


def forgotten(bench: Bench, card: ContenderCard, name: str) -> None:
    """Removes a lesson's checkpoints, once what came out of it is stored."""
    shutil.rmtree(bench.scratch(card.name) / name, ignore_errors=True)


def _trainee(bench: Bench, card: ContenderCard, lesson: Lesson, recipe: Recipe) -> Trainee:
    model = replace(bench, seed=lesson.seed).model(card, train=True)
    if recipe.zero_init_residual:
        start_as_identity(model)
    return Trainee(
        name=card.name,
        model=model,
        preprocessing=card.preprocessing,
        recipe=recipe,
        seed=lesson.seed,
        steps=lesson.steps,
        device=bench.device,
        classes=bench.classes,
    )


def _config(card: ContenderCard, lesson: Lesson, recipe: Recipe) -> Mapping[str, Any]:
    return {
        "contender": card.digest,
        "options": recipe.model_dump(mode="json"),
        "lesson": lesson.name,
        "seed": lesson.seed,
        "steps": lesson.steps,
    }


def said(bench: Bench, card: ContenderCard, model: nn.Module, images: Tensor) -> Tensor:
    """The logits that a contender's network in eval mode gives prepared images, uint8 (n, 3, h, w): float32
    (n, classes), on the CPU."""
    inputs = (normalise(part.to(bench.device), card.preprocessing) for part in torch.split(images, BATCH))
    return torch.cat([predict(model, each, bench.room(card)) for each in inputs])
