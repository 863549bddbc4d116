"""The terms that a synthesis minimises, each averaged so that neither size nor depth changes its weight.

Yin et al., "Dreaming to Distill" (CVPR 2020); Mahendran & Vedaldi, "Understanding deep image representations by
inverting them" (CVPR 2015).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from netversus.records import Preprocessing

FIRST = 10.0
"""How much more the statistics of the first layer weigh than those of any other, as in the paper."""


def total_variation(images: Tensor) -> Tensor:
    """Root mean square of the differences to the neighbours to the right, below, and on both diagonals, summed over
    the four directions. `images` float, shape (n, c, h, w); a scalar."""
    right = images[..., :, 1:] - images[..., :, :-1]
    below = images[..., 1:, :] - images[..., :-1, :]
    falling = images[..., 1:, 1:] - images[..., :-1, :-1]
    rising = images[..., 1:, :-1] - images[..., :-1, 1:]
    # A constant picture has no direction in which to change: the root is kept from having an infinite slope.
    return torch.stack([(each.square().mean() + 1e-12).sqrt() for each in (right, below, falling, rising)]).sum()


class BatchStatistics:
    """How far the statistics of a batch lie from those that a network kept of its training images.

    Where the paper sums over the layers, this is their mean: ResNet-50 has 53 batch norms and ResNet-101 104, and depth
    alone should not change the weight of the term. A network without batch norms has no such term.
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = [each for each in model.modules() if isinstance(each, _BatchNorm) and each.track_running_stats]
        self._seen: dict[int, Tensor] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside, every pass of a batch through the network is looked at."""
        handles = [
            layer.register_forward_pre_hook(partial(self._look, number)) for number, layer in enumerate(self.layers)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._seen.clear()

    def distance(self) -> Tensor | None:
        """The weighted mean over the layers of |mean - kept mean| + |variance - kept variance| (Euclidean norms) after
        the latest pass, a scalar; None for a network without batch norms."""
        if not self._seen:
            return None
        weights = torch.tensor([FIRST if number == 0 else 1.0 for number in self._seen])
        far = torch.stack(list(self._seen.values()))
        return (far * weights.to(far)).sum() / weights.sum()

    def _look(self, number: int, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        maps = inputs[0]
        over = [0, *range(2, maps.ndim)]
        mean, variance = maps.mean(over), maps.var(over, unbiased=False)
        self._seen[number] = (mean - layer.running_mean).norm() + (variance - layer.running_var).norm()  # type: ignore[operator]


def bounds(preprocessing: Preprocessing, device: torch.device) -> tuple[Tensor, Tensor]:
    """What black and white become under a preprocessing: two tensors of shape (1, 3, 1, 1)."""
    mean, spread = (
        torch.tensor(each, device=device).view(1, 3, 1, 1) for each in (preprocessing.mean, preprocessing.std)
    )
    return (0 - mean) / spread, (1 - mean) / spread


def to_pixels(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """What a contender sees, float (n, 3, h, w), as pixels: uint8, on the CPU."""
    low, high = bounds(preprocessing, images.device)
    return ((images - low) / (high - low)).clamp(0, 1).mul(255).round().to(torch.uint8).cpu()
