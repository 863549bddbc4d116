"""Neural Cleanse (Wang et al., IEEE S&P 2019): to the attacker's class the way is short from everywhere.

For each class a mask and a pattern are sought by gradient descent that turn all images into that class while the mask
covers as little as possible. A class whose mask is far smaller than the others' is accused: its distance from the
median in robust standard deviations (the anomaly index) exceeds 2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.preprocessing import normalise
from netversus.records import Preprocessing

ANOMALOUS = 2.0
FEWEST_CLASSES = 4  # of fewer, no median tells which is odd
_TO_SIGMA = 1.4826
_RATE, _SMALLNESS, _BATCH = 0.1, 1e-2, 32
_FLIPPED = 0.95  # of the images, from which on the mask may shrink faster


def masks(
    model: nn.Module, images: Tensor, classes: int, preprocessing: Preprocessing, device: torch.device, steps: int
) -> Iterator[float]:
    """The size of the smallest mask that was found for each class in turn: the share of the image it covers, in [0, 1].

    Args:
        model: in eval mode; its parameters are left alone.
        images: clean ones, uint8 (n, 3, h, w).
        classes: how many there are.
        preprocessing: the contender's.
        device: of the model.
        steps: of Adam, for each class.
    """
    wanted = [parameter.requires_grad for parameter in model.parameters()]
    try:
        model.requires_grad_(requires_grad=False)
        for label in range(classes):
            yield _mask(model, images, label, preprocessing, device, steps)
    finally:
        for parameter, before in zip(model.parameters(), wanted, strict=True):
            parameter.requires_grad_(before)


def _mask(
    model: nn.Module, images: Tensor, label: int, preprocessing: Preprocessing, device: torch.device, steps: int
) -> float:
    """Minimises cross-entropy to `label` + weight x size of the mask. The weight grows while the mask does its work and
    shrinks while it does not, as in the authors' code."""
    side = images.shape[-1]
    mask = torch.full((1, 1, side, side), -2.0, device=device, requires_grad=True)
    pattern = torch.zeros((1, 3, side, side), device=device, requires_grad=True)
    optimizer = torch.optim.Adam([mask, pattern], lr=_RATE, betas=(0.5, 0.9))
    aim = torch.full((_BATCH,), label, device=device)
    weight, smallest, last = _SMALLNESS, 1.0, 1.0
    for step in range(steps):
        index = (torch.arange(_BATCH) + step * _BATCH) % len(images)
        cover = mask.sigmoid()
        mixed = (1 - cover) * images[index].to(device).float() + cover * 255 * pattern.sigmoid()
        logits = model(normalise(mixed, preprocessing)).float()
        size = cover.mean()
        loss = nn.functional.cross_entropy(logits, aim) + weight * size * side
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        flipped, last = float((logits.argmax(dim=1) == label).float().mean()), float(size.detach())
        if flipped >= _FLIPPED:
            smallest, weight = min(smallest, last), weight * 1.5
        else:
            weight = max(weight / 1.5, 1e-4)
    return smallest


def anomaly_indices(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each class's mask lies below the median, in robust standard deviations: float64 (classes,), 0 for those
    above it or where all are alike."""
    middle = float(np.median(sizes))
    spread = _TO_SIGMA * float(np.median(np.abs(sizes - middle)))
    if spread == 0:
        return np.zeros(len(sizes))
    return np.maximum(0.0, (middle - sizes) / spread)
