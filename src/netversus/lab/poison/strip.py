"""STRIP (Gao et al., ACSAC 2019): a trigger keeps its hold over the answer when other images are laid over.

A picture that comes to a deployed network is mixed with several others. The answers to an honest picture then scatter,
those to a triggered one do not: low entropy gives it away. The bound is set so that a given share of honest pictures is
refused.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Answers = Callable[[Tensor], Tensor]
"""Prepared images, uint8 (n, 3, h, w), to logits (n, classes)."""

REFUSED = 0.01  # of honest pictures, to set the bound
OVERLAYS = 16
WEIGHT = 0.5  # of the picture that is laid over
_TOGETHER = 4  # images that are mixed and answered at once


def entropies(answers: Answers, images: Tensor, overlays: Tensor) -> NDArray[np.float64]:
    """The mean entropy in nats of the answers to each image under every overlay: float64 (n,). Both are uint8."""
    found = [torch.empty(0, dtype=torch.float64)]
    for some in torch.split(images, _TOGETHER):
        mixed = (1 - WEIGHT) * some[:, None].float() + WEIGHT * overlays[None].float()
        logs = answers(mixed.round().to(torch.uint8).flatten(0, 1)).double().log_softmax(dim=1)
        each = -(logs.exp() * logs).sum(dim=1)
        found.append(each.view(len(some), len(overlays)).mean(dim=1))
    return torch.cat(found).numpy()


def entropy_bound(honest: NDArray[np.float64], refused: float = REFUSED) -> float:
    """The entropy below which a picture is refused: the quantile `refused` of honest pictures' entropies."""
    return float(np.quantile(honest, refused))
