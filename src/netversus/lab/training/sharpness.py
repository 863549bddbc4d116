"""Sharpness-aware minimisation. No well-kept package has it, and it is two lines of arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class SharpnessAware:
    """Climbs to the worst weights within `radius` and back, so that the step is taken with the gradient found there.

    Foret et al. 2021 (arXiv:2010.01412), equation 2: the climb is radius x gradient / |gradient|_2. While it is up
    there the batch norms keep their running statistics, which belong to the weights below.
    """

    def __init__(self, model: nn.Module, radius: float) -> None:
        self._model = model
        self._radius = radius

    @contextmanager
    def climbed(self) -> Iterator[None]:
        """The weights moved uphill along their gradients; on leaving they are, bit for bit, what they were."""
        moved: list[Tensor] = [p for p in self._model.parameters() if p.grad is not None]
        kept = [p.detach().clone() for p in moved]
        with torch.no_grad(), _frozen_statistics(self._model):
            self._climb(moved)
            with torch.enable_grad():
                yield
            for weights, before in zip(moved, kept, strict=True):
                weights.copy_(before)

    def _climb(self, moved: list[Tensor]) -> None:
        gradients: list[Tensor] = [p.grad for p in moved if p.grad is not None]
        share = self._radius / (float(nn.utils.get_total_norm(gradients)) + 1e-12)
        for weights, gradient in zip(moved, gradients, strict=True):
            weights.add_(gradient, alpha=share)


@contextmanager
def _frozen_statistics(model: nn.Module) -> Iterator[None]:
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, (_, counted) in zip(norms, before, strict=True):
        norm.momentum = 0.0
        norm.num_batches_tracked = None if counted is None else counted.clone()
    try:
        yield
    finally:
        for norm, (momentum, counted) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, counted
