"""Activation clustering (Chen et al., SafeAI 2019): a class that holds poison falls into two unequal heaps.

Within a class the features are brought to ten dimensions and divided in two by k-means. Where the smaller heap is small
and the two are well apart (silhouette), its images are accused.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DIMENSIONS = 10
FEWEST = 10  # images of a class
SMALL = 0.35  # of a class: the paper's bound on the size of a heap of poison
APART = 0.15  # silhouette: the paper finds clean classes below 0.10 to 0.15, poisoned ones above
_RESTARTS = 4


def two_heaps(features: Array) -> tuple[NDArray[np.bool_], float]:
    """Which images of one class lie in the smaller heap, bool (n,), and the silhouette of the two in [-1, 1].

    `features` is float64 (n, width) with n >= 3. Images that are all alike make one heap: silhouette 0.
    """
    if not features.std(axis=0).any():
        return np.zeros(len(features), dtype=np.bool_), 0.0

    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.metrics import silhouette_score

    few = PCA(min(DIMENSIONS, *features.shape), svd_solver="full").fit_transform(features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # identical points make fewer than two heaps, which is seen below
        heaps = KMeans(2, n_init=_RESTARTS, random_state=0).fit_predict(few)
    sizes = np.bincount(heaps, minlength=2)
    if sizes.min() == 0:
        return np.zeros(len(features), dtype=np.bool_), 0.0
    return heaps == int(np.argmin(sizes)), float(silhouette_score(few, heaps))


def cluster_suspects(features: Array, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images are accused, bool (n,): those of the small heap of each class that falls apart.

    `features` is float64 (n, width); `labels` int64 (n,), as they were taught.
    """
    accused = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) >= FEWEST:
            small, silhouette = two_heaps(features[members])
            if small.mean() < SMALL and silhouette > APART:
                accused[members[small]] = True
    return accused
