"""Pictures of a class from noise: what a classifier itself takes for the class (Yin et al., CVPR 2020).

From the paper's formula; no term rests on the images of the data, only on the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from netversus.errors import CellError
from netversus.lab.synthesis.objective import BatchStatistics, bounds, total_variation
from netversus.records import ContenderCard, digest

FAINT = 0.1  # standard deviation of the noise, where an ordinary image has about 1
HALVED_FROM = 128  # pixels a side: from here on the first steps are made at half the resolution
_HALVED_SHARE = 2 / 3  # of the steps


@dataclass(frozen=True, slots=True)
class Brush:
    """How pictures are painted: steps of Adam with betas (0.5, 0.9), the learning rate falling as a cosine, and the
    weights of total variation, mean square, and batch statistics beside the cross-entropy's 1."""

    steps: int
    rate: float = 0.1
    variation: float = 0.5
    size: float = 0.001
    statistics: float = 1.0


@dataclass(frozen=True, slots=True)
class Subject:
    """One picture to be painted: the class (an output of the network) and which of its pictures it is."""

    label: int
    number: int


def paint(
    model: nn.Module, card: ContenderCard, subjects: Sequence[Subject], brush: Brush, seed: int
) -> Iterator[Tensor]:
    """Pictures of the subjects after each step, as the contender sees them: float32, shape (n, 3, crop, crop), on the
    model's device. The last are the finished ones.

    The pictures of one call are painted together, for the statistics are those of a batch: another batch gives other
    pictures. What each begins with follows from the seed, its class and its number alone.

    Raises:
        CellError: the pictures became NaN or infinite.
    """
    learning = [each for each in model.parameters() if each.requires_grad]
    model.requires_grad_(False)
    statistics = BatchStatistics(model)
    try:
        with statistics.watching():
            yield from _strokes(model, card, subjects, brush, seed, statistics)
    finally:
        for parameter in learning:
            parameter.requires_grad_()


def _strokes(
    model: nn.Module,
    card: ContenderCard,
    subjects: Sequence[Subject],
    brush: Brush,
    seed: int,
    statistics: BatchStatistics,
) -> Iterator[Tensor]:
    device, side = _device(model), card.preprocessing.crop
    low, high = bounds(card.preprocessing, device)
    labels = torch.tensor([one.label for one in subjects], device=device)
    images = noise(subjects, side, seed).to(device).clamp(low, high).requires_grad_()
    shifts = _shifts(seed, brush.steps, max(1, side // 8))
    optimiser = torch.optim.Adam([images], lr=brush.rate, betas=(0.5, 0.9))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, brush.steps)
    coarse = _coarse_steps(model, side, brush.steps, device)
    for step in range(brush.steps):
        shown = torch.roll(images, shifts[step], dims=(2, 3))
        shown = fn.avg_pool2d(shown, 2) if step < coarse else shown
        loss = fn.cross_entropy(model(shown).float(), labels)
        loss = loss + brush.variation * total_variation(shown) + brush.size * shown.square().mean()
        far = statistics.distance()
        if far is not None:
            loss = loss + brush.statistics * far
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            images.clamp_(low, high)  # NaN stays NaN
        if not bool(torch.isfinite(images).all()):
            raise CellError(f"what {card.name} paints became NaN or infinite at step {step + 1} of {brush.steps}")
        yield images.detach().clone()


def noise(subjects: Sequence[Subject], side: int, seed: int) -> Tensor:
    """Faint normal noise, float32, shape (n, 3, side, side); each picture's is its own, whatever its batch.

    Strong noise would still be seen after the few steps that a budget allows."""
    return FAINT * torch.stack(
        [
            torch.randn(3, side, side, generator=generator("noise", seed, one.label, one.number), dtype=torch.float32)
            for one in subjects
        ]
    )


def generator(*key: object) -> torch.Generator:
    """Random numbers that follow from the key alone."""
    made = torch.Generator()
    made.manual_seed(int(digest(*key)[:15], 16))
    return made


def _shifts(seed: int, steps: int, most: int) -> list[tuple[int, int]]:
    """By how many pixels the pictures are shifted at each step, down and to the right."""
    drawn = torch.randint(-most, most + 1, (steps, 2), generator=generator("shifts", seed)).tolist()
    return [(down, right) for down, right in drawn]


def _coarse_steps(model: nn.Module, side: int, steps: int, device: torch.device) -> int:
    """How many of the first steps are made at half the resolution; none where the network takes one size only."""
    if side < HALVED_FROM:
        return 0
    try:
        with torch.no_grad():
            model(torch.zeros(1, 3, side // 2, side // 2, device=device))
    except (RuntimeError, AssertionError, ValueError):
        return 0
    return round(_HALVED_SHARE * steps)


def _device(model: nn.Module) -> torch.device:
    return next((each.device for each in model.parameters()), torch.device("cpu"))
