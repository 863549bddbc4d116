"""Which class the nearest train images are of."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

ROWS = 256  # test images at a time


def nearest_class(
    train: NDArray[np.float32],
    labels: NDArray[np.int64],
    test: NDArray[np.float32],
    *,
    neighbours: int,
    temperature: float,
) -> NDArray[np.int64]:
    """The class that the nearest train images vote for, int64 (n,).

    Each of the `neighbours` train images with the largest cosine votes with exp(cosine / temperature) (Wu et al. 2018,
    "Unsupervised feature learning via non-parametric instance discrimination"); of equals the lower class wins.
    """
    known, votes_for = _unit(train), torch.from_numpy(labels)
    count = min(neighbours, len(labels))
    answers = []
    for part in torch.split(_unit(test), ROWS):
        near = (part @ known.T).topk(count, dim=1)
        votes = torch.zeros(len(part), int(labels.max()) + 1, dtype=torch.float64)
        votes.scatter_add_(1, votes_for[near.indices], (near.values / temperature).exp())
        answers.append(votes.argmax(dim=1))
    return np.asarray(torch.cat(answers).numpy())


def _unit(features: NDArray[np.float32]) -> Tensor:
    """Rows of length one, float64; a row of zeros stays."""
    return torch.nn.functional.normalize(torch.from_numpy(features).double(), dim=1)
