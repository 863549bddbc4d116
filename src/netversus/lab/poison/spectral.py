"""Spectral signatures (Tran, Li & Madry, NeurIPS 2018): poisoned images stand out along one direction of the features.

Within a class the features are centred, and an image's score is the square of its part along the first right singular
vector. The paper removes the 1.5 x (expected share of poison) highest of each class, which accuses somebody in clean
data too; here an image must besides lie far from the class's middle, in units of its robust spread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST = 10  # images of a class: in fewer there is no spread to stand out from
EXCESS = 1.5
FAR = 4.0  # robust standard deviations
_TO_SIGMA = 1.4826  # of the median absolute deviation of a normal distribution


def spectral_scores(features: Array) -> Array:
    """The outlier score of each image of one class, float64 (n,), from features of shape (n, width)."""
    centred = features - features.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    return np.asarray((centred @ directions[0]) ** 2)


def spectral_suspects(features: Array, labels: NDArray[np.int64], expected: float) -> NDArray[np.bool_]:
    """Which images are accused, bool (n,).

    Args:
        features: float64 (n, width).
        labels: int64 (n,), as they were taught: each class is looked at by itself.
        expected: the largest share of poison among all images that is reckoned with; of a class at most 1.5 times as
            many images are accused, and at most half of it.
    """
    accused = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) >= FEWEST:
            most = min(round(EXCESS * expected * len(labels)), len(members) // 2)
            accused[members[_outliers(spectral_scores(features[members]), most)]] = True
    return accused


def _outliers(scores: Array, most: int) -> NDArray[np.int64]:
    """The places of the `most` highest scores, of those that lie far off."""
    reach = np.sqrt(scores)
    middle = float(np.median(reach))
    spread = _TO_SIGMA * float(np.median(np.abs(reach - middle)))
    highest = np.argsort(-scores, kind="stable")[:most]
    return np.asarray(highest[reach[highest] > middle + FAR * spread], dtype=np.int64)
