"""How near two sets of pictures are, in the features of a network that made none of them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

Array = NDArray[np.float64]

WIDTHS = (32, 64, 128)


class RandomFeatures(nn.Module):
    """Three convolutions of random weights: a third feature space where there is no third contender.

    It knows nothing of any class. Sets of pictures that differ in colours, edges and textures lie apart in it; what
    only a trained network would tell apart may not.
    """

    def __init__(self) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(0)
        self.filters = nn.ParameterList()
        inputs = 3
        for width in WIDTHS:
            scale = (2 / (9 * inputs)) ** 0.5
            weight = scale * torch.randn(width, inputs, 3, 3, generator=made)
            self.filters.append(nn.Parameter(weight, requires_grad=False))
            inputs = width

    def forward(self, pixels: Tensor) -> Tensor:
        """uint8, shape (n, 3, h, w), to float32, shape (n, 448): mean and spread of every map, at every depth."""
        maps = pixels.float() / 127.5 - 1
        seen = []
        for weight in self.filters:
            maps = fn.relu(fn.conv2d(maps, weight, padding=1))
            seen += [maps.mean((2, 3)), maps.std((2, 3))]
            maps = fn.max_pool2d(maps, 2, ceil_mode=True)
        return torch.cat(seen, 1)


def kernel_distance(a: Array, b: Array) -> float:
    """The squared maximum mean discrepancy of two samples under the kernel (x.y / d + 1)^3, unbiased.

    `a` float64, shape (m, d), and `b`, shape (n, d), of independent pictures, m and n at least 2. Zero on average where
    both come from one distribution; an estimate may be below zero (Binkowski et al., ICLR 2018).
    """
    wide = a.shape[1]

    def kernel(x: Array, y: Array) -> Array:
        return np.asarray((x @ y.T / wide + 1) ** 3)

    def within(x: Array) -> float:
        table = kernel(x, x)
        return float((table.sum() - np.trace(table)) / (len(x) * (len(x) - 1)))

    return within(a) + within(b) - 2 * float(kernel(a, b).mean())


def diversity(features: Array) -> float:
    """The mean Euclidean distance of two different pictures, from features float64, shape (n, d), n at least 2."""
    n = len(features)
    squares = (features**2).sum(1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * features @ features.T, 0))
    np.fill_diagonal(apart, 0)
    return float(apart.sum() / (n * (n - 1)))
