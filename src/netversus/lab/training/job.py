"""Train one contender alone, on one process or several, to a file of weights that is a contender itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from netversus.errors import RunFolderError, SpecError, WeightsError
from netversus.files import write_atomic
from netversus.lab.contenders.load import load
from netversus.lab.contenders.spec import SCRATCH, parse
from netversus.lab.data.dataset import Dataset
from netversus.lab.training.checkpoint import Checkpoints, Pace
from netversus.lab.training.classes import scarce_classes
from netversus.lab.training.distributed import World
from netversus.lab.training.initial import start_as_identity
from netversus.lab.training.judge import answers, pixels, resident
from netversus.lab.training.model_card import Trained, model_card
from netversus.lab.training.order import sample_order
from netversus.lab.training.recipe import Recipe
from netversus.lab.training.room import fitting
from netversus.lab.training.trainee import Trainee
from netversus.messages import noted
from netversus.records import ContenderCard

CHECKPOINT_SECONDS = 60.0
WEIGHTS, CARD, STATE = "model.safetensors", "README.md", "state"
_TOLD = "netversus"  # the name under which the weights' file tells where they come from


@dataclass(frozen=True)
class Job:
    """What is trained, on what, how, and where the result goes."""

    card: ContenderCard
    data: Dataset
    recipe: Recipe
    seed: int
    folder: Path

    @property
    def weights(self) -> Path:
        """The file of weights; it is there when the job is done."""
        return self.folder / WEIGHTS

    @property
    def steps(self) -> int:
        """How many steps it takes: whole batches, at least one."""
        return max(1, round(self.recipe.epochs * len(self.data.split("train"))) // self.recipe.batch)

    def config(self, world: World) -> dict[str, Any]:
        """All that decides the weights, bit for bit, on one machine."""
        return {
            "contender": self.card.name,
            "contender digest": self.card.digest,
            "data": self.data.card.spec,
            "data digest": self.data.card.digest,
            "seed": self.seed,
            "steps": self.steps,
            "processes": world.size,
            **self.recipe.model_dump(mode="json"),
        }


def train_alone(
    job: Job,
    device: torch.device,
    world: World,
    *,
    say: Callable[[str], None],
    progressed: Callable[[int, int, float], None],
) -> Trained:
    """Train, or go on where a killed training was, and write weights and a model card.

    Args:
        job: what to do.
        device: of this process.
        world: this process among those that train together; only the first writes.
        say: takes a line for people, in English (`messages.told` tells it in their language).
        progressed: takes steps done, steps in all, and the loss.

    Raises:
        WeightsError, SpecError: the contender cannot be trained, or not to a file.
        RunFolderError: the folder holds another training.
        CellError: it diverged, lost another process, or a batch does not fit in memory.
    """
    _refuse(job)
    if job.weights.is_file():
        return _finished(job, world, say)
    for line in scarce_classes(job.data.split("train").labels, job.data.card.classes):
        say(line)
    with fitting(job.recipe.batch):
        trainee = _trainee(job, device, world)
        checkpoints = Checkpoints(job.folder / STATE, job.config(world), warn=say)
        state = checkpoints.newest(device)
        if state is not None:
            trainee.restore(state)
            say(noted("going on after step {n} of {total}", n=f"{trainee.done:,}", total=f"{trainee.steps:,}"))
        _train(job, trainee, checkpoints, progressed)
        trained = _trained(job, trainee)
    if world.first:
        _write(job, trainee, trained)
    return trained


def _refuse(job: Job) -> None:
    if not job.card.untrained:
        raise WeightsError(
            f"{job.card.name} has weights already; training starts from scratch",
            hint=f"write {_scratch(job.card)}",
        )
    if job.card.source not in ("torchvision", "timm"):
        raise SpecError(f"{job.card.name} cannot be named by a file: torchvision's and timm's networks can")


def _scratch(card: ContenderCard) -> str:
    """The spec of a contender with random weights, where it could have those."""
    if card.source not in ("torchvision", "timm"):
        return f"{card.architecture}@{SCRATCH}"
    return replace(parse(card.spec), weights=SCRATCH, engine="", name="").canonical


def _finished(job: Job, world: World, say: Callable[[str], None]) -> Trained:
    with safetensors.safe_open(str(job.weights), framework="pt") as file:
        told = json.loads((file.metadata() or {}).get(_TOLD, "{}"))
    if told.get("config") != json.loads(json.dumps(job.config(world))):
        raise RunFolderError(f"{job.weights} comes from another training", hint="name a new folder")
    say(noted("it is trained already"))
    return Trained(**told["trained"])


def _trainee(job: Job, device: torch.device, world: World) -> Trainee:
    classes = len(job.data.card.classes)
    model = load(job.card, classes=classes, seed=job.seed).to(device)
    if job.recipe.zero_init_residual:
        start_as_identity(model)
    return Trainee(
        name=job.card.name,
        model=model,
        preprocessing=job.card.preprocessing,
        recipe=job.recipe,
        seed=job.seed,
        steps=job.steps,
        device=device,
        classes=classes,
        world=world,
    )


def _train(job: Job, trainee: Trainee, checkpoints: Checkpoints, progressed: Callable[[int, int, float], None]) -> None:
    train = job.data.split("train")
    images = resident(pixels(train, job.card.preprocessing), trainee.device)
    order = sample_order(len(train), trainee.steps * job.recipe.batch, job.seed, job.recipe.repeated)
    pace = Pace(CHECKPOINT_SECONDS)
    for loss in trainee.train(images, torch.from_numpy(train.labels), order, trainee.steps):
        progressed(trainee.done, trainee.steps, loss)
        if trainee.world.first and pace.due():
            pace.keep(lambda: checkpoints.save(trainee.done, trainee.state()))


def _trained(job: Job, trainee: Trainee) -> Trained:
    """Judge what came out of it on the whole test split, where there is one."""
    correct = images = None
    if trainee.world.first and "test" in job.data.splits:
        test = job.data.split("test")
        stack = pixels(test, job.card.preprocessing)
        said = answers(trainee.judged, stack, np.arange(len(test)), job.card.preprocessing, trainee.device)
        correct, images = int((said == test.labels).sum()), len(test)
    return Trained(steps=trainee.steps, samples=trainee.steps * job.recipe.batch, correct=correct, images=images)


def _write(job: Job, trainee: Trainee, trained: Trained) -> None:
    """The card, then the weights, whose presence says that all is there, each whole or not at all."""
    job.folder.mkdir(parents=True, exist_ok=True)
    config = job.config(trainee.world)
    text = model_card(job.card, job.data.card, job.recipe, config, trained, spec(job))
    write_atomic(job.folder / CARD, text.encode())
    tensors = {name: tensor.contiguous().cpu() for name, tensor in trainee.judged.state_dict().items()}
    # One entry: safetensors writes several in an order of its own, and equal trainings make equal files.
    told = json.dumps({"config": config, "trained": trained.facts()})
    write_atomic(job.weights, safetensors.torch.save(tensors, {_TOLD: told}))
    shutil.rmtree(job.folder / STATE, ignore_errors=True)


def spec(job: Job) -> str:
    """The contender that came out of it, as `compare` takes it: with its architecture, its shape where that is not the
    library's, and its preprocessing."""
    prepared = job.card.preprocessing
    settings = {
        "arch": f"{job.card.source}:{job.card.architecture}",
        **parse(job.card.spec).settings,
        "crop": str(prepared.crop),
        "interpolation": prepared.interpolation,
        "mean": ",".join(f"{value:g}" for value in prepared.mean),
        "std": ",".join(f"{value:g}" for value in prepared.std),
    }
    if prepared.resize is not None:
        settings["resize"] = str(prepared.resize)
    return f"file:{job.weights}?" + "&".join(f"{name}={value}" for name, value in settings.items())
