"""Chance for one image: it follows from the image's id alone, whoever stands beside it in a batch."""

from __future__ import annotations

import hashlib
from math import prod

import torch
from torch import Tensor


class Chance:
    """Random numbers that follow from the words `of` (an image's id, a corruption, a severity) and a seed.

    Drawn on the CPU whatever the device, so that a GPU corrupts an image just as a processor does.
    """

    def __init__(self, *of: str, seed: int = 0) -> None:
        key = hashlib.blake2b("\x1f".join((str(seed), *of)).encode("utf-8", "surrogatepass"), digest_size=8)
        self._generator = torch.Generator().manual_seed(int.from_bytes(key.digest(), "big") >> 1)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, float32."""
        # Below 16 numbers torch draws them another way; one way for every shape is easier to reason about.
        return torch.randn(max(16, prod(shape)), generator=self._generator)[: prod(shape)].view(shape)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform in [low, high), float32."""
        return torch.rand(shape, generator=self._generator).mul_(high - low).add_(low)

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Whole numbers from low to high - 1, int64."""
        return torch.randint(low, high, shape, generator=self._generator)

    def poisson(self, rates: Tensor) -> Tensor:
        """Poisson with these rates, float32."""
        return torch.poisson(rates, generator=self._generator)

    def number(self, low: float, high: float) -> float:
        """One number, uniform in [low, high)."""
        return float(self.uniform(1, low=low, high=high))
