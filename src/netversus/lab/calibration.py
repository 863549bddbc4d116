"""What each contender costs on this machine, timed on a few steps, so that a plan can fit a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from netversus.lab.contenders.load import load
from netversus.records import ContenderCard, Rates

BATCH = 32
SECONDS_EACH = 2.0  # a slow machine does its one repetition however long that takes
MOST_REPEATS = 8


def calibrate(
    cards: Iterable[ContenderCard], classes: int, device: torch.device, *, train: bool
) -> Mapping[str, Rates]:
    """Seconds an image for inference and, with `train`, for a training step, and what a call costs, by contender."""
    return {card.name: _rates(card, classes, device, train=train) for card in cards}


def _rates(card: ContenderCard, classes: int, device: torch.device, *, train: bool) -> Rates:
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


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """The median duration after one warm-up: a plan wants what is usual, not what is best."""
    _timed(work, device)
    durations: list[float] = []
    while len(durations) < MOST_REPEATS and sum(durations) < SECONDS_EACH:
        durations.append(_timed(work, device))
    return sorted(durations)[len(durations) // 2]


def _timed(work: Callable[[], None], device: torch.device) -> float:
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin
