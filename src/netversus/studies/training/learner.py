"""A contender in training, in the process that measures and in those that only train with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.training.checkpoint import Checkpoints
from netversus.lab.training.distributed import World
from netversus.lab.training.initial import start_as_identity
from netversus.lab.training.order import sample_order
from netversus.lab.training.trainee import Trainee
from netversus.records import ContenderCard
from netversus.studies.training import TrainingOptions


@dataclass(frozen=True)
class Task:
    """What is trained: a contender, for so many `steps`, with its checkpoints in `folder`. `data` is the file of its
    images for the other processes; None where there are none. All that decides the weights, bit for bit, is in
    `config`."""

    card: ContenderCard
    options: Mapping[str, Any]
    seed: int
    classes: int
    steps: int
    share: float
    folder: Path
    data: Path | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """What a checkpoint must have in common with it."""
        return {
            "contender": self.card.digest,
            "options": dict(self.options),
            "seed": self.seed,
            "steps": self.steps,
            "processes": self.options["processes"],
            "share": self.share,
        }


@dataclass
class Learner:
    """A task under way: the network, what it is shown (`images` uint8 (n, 3, h, w), `labels` int64 (n,), in `order`),
    and the best that it was on the images held out for validation."""

    trainee: Trainee
    images: Tensor
    labels: Tensor
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


def make_learner(
    task: Task, model: nn.Module, images: Tensor, labels: Tensor, device: torch.device, world: World
) -> Learner:
    """A learner at its beginning, or where its newest checkpoint has it. `model` is freshly initialised.

    Raises:
        OptionError: a step's images cannot be shared out among the processes.
        RunFolderError: the checkpoints belong to another training.
    """
    recipe = TrainingOptions.model_validate(dict(task.options))
    if recipe.zero_init_residual:
        start_as_identity(model)
    trainee = Trainee(
        name=task.card.name,
        model=model,
        preprocessing=task.card.preprocessing,
        recipe=recipe,
        seed=task.seed,
        steps=task.steps,
        device=device,
        classes=task.classes,
        world=world,
    )
    order = sample_order(len(labels), task.steps * recipe.batch, task.seed, recipe.repeated)
    learner = Learner(trainee, images, labels, order, Checkpoints(task.folder, task.config))
    state = learner.checkpoints.newest(device)
    if state is not None:
        learner.restore(state)
    return learner


def rounds(learners: Sequence[Learner], count: int) -> Iterator[tuple[int, Learner, int]]:
    """Whose turn it is: the round (from 0), a learner that has steps left in it, and the step at which it ends. Every
    process keeps to the same turns; who goes first alternates."""
    for number in range(count):
        for learner in learners if number % 2 == 0 else reversed(learners):
            stop = round(learner.trainee.steps * (number + 1) / count)
            if learner.trainee.done < stop:
                yield number, learner, stop
