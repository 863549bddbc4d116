"""Train the contenders in turns, round by round, and measure the learning curve between the rounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.lab.bench import Bench
from netversus.lab.training.activity import watched
from netversus.lab.training.checkpoint import Checkpoints, Pace
from netversus.lab.training.classes import scarce_classes
from netversus.lab.training.initial import start_as_identity
from netversus.lab.training.judge import answers
from netversus.lab.training.order import sample_order
from netversus.lab.training.trainee import Trainee
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress
from netversus.studies.training import NOTES, WEIGHTS
from netversus.studies.training.budget import steps_for
from netversus.studies.training.views import View, Views, views

CHECKPOINT_SECONDS = 60.0  # writing one costs seconds for a large contender; at most this much is trained twice


@dataclass
class Learner:
    """A contender in training, what it is shown, and the best that it was on the images held out for validation."""

    trainee: Trainee
    views: Views
    order: NDArray[np.int64]
    checkpoints: Checkpoints
    best_score: float = -1.0
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The contender's."""
        return self.trainee.name

    @property
    def unit(self) -> str:
        """The point of the learning curve where it is."""
        return f"samples-{self.trainee.done * self.trainee.recipe.batch:09d}"

    def save(self) -> None:
        """All that is needed to go on."""
        state = {"trainee": self.trainee.state(), "best_score": self.best_score, "best": self.best}
        self.checkpoints.save(self.trainee.done, state)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.trainee.restore(state["trainee"])
        self.best_score, self.best = state["best_score"], state["best"]


def measure(bench: Bench) -> Iterator[Emission]:
    """Each round every contender takes the same share of its steps; who goes first alternates."""
    shown = {p: views(bench, p) for p in dict.fromkeys(card.preprocessing for card in bench.contenders)}
    learners = [_learner(bench, card, shown[card.preprocessing]) for card in bench.contenders]
    for learner in learners:
        if said := scarce_classes(learner.views.train.labels.numpy(), bench.data.card.classes):
            yield Artifact(NOTES, "\n".join(said).encode(), learner.name)
    pace = Pace(CHECKPOINT_SECONDS)
    for number in range(bench.options.rounds):
        for learner in learners if number % 2 == 0 else reversed(learners):
            stop = round(learner.trainee.steps * (number + 1) / bench.options.rounds)
            if learner.trainee.done < stop:
                yield from _round(learner, stop, f"round-{number + 1:03d}")
                yield from _curve(learner)
        if pace.due():
            pace.keep(lambda: _save(bench, learners))
    for learner in learners:
        yield from _finish(learner)


def _save(bench: Bench, learners: list[Learner]) -> None:
    bench.flush()  # a resumed trainee takes its earlier rounds for observed
    for learner in learners:
        learner.save()


def _learner(bench: Bench, card: ContenderCard, shown: Views) -> Learner:
    model = bench.model(card, train=True)
    if bench.options.zero_init_residual:
        start_as_identity(model)
    steps = steps_for(bench, card, shown.train)
    trainee = Trainee(
        name=card.name,
        model=model,
        preprocessing=card.preprocessing,
        recipe=bench.options,
        seed=bench.seed,
        steps=steps,
        device=bench.device,
        classes=bench.classes,
    )
    samples = steps * bench.options.batch
    config = {"contender": card.digest, "options": bench.options.model_dump(mode="json"), "seed": bench.seed}
    learner = Learner(
        trainee=trainee,
        views=shown,
        order=sample_order(len(shown.train.labels), samples, bench.seed, bench.options.repeated),
        checkpoints=Checkpoints(bench.scratch(card.name), {**config, "steps": steps, "processes": 1}),
    )
    state = learner.checkpoints.newest(bench.device)
    if state is not None:
        learner.restore(state)
    return learner


def _round(learner: Learner, stop: int, unit: str) -> Iterator[Emission]:
    """The steps of one round: the seconds that an image took, and the means of the loss, of its change from step to
    step, and of the gradient's norm."""
    trainee, train = learner.trainee, learner.views.train
    first, begin = trainee.done, time.perf_counter()
    losses, norms = [], []
    for loss in trainee.train(train.images, train.labels, learner.order, stop):
        losses.append(loss)
        norms.append(trainee.gradient_norm)
        yield Progress(trainee.done, trainee.steps, f"steps of {trainee.name}")
    seconds = (time.perf_counter() - begin) / ((stop - first) * trainee.recipe.batch)
    yield Observations(learner.name, "train_time", (unit,), (seconds,))
    yield Observations(learner.name, "train_loss", (learner.unit,), (float(np.mean(losses)),))
    yield Observations(learner.name, "gradient_norm", (learner.unit,), (float(np.mean(norms)),))
    if len(losses) > 1:
        change = float(np.mean(np.abs(np.diff(losses))))
        yield Observations(learner.name, "loss_change", (learner.unit,), (change,))


def _curve(learner: Learner) -> Iterator[Emission]:
    """A point of the learning curve: top-1 on the same images of each split, dead units, and wrong labels learned."""
    shown, dead = learner.views, None
    with watched(learner.trainee.judged) as activity:
        yield _top1(learner, "curve_train_top1", shown.train)
        dead = activity.dead()
    yield _top1(learner, "curve_test_top1", shown.test)
    if dead is not None:
        yield Observations(learner.name, "dead_units", (learner.unit,), (dead,))
    if len(shown.train.wrong):
        wrong = shown.train.wrong[: len(shown.train.curve)]
        yield Observations(learner.name, "memorised", (learner.unit,), (_accuracy(learner, shown.train, wrong),))
    if shown.validation is not None:
        score = _accuracy(learner, shown.validation, np.arange(len(shown.validation.labels)))
        yield Observations(learner.name, "curve_validation_top1", (learner.unit,), (score,))
        if score > learner.best_score:
            learner.best_score = score
            learner.best = {k: v.detach().clone() for k, v in learner.trainee.judged.state_dict().items()}


def _top1(learner: Learner, metric: str, view: View) -> Observations:
    return Observations(learner.name, metric, (learner.unit,), (_accuracy(learner, view, view.curve),))


def _accuracy(learner: Learner, view: View, index: NDArray[np.int64]) -> float:
    return float(np.mean(_correct(learner, view, index)))


def _correct(learner: Learner, view: View, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Whether each image is given its label in eval mode: float64 of 0 and 1, shape (len(index),)."""
    trainee = learner.trainee
    said = answers(trainee.judged, view.images, index, trainee.preprocessing, trainee.device)
    return np.asarray(said == view.labels[torch.from_numpy(index)].numpy(), dtype=np.float64)


def _finish(learner: Learner) -> Iterator[Emission]:
    """How well the images of the train curve are fitted in the end, image by image, and the weights: those of the
    round that was best on the images held out, where some are."""
    judged, train = learner.trainee.judged, learner.views.train
    if learner.best:
        judged.load_state_dict(learner.best)
    ids = tuple(train.ids[i] for i in train.curve)
    yield Observations(learner.name, "fit_top1", ids, tuple(_correct(learner, train, train.curve).tolist()))
    tensors = {name: tensor.contiguous() for name, tensor in judged.state_dict().items()}
    yield Artifact(WEIGHTS, safetensors.torch.save(tensors), learner.name)
