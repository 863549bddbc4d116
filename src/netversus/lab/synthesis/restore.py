"""An image from the features of one stage: what the stage still knows of it (Mahendran & Vedaldi, CVPR 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from netversus.errors import CellError
from netversus.lab.synthesis.objective import bounds, total_variation
from netversus.records import ContenderCard

RATE, VARIATION = 0.1, 0.01


def restore(
    features: Callable[[Tensor], Tensor], card: ContenderCard, images: Tensor, start: Tensor, steps: int
) -> Iterator[Tensor]:
    """Images with nearly the same features as `images`, found from `start` without having seen them: after each step,
    the last are the finished ones.

    Args:
        features: what the contender sees, (n, 3, h, w), to the maps of the stage, (n, ...).
        card: the contender, for its range of pixels.
        images: float32, shape (n, 3, h, w), as the contender sees them.
        start: where to begin, of the same shape.
        steps: of Adam, its learning rate falling as a cosine.

    Minimises the squared distance of the features over the features' mean square, each image for itself, plus a
    little total variation. float32, shape (n, 3, h, w).

    Raises:
        CellError: the images became NaN or infinite.
    """
    low, high = bounds(card.preprocessing, images.device)
    with torch.no_grad():
        wanted = features(images).flatten(1).float()
        size = wanted.square().mean(1).clamp_min(1e-12)
    found = start.clamp(low, high).clone().requires_grad_()
    optimiser = torch.optim.Adam([found], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        far = (features(found).flatten(1).float() - wanted).square().mean(1) / size
        # Summed, not averaged: the slope of one image must not depend on how many others there are.
        loss = far.sum() + VARIATION * sum(total_variation(one[None]) for one in found)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            found.clamp_(low, high)
        if not bool(torch.isfinite(found).all()):
            raise CellError(f"an image from the features of {card.name} became NaN or infinite at step {step + 1}")
        yield found.detach().clone()


def root_mean_square(a: Tensor, b: Tensor) -> list[float]:
    """How far pictures lie apart, uint8, shape (n, 3, h, w): one number a pair, from black to white it is 1."""
    return ((a.double() - b.double()) / 255).square().flatten(1).mean(1).sqrt().tolist()
