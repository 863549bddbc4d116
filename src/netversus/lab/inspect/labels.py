"""Labels that are probably wrong: confident learning (Northcutt, Jiang & Chuang, JAIR 2021).

Each image gets class probabilities from a linear classifier that has not seen it. A class's threshold is the mean
probability that its own images get for it; an image counts for a class whose threshold it reaches. Those that count for
another class than their label's are suspected.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FOLDS = 5
DIMENSIONS = 64
_STRENGTH, _ITERATIONS = 0.1, 300  # a weaker penalty believes wrong labels: on digits it finds as many, less purely
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Confident:
    """`counts[i, j]`: images labelled i that count for j, int64 (classes, classes). `joint`: the same scaled to the
    labels' counts, their share of all images, in [0, 1]. `likely`: the class each image counts for, -1 for none."""

    counts: NDArray[np.int64]
    joint: Array
    likely: NDArray[np.int64]

    def suspects(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The places of the images that count for another class than their label's, ascending."""
        return np.flatnonzero((self.likely >= 0) & (self.likely != labels))

    @property
    def share(self) -> float:
        """The estimated share of wrong labels among all images: the joint off its diagonal."""
        return float(self.joint.sum() - np.trace(self.joint))


def confident_joint(probabilities: Array, labels: NDArray[np.int64]) -> Confident:
    """Who counts for what. `probabilities` is (n, classes), out of sample; `labels` int64 (n,).

    Of several classes whose threshold an image reaches it counts for the most probable. A class without images has no
    threshold, and nobody counts for it.
    """
    classes = probabilities.shape[1]
    thresholds = np.full(classes, np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    reached = np.where(probabilities >= thresholds - _ROUNDING, probabilities, -1.0)
    likely = np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels[likely >= 0], likely[likely >= 0]), 1)
    return Confident(counts, _joint(counts, labels), likely)


def _joint(counts: NDArray[np.int64], labels: NDArray[np.int64]) -> Array:
    """Each row scaled to the share of its label; a label none of whose images counts for anything keeps its own."""
    shares = np.bincount(labels, minlength=len(counts)) / len(labels)
    sums = counts.sum(axis=1)
    rows = np.where(sums[:, None] > 0, counts / np.maximum(sums, 1)[:, None], np.eye(len(counts)))
    return np.asarray(rows * shares[:, None])


def out_of_fold(features: Array, labels: NDArray[np.int64], classes: int, seed: int = 0) -> Array | None:
    """Class probabilities of each image from a linear classifier fitted to the others, float64 (n, classes): logistic
    regression on the standardised features' first 64 principal components, in five folds by class.

    None where fewer than two classes have two images each: then nothing can be learned and held out. The images of a
    class with a single one get no probability for it that means anything; they are among no fold's training.
    """
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    sizes = np.bincount(labels, minlength=classes)
    if (sizes >= 2).sum() < 2:
        return None
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    few = PCA(min(DIMENSIONS, *scaled.shape), svd_solver="full").fit_transform(scaled)
    few /= max(float(few.std()), _ROUNDING)
    found = np.zeros((len(labels), classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # a class with fewer images than folds: it misses in some of them
        folds = StratifiedKFold(min(FOLDS, int(sizes.max())), shuffle=True, random_state=seed)
        for fit, judge in folds.split(few, labels):
            model = LogisticRegression(C=_STRENGTH, max_iter=_ITERATIONS).fit(few[fit], labels[fit])
            found[np.ix_(judge, model.classes_)] = model.predict_proba(few[judge])
    return found
