"""A linear classifier on frozen features, fitted to the end, its penalty chosen without a look at the test images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from netversus.errors import CellError
from netversus.lab.data.split import held_out
from netversus.studies.transfer import STRENGTHS

Array = NDArray[np.float64]
MOST_ITERATIONS = 1000
FEW_SHOT_STRENGTH = 1.0  # a few images leave none to choose it on


@dataclass(frozen=True, slots=True)
class Probe:
    """Scores are `features @ weight.T + bias`; `weight` (k, width) and `bias` (k,) take features as they come.
    `classes` (k,) are the labels that were seen. `strength` is scikit-learn's C."""

    classes: NDArray[np.int64]
    weight: Array
    bias: Array
    strength: float
    iterations: int

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """The label of each row, int64 (n,)."""
        scores = features.astype(np.float64) @ self.weight.T + self.bias
        return np.asarray(self.classes[scores.argmax(axis=1)])


def choose_probe(
    features: NDArray[np.float32], labels: NDArray[np.int64], ids: Sequence[str], share: float, seed: int
) -> Probe:
    """The probe with the penalty that does best on a `share` of the images held out by class (of equals the strongest),
    fitted again on all of them. Where no class has two images there is nothing to choose on.

    Raises:
        CellError: images of one class only.
    """
    apart = held_out(labels.tolist(), ids, max(1, round(share * len(labels))), seed)
    judged = apart & np.isin(labels, labels[~apart])
    if not judged.any() or len(np.unique(labels[~apart])) < 2:
        return fit_probe(features, labels, FEW_SHOT_STRENGTH)
    right = []
    for strength in STRENGTHS:
        probe = fit_probe(features[~apart], labels[~apart], strength)
        right.append(np.count_nonzero(probe.predict(features[judged]) == labels[judged]))
    return fit_probe(features, labels, STRENGTHS[int(np.argmax(right))])


def fit_probe(features: NDArray[np.float32], labels: NDArray[np.int64], strength: float) -> Probe:
    """Multinomial logistic regression by full-batch L-BFGS (scikit-learn's, in float64).

    The features are standardised, but none is enlarged to more than ten times the median one: else a feature that
    hardly varies would get a huge weight, and adjusting the network from there would blow up.

    Raises:
        CellError: images of one class only.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise CellError(f"a linear classifier needs train images of two classes, all {len(labels)} are of one")
    wide = features.astype(np.float64)
    centre, spread = wide.mean(axis=0), _spread(wide)
    model = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the exhibit tells how many iterations there were
        model.fit((wide - centre) / spread, labels)
    coefficients, intercepts = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(classes) == 2:  # one row then says both
        coefficients, intercepts = (np.concatenate([np.zeros_like(part), part]) for part in (coefficients, intercepts))
    weight = coefficients / spread
    return Probe(classes, weight, intercepts - weight @ centre, strength, int(np.max(model.n_iter_)))


def _spread(features: Array) -> Array:
    """What each feature is divided by: its standard deviation, a tenth of the median one at least, shape (width,).
    Features that never vary count for no median."""
    own = features.std(axis=0)
    varied = own[own > 0]
    return np.maximum(own, 0.1 * np.median(varied)) if len(varied) else np.ones_like(own)


def drawn(labels: NDArray[np.int64], shots: int, seed: tuple[int, int]) -> NDArray[np.int64]:
    """Indices of `shots` images of each class (all of a class that has fewer), the same for every contender. Of one
    seed, fewer shots are among more."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate([order[labels[order] == label][:shots] for label in np.unique(labels)])
