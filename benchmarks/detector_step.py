"""A training step of a detector here, against a plain loop as torchvision's reference script has it.

The peer is torchvision's own Faster R-CNN on ResNet-50 with FPN, in the loop of its references/detection: forward, sum
of the losses, a look whether it is finite, backward, SGD. Ours is the detector that a study builds on the contender
`resnet50`, in the study's training. Same layers, pictures, size, anchors, regions, optimiser; nothing frozen; in one
process and in turns. The peer is handed its pictures as float and ready; ours starts from 8-bit pixels and mirrors half
of them. The plain loop on our detector is timed too: it tells what is the loop's and what the detector's, whose 1x1
convolutions are matrix products on a CPU.

python benchmarks/detector_step.py [--side 128] [--batch 2] [--rounds 24]
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from record import record
from torch import Tensor, nn
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator

from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.detection.detector import ASPECTS, Plan, build, scale_of
from netversus.lab.detection.pictures import Pictures, target
from netversus.lab.detection.recipe import LARGE, DetectorRecipe
from netversus.lab.detection.training import Apprentice

GOAL = 1.0
CPU = torch.device("cpu")
Step = Callable[[], float]


def torchvisions(plan: Plan) -> nn.Module:
    """Torchvision's detector with the settings of ours; both box heads are 1024 wide."""
    made: nn.Module = fasterrcnn_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=len(plan.classes) + 1,
        trainable_backbone_layers=5,
        rpn_anchor_generator=AnchorGenerator(plan.anchors, (ASPECTS,) * len(plan.anchors)),
        min_size=plan.side,
        max_size=plan.longest,
        box_batch_size_per_image=plan.sizes.regions,
        rpn_post_nms_top_n_train=2 * plan.sizes.proposals,
        rpn_post_nms_top_n_test=plan.sizes.proposals,
    )
    return made


def plain(detector: nn.Module, pictures: Pictures, recipe: DetectorRecipe) -> Step:
    """The step of torchvision's reference script, its pictures ready in memory."""
    shown = pictures.shown(range(len(pictures)), CPU)
    truths = [target(pictures.frames.boxes(index), CPU) for index in range(len(pictures))]
    free = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(free, lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
    detector.train()
    done = 0

    def step() -> float:
        nonlocal done
        places = [(done * recipe.batch + each) % len(shown) for each in range(recipe.batch)]
        done += 1
        losses: dict[str, Tensor] = detector([shown[i] for i in places], [truths[i] for i in places])
        loss = torch.stack(list(losses.values())).sum()
        value = loss.item()
        if not math.isfinite(value):
            raise SystemExit(f"the peer's loss became {value}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return value

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=24)
    given = parser.parse_args()
    spec = f"scenes?size=32&train=1&test=1&frame_size={given.side}&frames=8&test_frames=1&sequences=1&test_sequences=1"
    data = open_data(spec)
    card = resolve("resnet50@scratch", data.card)
    recipe = DetectorRecipe(
        samples=100_000,
        batch=given.batch,
        learning_rate=1e-3,
        clip=0.0,
        flip=0.5,
        warmup=0.0,
        norms="trained",
        **asdict(LARGE),  # torchvision's own, whatever the side
    )
    pictures = Pictures(data.frames["train"])
    scale = scale_of(pictures.frames, None)

    def made() -> tuple[nn.Module, Plan]:
        return build(load(card, classes=0, seed=0), card, data.card.box_classes, scale, recipe, 0)

    detector, plan = made()
    steps: dict[str, Step] = {
        "torchvision's detector, plain loop": plain(torchvisions(plan), pictures, recipe),
        "our detector, plain loop": plain(made()[0], pictures, recipe),
        "ours": iter(Apprentice("resnet50", detector, recipe, 0, CPU).train(pictures)).__next__,
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for each in range(given.rounds + 1):
        names = list(steps)
        for name in names[each % len(names) :] + names[: each % len(names)]:
            begin = time.perf_counter()
            steps[name]()
            if each:  # the first warms up
                times[name].append(time.perf_counter() - begin)
    best = {name: min(taken) for name, taken in times.items()}
    ratio = best["torchvision's detector, plain loop"] / best["ours"]
    record(
        name="detector_step",
        peer="torchvision's fasterrcnn_resnet50_fpn in the loop of its reference script",
        ratio=ratio,
        ratio_is="the peer's seconds / ours, the least of each",
        better="higher",
        goal="a training step of a detector at least as fast as torchvision's reference script at equal settings",
        met=ratio >= GOAL,
        measured={
            "ratio of the medians": float(
                np.median(times["torchvision's detector, plain loop"]) / np.median(times["ours"])
            ),
            "ratio of the plain loop on our detector": best["our detector, plain loop"] / best["ours"],
            "least seconds a step": best,
            "seconds": times,
            "parameters": {
                name: sum(p.numel() for p in one.parameters() if p.requires_grad)
                for name, one in (
                    ("torchvision's", torchvisions(plan)),
                    ("ours", detector),
                )
            },
            "settings": f"Faster R-CNN on resnet50 with FPN, {given.side} px, batch {given.batch}, "
            f"{recipe.regions} regions a picture, SGD, float32, on CPU",
            "rounds": given.rounds,
            "threads": torch.get_num_threads(),
        },
    )


if __name__ == "__main__":
    main()
