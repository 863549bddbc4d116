"""How far two contenders give the same answers and make the same mistakes, beside what chance would do. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netversus.records import Effect
from netversus.statistics.bootstrap import bootstrap, percentile_interval

LEVEL = 0.95
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two of something agree, how often they would by chance, and Cohen's kappa: the share of what chance
    leaves open; None where chance leaves nothing open."""

    observed: float
    expected: float
    kappa: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Both:
    """Two contenders on the same images: whether each is right, its answer, its confidence; each of shape (n,)."""

    right_a: NDArray[np.bool_]
    right_b: NDArray[np.bool_]
    said_a: NDArray[np.int64]
    said_b: NDArray[np.int64]
    sure_a: Array
    sure_b: Array
    units: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.right_a)

    @property
    def answers(self) -> Agreement:
        """Of the answers themselves. By chance: two who answer as often with each class, but independently."""
        classes = np.union1d(self.said_a, self.said_b)
        shares = [(said[:, None] == classes).mean(0) for said in (self.said_a, self.said_b)]
        return _agreement(float((self.said_a == self.said_b).mean()), float(shares[0] @ shares[1]))

    @property
    def errors(self) -> Agreement:
        """Error consistency (Geirhos, Meding & Wichmann, NeurIPS 2020): of being right or wrong on the same images. By
        chance: two who are right as often, but independently."""
        return _consistency(self.right_a.mean(), self.right_b.mean(), (self.right_a == self.right_b).mean())

    def errors_interval(self, seed: int = 0) -> Effect | None:
        """The kappa of the errors with its interval from the Bayesian bootstrap over images; None where in some draw it
        is not defined."""
        whole = self.errors.kappa
        if whole is None or len(self) < 2:
            return None
        columns = np.stack([self.right_a, self.right_b, self.right_a == self.right_b], axis=1).astype(float)

        def kappa(weights: Array) -> Array:
            a, b, same = (weights @ columns / weights.sum(1, keepdims=True)).T
            expected = a * b + (1 - a) * (1 - b)
            return np.asarray((same - expected) / np.where(expected < 1, 1 - expected, np.nan))

        draws = bootstrap(kappa, len(self), seed=seed)
        return percentile_interval(whole, draws, len(self), LEVEL) if np.isfinite(draws).all() else None

    @property
    def same_mistake(self) -> float | None:
        """Of the images that both get wrong, the share on which they say the same; None where there are none."""
        wrong = ~self.right_a & ~self.right_b
        return float((self.said_a == self.said_b)[wrong].mean()) if wrong.any() else None

    @property
    def surer(self) -> NDArray[np.bool_]:
        """Whether the surer of the two is right, on each image; on a draw A."""
        return np.where(self.sure_b > self.sure_a, self.right_b, self.right_a)

    @property
    def disagree(self) -> NDArray[np.bool_]:
        """Where the answers differ."""
        return np.asarray(self.said_a != self.said_b)


def _agreement(observed: float, expected: float) -> Agreement:
    kappa = (observed - expected) / (1 - expected) if expected < 1 else None
    return Agreement(observed, expected, kappa)


def _consistency(a: float, b: float, same: float) -> Agreement:
    return _agreement(float(same), float(a * b + (1 - a) * (1 - b)))
