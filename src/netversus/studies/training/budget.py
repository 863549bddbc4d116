"""How many steps a contender takes: as many as the others, or as many as fit the same time or the same arithmetic."""

from __future__ import annotations

import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from netversus.lab.bench import Bench
from netversus.lab.training.trainee import Trainee
from netversus.records import ContenderCard
from netversus.studies.training import TrainingOptions, total_samples
from netversus.studies.training.views import View

TIMED_STEPS = 5
TIMED_SECONDS = 5.0


def steps_for(bench: Bench, card: ContenderCard, train: View) -> int:
    """The number of steps, fixed before the first one, so that the schedule ends where the training does.

    With equal=time it follows from a few timed steps on this machine, once: a resumed cell keeps it.
    """
    options: TrainingOptions = bench.options
    if options.equal == "samples":
        return total_samples(options, len(train.labels)) // options.batch
    if options.equal == "flops":
        return max(1, int(1e12 * options.teraflops / (operations(bench, card) * options.batch)))
    return _remembered(bench, card, train)


def operations(bench: Bench, card: ContenderCard) -> int:
    """Floating-point operations of training on one image, counted in a forward and a backward pass of two: products
    and convolutions, a multiplication and an addition counting two."""
    model, side = bench.model(card, train=True), card.preprocessing.crop
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros((2, 3, side, side), device=bench.device)).sum().backward()
    passes = 2 if bench.options.sharpness else 1
    return passes * int(counter.get_total_flops()) // 2


def _remembered(bench: Bench, card: ContenderCard, train: View) -> int:
    path = bench.scratch(card.name) / "steps.json"
    if path.is_file():
        return int(json.loads(path.read_text()))
    fit = int(bench.options.seconds / _step_seconds(bench, card, train))
    steps: int = max(bench.options.rounds, fit)
    _write(path, steps)
    return steps


def _write(path: Path, content: Any) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)


def _step_seconds(bench: Bench, card: ContenderCard, train: View) -> float:
    """The median time of a step of a network that is thrown away, after one that warms up."""
    trial = Trainee(
        name=card.name,
        model=bench.model(card, train=True),
        preprocessing=card.preprocessing,
        recipe=bench.options,
        seed=bench.seed,
        steps=TIMED_STEPS + 1,
        device=bench.device,
        classes=bench.classes,
    )
    order = np.arange((TIMED_STEPS + 1) * bench.options.batch) % len(train.labels)
    times, last = [], time.perf_counter()
    for _ in trial.train(train.images, train.labels, order, trial.steps):
        times.append(time.perf_counter() - last)
        last = time.perf_counter()
        if len(times) > 1 and sum(times) > TIMED_SECONDS:
            break
    return statistics.median(times[1:])
