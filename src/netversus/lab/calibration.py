"""What each contender costs on this machine, timed on a few steps, so that a plan can fit a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import numpy as np
import torch
from torch import nn

from netversus.errors import CellError, UnsafeFileError
from netversus.lab.contenders.detectors import BOXES
from netversus.lab.contenders.load import load
from netversus.lab.rates import nominal_rates
from netversus.lab.training.recipe import Recipe
from netversus.lab.training.trainee import Trainee
from netversus.records import ContenderCard, Rates

BATCH = 32
SECONDS_EACH = 2.0  # a slow machine does its one repetition however long that takes
MOST_REPEATS = 8


def calibrate(
    cards: Iterable[ContenderCard], classes: int, device: torch.device, *, train: bool, recipe: Recipe | None = None
) -> Mapping[str, Rates]:
    """Seconds an image for inference and, with `train`, for a plain training step and one as `recipe` has it, and what
    a call costs, by contender. Of a file of results, and of a detector, which answers no classes, the guess stands; so
    it does of a file that is not opened, whose cells say so."""
    cards = tuple(cards)
    measured = {}
    for card in filter(_can_be_timed, cards):
        with suppress(UnsafeFileError):
            measured[card.name] = _rates(card, classes, device, train=train, recipe=recipe)
    return {**nominal_rates(card for card in cards if card.name not in measured), **measured}


def _can_be_timed(card: ContenderCard) -> bool:
    return card.source != "results" and card.head != BOXES


def _rates(card: ContenderCard, classes: int, device: torch.device, *, train: bool, recipe: Recipe | None) -> Rates:
    model = load(card, classes=classes, seed=0).to(device)
    inputs = torch.randn(BATCH, 3, card.preprocessing.crop, card.preprocessing.crop, device=device)
    trainable = train and card.untrained and card.source != "onnx"
    infer = _seconds(lambda: _infer(model, inputs), device) / BATCH
    single = _seconds(lambda: _infer(model, inputs[:1]), device)
    return Rates(
        infer_seconds=infer,
        train_seconds=_seconds(_training_step(model, inputs, classes), device) / BATCH if trainable else 0.0,
        parameters=sum(p.numel() for p in model.parameters()),
        measured=True,
        call_seconds=max(0.0, single - infer),
        recipe_seconds=_recipe_seconds(card, model, classes, device, recipe) if trainable and recipe else None,
    )


@torch.inference_mode()
def _infer(model: nn.Module, inputs: torch.Tensor) -> None:
    model.eval()(inputs)


def _training_step(model: nn.Module, inputs: torch.Tensor, classes: int) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    labels = torch.arange(len(inputs), device=inputs.device) % classes

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model.train()(inputs), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _recipe_seconds(
    card: ContenderCard, model: nn.Module, classes: int, device: torch.device, recipe: Recipe
) -> float | None:
    """Seconds an image of the training engine's own step under a recipe: its precision, the two passes of its
    sharpness, its average of the weights, its augmentation. At most `BATCH` images a step, which is nearly the same an
    image, and not compiled, which takes longer than all the rest. None where it cannot be trained: that is its cell's
    to say."""
    batch = min(recipe.batch, BATCH) // 2 * 2
    steps = MOST_REPEATS + 1
    side = card.preprocessing.crop
    trainee = Trainee(
        name=card.name,
        model=model,
        preprocessing=card.preprocessing,
        recipe=recipe.model_copy(update={"batch": batch, "compile": False, "first_size": 1.0, "learning_rate": 1e-9}),
        seed=0,
        steps=steps,
        device=device,
        classes=classes,
    )
    images = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8)
    labels = torch.arange(batch) % classes
    taken = trainee.train(images, labels, np.arange(steps * batch) % batch, steps)
    try:
        return _seconds(lambda: next(taken), device) / batch
    except CellError:
        return None


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """The median duration after one warm-up: a plan wants what is usual, not what is best."""
    _timed(work, device)
    durations: list[float] = []
    while len(durations) < MOST_REPEATS and sum(durations) < SECONDS_EACH:
        durations.append(_timed(work, device))
    return sorted(durations)[len(durations) // 2]


def _timed(work: Callable[[], object], device: torch.device) -> float:
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin
