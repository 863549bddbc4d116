"""A victim whose nearest wrong answers are known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netversus.lab.attacks.victim import Victim
from netversus.records import Preprocessing

SIDE, CLASSES = 8, 5
PLAIN = Preprocessing(crop=SIDE, resize=None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def linear(seed: int = 0, classes: int = CLASSES) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, classes))


def victim_of(model: nn.Module, preprocessing: Preprocessing = PLAIN) -> Victim:
    return Victim(model, preprocessing, torch.device("cpu"))


def grey_images(n: int, seed: int = 1) -> Tensor:
    """Far enough from 0 and 1 that [0, 1] binds no small change."""
    return 0.3 + 0.4 * torch.rand(n, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def answers(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images).argmax(1)


def exact_distance(model: nn.Module, images: Tensor, norm: str) -> Tensor:
    """Hölder: the gap of two logits over the dual norm of their weights' difference, over the nearest class."""
    weight, logits = model[-1].weight.detach().double(), model(images).detach().double()
    top = logits.argmax(1)
    gaps = logits.gather(1, top[:, None]) - logits
    order = 1 if norm == "linf" else 2
    lengths = (weight[top][:, None] - weight[None]).norm(p=order, dim=2)
    distances = gaps / lengths
    distances[torch.arange(len(images)), top] = torch.inf
    return distances.amin(1)
