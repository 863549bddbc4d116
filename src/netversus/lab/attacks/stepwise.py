"""FGSM (Goodfellow et al. 2015) and PGD (Madry et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.draws import like
from netversus.lab.attacks.losses import cross_entropy
from netversus.lab.attacks.rows import Rows, advance
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.victim import Victim, chunk_for

STRIDE = 2.5  # a step of PGD is 2.5 eps / steps: enough to cross the ball (Madry et al. 2018)
_TURN = 1


def fgsm(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """One step of length eps along the gradient's sign, from the image itself."""
    del budget, keys
    return _climb(victim, images, labels, images.clone(), threat, steps=1, stride=threat.eps, to_the_end=False)


def pgd(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """`short_steps` steps of equal length on the cross-entropy, from a random point of the ball."""
    start = threat.start(images, like(images, keys, _TURN))
    stride = STRIDE * threat.eps / budget.short_steps
    return _climb(
        victim, images, labels, start, threat, steps=budget.short_steps, stride=stride, to_the_end=budget.to_the_end
    )


def _climb(
    victim: Victim,
    images: Tensor,
    labels: Tensor,
    start: Tensor,
    threat: Threat,
    *,
    steps: int,
    stride: float,
    to_the_end: bool,
) -> Tensor:
    """Steps along the steepest direction. An image is done when it is wrong, or after `steps`.

    The pass that gives the gradient also tells whether the last step was enough.
    """
    state: Rows = {
        "clean": images,
        "labels": labels,
        "x": start,
        "taken": torch.zeros(len(images), dtype=torch.int64, device=images.device),
    }

    def step(rows: Rows) -> Tensor:
        gradient, logits, _ = victim.gradient(rows["x"], rows["labels"], cross_entropy)
        wrong = logits.argmax(1) != rows["labels"]
        done = (rows["taken"] == steps) | (wrong & (not to_the_end))
        moved = threat.project(rows["x"] + stride * threat.steepest(gradient), rows["clean"])
        rows["x"] = torch.where(done.view(-1, 1, 1, 1), rows["x"], moved)
        rows["taken"] = rows["taken"] + 1
        return done

    if not len(images):
        return start
    return advance(state, step, chunk_for(*images.shape[-2:]))["x"]
