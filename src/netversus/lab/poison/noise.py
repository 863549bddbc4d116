"""Labels made wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netversus.lab.poison.choice import chosen, drawn

SYMMETRIC, ASYMMETRIC = "symmetric", "asymmetric"


def with_wrong_labels(
    labels: NDArray[np.int64], ids: Sequence[str], kind: str, rate: float, classes: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels (int64, shape (n,)) of which a share `rate` is wrong, and the indices of those.

    Symmetric noise puts any other class in the right one's place, each as likely; asymmetric noise the next one, so
    that a class is always taken for the same other (Patrini et al., CVPR 2017). With one class there is no wrong label.
    """
    labels = labels.copy()
    wrong = chosen(ids, np.arange(len(labels)), round(rate * len(labels)) if classes > 1 else 0, seed, kind)
    if not len(wrong):
        return labels, wrong
    steps = np.ones(len(wrong), dtype=np.int64)
    if kind == SYMMETRIC:
        numbers = drawn([ids[i] for i in wrong], seed, "class")
        steps += (numbers % np.uint64(classes - 1)).astype(np.int64)
    labels[wrong] = (labels[wrong] + steps) % classes
    return labels, wrong
