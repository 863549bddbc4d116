"""Randomized smoothing (Cohen et al. 2019): a distance within which the smoothed answer cannot change."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from netversus.errors import OptionError
from netversus.lab.attacks.victim import Victim
from netversus.lab.evaluation import chunk_size
from netversus.statistics.distributions import beta, norm

ABSTAINED = -1


@dataclass(frozen=True, slots=True)
class Smoothing:
    """`sigma` of the Gaussian noise in pixels of [0, 1]; `selection` noisy copies choose the answer, `estimation`
    others tell how sure it is; a certificate is wrong with a probability of at most `alpha`.

    Raises:
        OptionError: a number that cannot be.
    """

    sigma: float
    selection: int = 50
    estimation: int = 500
    alpha: float = 0.001

    def __post_init__(self) -> None:
        if self.sigma <= 0 or self.selection < 1 or self.estimation < 1 or not 0 < self.alpha < 1:
            raise OptionError(f"smoothing needs sigma and copies above 0 and alpha in (0, 1), got {self}")


@dataclass(frozen=True, slots=True)
class Certificate:
    """`answer` is the smoothed classifier's, or ABSTAINED; `radius` the l2 distance it holds within."""

    answer: int
    radius: float


def certify(victim: Victim, image: Tensor, smoothing: Smoothing, key: int) -> Certificate:
    """The paper's CERTIFY: one set of noisy copies chooses the answer, another one bounds its probability from below.

    The noise is not clipped to [0, 1]: the certificate is about Gaussian noise.

    Args:
        victim: who is asked.
        image: float32 in [0, 1], shape (3, h, w).
        smoothing: noise and copies.
        key: of the image; the same gives the same noise.
    """
    generator = torch.Generator().manual_seed(key)
    chosen = int(_counts(victim, image, smoothing.selection, smoothing.sigma, generator).argmax())
    hits = int(_counts(victim, image, smoothing.estimation, smoothing.sigma, generator)[chosen])
    least = least_probability(hits, smoothing.estimation, smoothing.alpha)
    if least <= 0.5:
        return Certificate(ABSTAINED, 0.0)
    return Certificate(chosen, smoothing.sigma * float(norm.ppf(least)))


def least_probability(hits: int, n: int, alpha: float) -> float:
    """The one-sided Clopper-Pearson lower bound of a proportion."""
    return 0.0 if hits == 0 else float(beta.ppf(alpha, hits, n - hits + 1))


def _counts(victim: Victim, image: Tensor, copies: int, sigma: float, generator: torch.Generator) -> Tensor:
    """How often each class is answered, int64, shape (classes,)."""
    total = torch.zeros(0, dtype=torch.int64)
    size = chunk_size(image.shape[-2], image.shape[-1], victim.device)
    for start in range(0, copies, size):
        noise = torch.randn((min(size, copies - start), *image.shape), generator=generator)
        logits = victim.exact(image.cpu() + sigma * noise)
        counts = torch.bincount(logits.argmax(1), minlength=logits.shape[1])
        total = counts if not len(total) else total + counts
    return total
