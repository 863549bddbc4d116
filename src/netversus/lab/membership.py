"""Membership inference: from what a network says of an image, was it trained on it?

The loss threshold (Yeom et al., CSF 2018) and the likelihood-ratio attack (LiRA, Carlini et al., IEEE S&P 2022) with
few shadow networks: then the spread of an image's confidence is taken from all images together, as they advise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.lab.poison.choice import chosen

Array = NDArray[np.float64]
_LEAST_SPREAD = 1e-6


def confidence(logits: Tensor, labels: NDArray[np.int64]) -> Array:
    """How sure a network is of the right class, on the scale of log(p / (1 - p)), where it is about normal: float64
    (n,).

    `logits` is (n, classes), `labels` int64 (n,). Taken from the logits, so that no probability is rounded to 1.
    """
    wide = logits.double()
    truth = torch.from_numpy(labels)[:, None]
    right = wide.gather(1, truth)[:, 0]
    others = wide.scatter(1, truth, -torch.inf).logsumexp(dim=1)
    return np.asarray((right - others).numpy(), dtype=np.float64)


def half(ids: Sequence[str], seed: int, purpose: str) -> NDArray[np.bool_]:
    """Which images a network is trained on: half of them, by seed and id; bool (n,)."""
    inside = np.zeros(len(ids), dtype=np.bool_)
    inside[chosen(ids, np.arange(len(ids)), len(ids) // 2, seed, purpose)] = True
    return inside


def shadow_halves(ids: Sequence[str], seed: int, shadows: int) -> NDArray[np.bool_]:
    """Which images each shadow network is trained on: bool (shadows, n). They come in pairs, a half and the other half,
    so that each image is inside as often as outside.

    Raises:
        ValueError: an odd number of shadows.
    """
    if shadows % 2 or shadows < 2:
        raise ValueError(f"shadows come in pairs, got {shadows}")
    firsts = [half(ids, seed, f"shadow-{pair}") for pair in range(shadows // 2)]
    return np.array([each for first in firsts for each in (first, ~first)])


def likelihood_ratios(target: Array, shadows: Array, inside: NDArray[np.bool_]) -> Array:
    """LiRA's score: the log of how much likelier the target's confidence is for a member than for none, float64 (n,).

    Args:
        target: the attacked network's confidence in each image, (n,).
        shadows: the shadow networks', (k, n).
        inside: which of them each image was trained on, bool (k, n); each image at least once in and once out.

    The means are each image's own; the two spreads are common to all images. For two shadows (one in, one out) there is
    no spread about an image's own mean: then a robust one of the target's distances from the means is taken.
    """
    within, without = _mean(shadows, inside), _mean(shadows, ~inside)
    spread_in = _spread(shadows, inside, within, target)
    spread_out = _spread(shadows, ~inside, without, target)
    return _log_density(target, within, spread_in) - _log_density(target, without, spread_out)


def _mean(values: Array, taken: NDArray[np.bool_]) -> Array:
    return np.asarray(np.where(taken, values, 0.0).sum(axis=0) / taken.sum(axis=0))


def _spread(values: Array, taken: NDArray[np.bool_], mean: Array, target: Array) -> float:
    """The standard deviation about the images' own means, pooled over the images."""
    freedom = int(taken.sum()) - len(mean)
    if freedom > 0:
        return max(_LEAST_SPREAD, float(np.sqrt((np.where(taken, values - mean, 0.0) ** 2).sum() / freedom)))
    return max(_LEAST_SPREAD, float(1.4826 * np.median(np.abs(target - mean))))


def _log_density(values: Array, mean: Array, spread: float) -> Array:
    """Of the normal distribution, but for a constant."""
    return np.asarray(-np.log(spread) - ((values - mean) / spread) ** 2 / 2)
