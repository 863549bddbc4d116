"""Pictures of a class by plain gradient ascent from its average image, for adversarially trained networks.

Santurkar et al., "Image synthesis with a single (robust) classifier" (NeurIPS 2019): projected gradient steps of a
fixed length in l2, from a normal distribution fitted to each class. A network that was not trained adversarially
answers with noise that looks like nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from netversus.lab.synthesis.objective import bounds
from netversus.lab.synthesis.paint import Subject, generator
from netversus.records import ContenderCard

REACH = 0.25
"""How far a picture may move from where it began: root mean square of the pixels, black 0 and white 1."""


def begin(average: Tensor, spread: Tensor, subjects: Sequence[Subject], seed: int) -> Tensor:
    """Where the ascent begins: pixels in [0, 1], float32, shape (n, 3, side, side).

    Args:
        average: mean image of each class, in [0, 1], shape (classes, 3, side, side).
        spread: standard deviation of each pixel within each class, of the same shape.
        subjects: which pictures.
        seed: of the draws from the normal distributions.
    """
    drawn = [
        torch.randn(average.shape[1:], generator=generator("ascent", seed, one.label, one.number)) for one in subjects
    ]
    labels = torch.tensor([one.label for one in subjects])
    return (average[labels] + spread[labels] * torch.stack(drawn)).clamp(0, 1)


def ascend(model: nn.Module, card: ContenderCard, labels: Tensor, start: Tensor, steps: int) -> Tensor:
    """`start`, moved towards `labels` (int64, shape (n,)): pixels in [0, 1], float32, shape (n, 3, side, side).

    Every step is 2.5 / `steps` of the reach, along the gradient of each picture's own cross-entropy.
    """
    low, high = bounds(card.preprocessing, start.device)
    reach = REACH * start[0].numel() ** 0.5
    images = start.clone()
    for _ in range(steps):
        images.requires_grad_()
        loss = fn.cross_entropy(model(low + images * (high - low)).float(), labels, reduction="sum")
        (slope,) = torch.autograd.grad(loss, images)
        with torch.no_grad():
            moved = images - 2.5 * reach / steps * slope / _length(slope).clamp_min(1e-12)
            away = moved - start
            images = torch.clamp(start + away * (reach / _length(away).clamp_min(1e-12)).clamp_max(1), 0, 1)
    return images.detach()


def _length(each: Tensor) -> Tensor:
    """Euclidean length of each picture, shape (n, 1, 1, 1)."""
    lengths: Tensor = torch.linalg.vector_norm(each.flatten(1), dim=1)
    return lengths.view(-1, 1, 1, 1)
