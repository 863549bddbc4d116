"""Random numbers that are the same on every machine: uniform doubles of a counter-based generator.

Only uniform numbers are taken from numpy, and made into everything else by plain arithmetic: numpy promises its
bit streams for ever, but not its distributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")

_BLOCK = 256


def generator(*key: int | str) -> np.random.Generator:
    """A Philox generator that depends on the key alone; words stand for themselves in any order of use."""
    words = [crc32(part.encode()) if isinstance(part, str) else part for part in key]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def noise_grid(seed: int, side: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape (side, side)."""
    return generator("grid", seed, side).random((side, side))


class Draw:
    """Draws one after another; the same key gives the same draws."""

    def __init__(self, *key: int | str) -> None:
        self._numbers = self._stream(generator(*key))

    @staticmethod
    def _stream(source: np.random.Generator) -> Iterator[float]:
        while True:
            yield from source.random(_BLOCK).tolist()

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        return low + (high - low) * next(self._numbers)

    def log_uniform(self, low: float, high: float) -> float:
        """A number in [low, high) whose logarithm is uniform, to 9 digits so that `pow` need not agree further."""
        return round(float(low * (high / low) ** next(self._numbers)), 9)

    def integer(self, stop: int) -> int:
        """An integer in range(stop)."""
        return int(stop * next(self._numbers))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return next(self._numbers) < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[self.integer(len(options))]

    def weighted(self, weights: Mapping[str, float]) -> str:
        """One of the keys, in proportion to its weight."""
        possible = [name for name, weight in weights.items() if weight > 0]
        left = self.uniform(0.0, sum(weights.values()))
        for name in possible:
            left -= weights[name]
            if left < 0:
                return name
        return possible[-1]  # rounding may leave a last crumb

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order (Fisher and Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.integer(last + 1)
            order[last], order[other] = order[other], order[last]
        return order
