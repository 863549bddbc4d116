"""A training step of ResNet-50 here, against the step of timm's train.py under each of its CPU flags.

Same network, batch, size, optimiser and loss, in one process and in turns. The peer is handed its images normalised and
ready; ours starts from 8-bit pixels and augments them. python benchmarks/training_step.py [--side 32] [--rounds 8]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from record import record
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from torch import nn
from torchvision.models import resnet50

from netversus.lab.training.recipe import make_recipe
from netversus.lab.training.trainee import Trainee
from netversus.records import Preprocessing

BATCH, CLASSES = 32, 10
Step = Callable[[], object]


def theirs(side: int, precision: str, *, channels_last: bool) -> Step:
    """What `train_one_epoch` of timm's train.py does with --amp --amp-dtype bfloat16 and --channels-last."""
    model = resnet50(num_classes=CLASSES).train()
    images, labels = torch.randn(BATCH, 3, side, side), torch.arange(BATCH) % CLASSES
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.05)
    loss_of = LabelSmoothingCrossEntropy(0.1)

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = loss_of(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def ours(side: int, precision: str, *, channels_last: bool) -> Step:
    recipe = make_recipe({"batch": BATCH, "precision": precision, "channels_last": channels_last})
    model: nn.Module = resnet50(num_classes=CLASSES)
    trainee = Trainee(
        name="resnet50",
        model=model,
        preprocessing=Preprocessing(crop=side, resize=None),
        recipe=recipe,
        seed=0,
        steps=10_000,
        device=torch.device("cpu"),
        classes=CLASSES,
    )
    images = torch.randint(0, 256, (4 * BATCH, 3, side, side), dtype=torch.uint8)
    labels = torch.arange(4 * BATCH) % CLASSES
    order = np.arange(10_000 * BATCH) % len(images)
    steps = trainee.train(images, labels, order, trainee.steps)
    return lambda: next(steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=8)
    given = parser.parse_args()
    flags = list(product(("float32", "bfloat16"), (False, True)))
    steps: dict[str, Step] = {}
    for maker, (precision, last) in product((theirs, ours), flags):
        name = f"{maker.__name__}, {precision}{', channels last' if last else ''}"
        steps[name] = maker(given.side, precision, channels_last=last)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for each in range(given.rounds + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if each:  # the first warms up
                times[name].append(time.perf_counter() - begin)
    best = {name: min(taken) for name, taken in times.items()}
    ratios = {}
    for precision in ("float32", "bfloat16"):
        peer = min(v for k, v in best.items() if k.startswith(f"theirs, {precision}"))
        ratios[precision] = peer / min(v for k, v in best.items() if k.startswith(f"ours, {precision}"))
    record(
        name="training_step",
        peer="the step of timm's train.py with its best CPU flags of the same precision",
        ratio=min(ratios.values()),
        ratio_is="the peer's seconds / ours, the least of each, at the precision where we gain least",
        better="higher",
        goal="a step at least 1.2 times as fast as timm's at the same settings",
        met=min(ratios.values()) >= 1.2,
        measured={
            "ratio by precision": ratios,
            "least seconds a step": best,
            "seconds": times,
            "medians": {name: float(np.median(taken)) for name, taken in times.items()},
            "settings": f"resnet50, batch {BATCH}, {given.side} px, AdamW, label smoothing 0.1",
            "note": "most of the gain is the backward pass of 1x1 convolutions, and of 3x3 ones on maps of one place, "
            "as matrix products (recipe option products, on by default on CPUs); the rest is torch's fused AdamW. At "
            "224 px the maps are large and the products gain nothing",
            "rounds": given.rounds,
            "threads": torch.get_num_threads(),
        },
    )


if __name__ == "__main__":
    main()
