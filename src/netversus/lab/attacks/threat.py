"""What an attacker may do: change an image within a distance eps, in a norm, inside [0, 1]."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from netversus.errors import OptionError

Norm = Literal["linf", "l2"]
NORMS: tuple[Norm, ...] = ("linf", "l2")
_TINY = 1e-12  # keeps a division by the length of a zero vector a number


@dataclass(frozen=True, slots=True)
class Threat:
    """`eps` is the largest distance in pixels of [0, 1]: 8/255 for eight grey levels of a picture.

    Raises:
        OptionError: eps is negative or no number, or the norm is unknown.
    """

    norm: Norm
    eps: float

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise OptionError(f"the norm must be one of {', '.join(NORMS)}, got {self.norm!r}")
        if not 0 <= self.eps < math.inf:
            raise OptionError(f"eps must be 0 or more, got {self.eps!r}", hint="8/255 is usual for small images")

    def project(self, images: Tensor, start: Tensor) -> Tensor:
        """The images moved into the ball around `start`, then into [0, 1]; both shape (n, 3, h, w).

        For l2 the clamp keeps the distance: `start` lies in [0, 1] too, and a clamp brings both no further apart.
        """
        change = images - start
        if self.norm == "linf":
            change = change.clamp(-self.eps, self.eps)
        else:
            change = change * (self.eps / length(change).clamp_min(_TINY)).clamp_max(1.0)
        return (start + change).clamp(0.0, 1.0)

    def steepest(self, gradient: Tensor) -> Tensor:
        """The direction of length 1 in the norm that raises the loss most; no direction where the gradient is 0."""
        if self.norm == "linf":
            return gradient.sign()
        return gradient / length(gradient).clamp_min(_TINY)

    def start(self, images: Tensor, draws: Tensor) -> Tensor:
        """A point of the ball for each image. `draws` is uniform in [0, 1), of the images' shape.

        Uniform in the box for l-inf. For l2 the direction is that of a uniform point of the box, its length eps: the
        surface is where the loss is highest.
        """
        away = 2 * draws - 1
        return self.project(images + self.eps * (away if self.norm == "linf" else self.steepest(away)), images)

    def distance(self, images: Tensor, start: Tensor) -> Tensor:
        """The distance of each image from its start, float64, shape (n,)."""
        change = (images.double() - start.double()).flatten(1)
        if not change.shape[1]:
            return change.new_zeros(len(change))
        return change.abs().amax(1) if self.norm == "linf" else change.norm(dim=1)


def length(change: Tensor) -> Tensor:
    """The Euclidean length of each of n changes, shape (n, 1, 1, 1)."""
    lengths: Tensor = torch.linalg.vector_norm(change.flatten(1), dim=1)
    return lengths.view(-1, 1, 1, 1)


def per_row(values: Tensor) -> Tensor:
    """One value a row, shape (n,), as it is multiplied with images: shape (n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)


def row_sum(values: Tensor) -> Tensor:
    """The sum over all but the first dimension, shape (n,)."""
    return torch.sum(values.flatten(1), dim=1)
