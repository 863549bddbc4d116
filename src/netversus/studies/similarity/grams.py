"""How alike the features of many places are within one batch, without bias."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST = 4  # images; with fewer the estimator is not defined


def gram(features: Tensor) -> Tensor:
    """Inner products of every two images' features: float64, shape (n, n), its diagonal 0.

    `features` has shape (n, ...). Their mean over the images is taken off first: the estimator does not feel a shift,
    but float32 does.
    """
    flat = features.flatten(1).float()
    flat = flat - flat.mean(0)
    products = (flat @ flat.T).double()
    return products.fill_diagonal_(0.0)


def debiased_hsic(grams: Tensor) -> Tensor:
    """The Hilbert-Schmidt independence criterion of every two of p linear kernels: float64, shape (p, p).

    `grams` are of shape (p, n, n), n at least 4, their diagonals 0. The unbiased estimator of Song, Smola, Gretton,
    Bedo & Borgwardt (JMLR 13, 2012, eq. 5), from which Nguyen et al. (2021) build the minibatch CKA. It may be below 0.

    Raises:
        ValueError: fewer than 4 images.
    """
    count, n = len(grams), grams.shape[1]
    if n < FEWEST:
        raise ValueError(f"the debiased estimator needs at least {FEWEST} images, got {n}")
    rows = grams.sum(2)
    sums = rows.sum(1)
    flat = grams.reshape(count, -1)
    traces = flat @ flat.T
    found: Tensor = traces + torch.outer(sums, sums) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (rows @ rows.T)
    return found / (n * (n - 3))
