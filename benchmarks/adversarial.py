"""The attack set beside the public AutoAttack implementation: the same networks, images and eps, in one run.

Three cases: a small network trained as usual, where nearly all falls at once; the same trained on changed images, whose
survivors every attack has to work on to the end, at 8/255 and at the eps given by --far. Both take l-inf, 100 steps, 9
wrong classes and 5,000 queries, in float32; the order of the two is exchanged from case to case. Every example of both
is counted only as our `verify` counts it. Nothing is stopped early by statistics.

Needs pyautoattack (it needs torch and numpy only: PYTHONPATH naming its folder will do). Some minutes on one core:
python benchmarks/adversarial.py [--images 24] [--far 24] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pyautoattack import AutoAttack
from record import record
from torch import Tensor, nn

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import ATTACKS, cascade
from netversus.lab.attacks.draws import keys_of
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.verify import verify
from netversus.lab.attacks.victim import Victim
from netversus.lab.data import open_data
from netversus.lab.engines.memory import keep_freed_memory
from netversus.lab.preprocessing import to_uint8
from netversus.lab.training.order import sample_order
from netversus.lab.training.recipe import make_recipe
from netversus.lab.training.trainee import Trainee
from netversus.records import Preprocessing

CPU = torch.device("cpu")
PREPARED = Preprocessing(crop=32, resize=None)
GOAL, WITHIN = 3.0, 0.005


def small_network(classes: int = 10) -> nn.Module:
    """Four convolutions, about 6 million multiply-adds an image."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after, stride in ((3, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2)):
        layers += [nn.Conv2d(before, after, 3, stride=stride, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(256, classes))


def pixels(split: Any) -> tuple[Tensor, Tensor]:
    stack = torch.stack([to_uint8(split.image(i), PREPARED) for i in range(len(split))])
    return stack, torch.from_numpy(split.labels)


def trained(split: Any, *, adversarial: bool) -> nn.Module:
    """By the product's own engine: on clean images, or on changed ones (FGSM from a random point)."""
    images, labels = pixels(split)
    recipe = make_recipe(
        {"epochs": 8, "batch": 64, "augment": "shift", "label_smoothing": 0.0, "learning_rate": 3e-3}
        | ({"adversarial_eps": 16.0} if adversarial else {})
    )
    steps = round(recipe.epochs * len(labels)) // recipe.batch
    learner = Trainee("small", small_network(), PREPARED, recipe, 0, steps, CPU, classes=10)
    order = sample_order(len(labels), steps * recipe.batch, 0, 1)
    for _ in learner.train(images, labels, order, steps):
        pass
    return learner.judged.eval()


class Normalised(nn.Module):
    """The network as the peer takes it: normalisation inside."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Pixels in [0, 1] to logits."""
        return self.model((images - 0.5) / 0.5)


def ours(model: nn.Module, images: Tensor, labels: Tensor, eps: float) -> tuple[Tensor, dict[str, float]]:
    result = cascade(
        Victim(model, PREPARED, CPU, folded=True),
        images,
        labels,
        Threat("linf", eps),
        Budget(),
        keys_of([str(i) for i in range(len(images))], 0),
    )
    return result.candidates, dict(zip(ATTACKS, result.seconds, strict=True))


def peers(model: nn.Module, images: Tensor, labels: Tensor, eps: float) -> tuple[Tensor, dict[str, float]]:
    attack = AutoAttack(Normalised(model), norm="Linf", eps=eps, version="standard", seed=0)
    attack.verbose = False
    found = attack.run_standard_evaluation(images, labels, batch_size=len(images))
    return found if isinstance(found, Tensor) else found[0], {}


def measured(
    attack: Callable[[nn.Module, Tensor, Tensor, float], tuple[Tensor, dict[str, float]]],
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
) -> dict[str, Any]:
    began = time.perf_counter()
    candidates, parts = attack(model, images, labels, eps)
    seconds = time.perf_counter() - began
    victim = Victim(model, PREPARED, CPU)
    clean = victim.exact(images).argmax(1) == labels
    turned = verify(victim, images, candidates.detach().float(), labels, Threat("linf", eps))
    return {"right": float((clean & ~turned).float().mean()), "seconds": seconds, "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--far", type=float, default=24.0)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    data = open_data("digits")
    plain, hardened = (trained(data.split("train"), adversarial=hard) for hard in (False, True))
    stack, labels = pixels(data.split("test"))
    images, labels = stack[: asked.images].float().div(255), labels[: asked.images]
    cases = [("trained as usual", plain, 8.0), ("hardened", hardened, 8.0), ("hardened", hardened, asked.far)]
    told: list[dict[str, Any]] = []
    for number, (name, model, levels) in enumerate(cases):
        pair = [("ours", ours), ("peer", peers)]
        seen = {}
        for who, by in pair[:: 1 - 2 * (number % 2)]:
            seen[who] = measured(by, model, images, labels, levels / 255)
            print(f"{name}, eps {levels:g}/255, {who}: {seen[who]}", flush=True)
        case = {"network": name, "eps": f"{levels:g}/255", **seen}
        case["times as fast"] = seen["peer"]["seconds"] / seen["ours"]["seconds"]
        told.append(case)
    lowest = min(case["times as fast"] for case in told)
    as_strong = all(case["ours"]["right"] <= case["peer"]["right"] + WITHIN for case in told)
    record(
        name="adversarial",
        peer="pyautoattack 0.2.0 (AutoAttack, standard version)",
        ratio=float(np.exp(np.mean([np.log(case["times as fast"]) for case in told]))),
        ratio_is="the peer's seconds / ours, geometric mean of the cases",
        better="higher",
        goal="right answers left equal or fewer within 0.5 points, and 3 times as fast, in every case",
        met=as_strong and lowest >= GOAL,
        measured={"images": asked.images, "threads": torch.get_num_threads(), "cases": told},
    )


if __name__ == "__main__":
    main()
