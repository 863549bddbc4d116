from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from netversus.errors import CellError
from netversus.lab.data.split import held_out
from netversus.studies.transfer import STRENGTHS
from netversus.studies.transfer.neighbours import nearest_class
from netversus.studies.transfer.probe import FEW_SHOT_STRENGTH, choose_probe, drawn, fit_probe


def blobs(count: int, classes: int, seed: int = 0, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Clouds that overlap; one feature never varies, another varies a thousand times as much."""
    centres = np.random.default_rng(99).normal(size=(classes, width))
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % classes)
    features = centres[labels] + rng.normal(size=(count, width))
    features[:, 0], features[:, 1] = 3.0, 1000 * features[:, 1]
    return features.astype(np.float32), labels.astype(np.int64)


def by_hand(features: np.ndarray, labels: np.ndarray, strength: float, test: np.ndarray) -> np.ndarray:
    centre, spread = features.astype(float).mean(axis=0), features.astype(float).std(axis=0)
    spread = np.maximum(spread, np.median(spread[spread > 0]) / 10)
    model = LogisticRegression(C=strength, max_iter=1000)
    model.fit((features.astype(float) - centre) / spread, labels)
    return model.predict((test.astype(float) - centre) / spread)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_the_probe_answers_as_scikit_learn_called_by_hand(classes: int, strength: float) -> None:
    features, labels = blobs(150, classes)
    test, _ = blobs(80, classes, seed=1)
    probe = fit_probe(features, labels, strength)
    assert probe.predict(test).tolist() == by_hand(features, labels, strength, test).tolist()


def test_labels_that_are_not_counted_from_zero_come_back_as_they_were() -> None:
    features, labels = blobs(90, 3)
    probe = fit_probe(features, 2 * labels + 5, 1.0)
    assert probe.classes.tolist() == [5, 7, 9]
    assert set(probe.predict(features)) <= {5, 7, 9}


def test_the_penalty_is_the_best_on_the_images_held_out_and_the_probe_is_fitted_on_all() -> None:
    features, labels = blobs(200, 4)
    ids = [f"image-{i}" for i in range(200)]
    apart = held_out(labels.tolist(), ids, 40, 3)
    right = [(by_hand(features[~apart], labels[~apart], c, features[apart]) == labels[apart]).sum() for c in STRENGTHS]
    probe = choose_probe(features, labels, ids, 0.2, 3)
    assert probe.strength == STRENGTHS[int(np.argmax(right))]
    assert len(set(right)) > 1  # else there would be nothing to choose
    assert np.array_equal(probe.weight, fit_probe(features, labels, probe.strength).weight)


def test_one_image_a_class_can_be_probed_without_a_choice() -> None:
    features, labels = blobs(5, 5)
    probe = choose_probe(features, labels, list("abcde"), 0.2, 0)
    assert probe.strength == FEW_SHOT_STRENGTH
    assert probe.predict(features).tolist() == labels.tolist()


def test_features_that_never_vary_are_no_error_and_those_that_hardly_do_get_no_huge_weight() -> None:
    features, labels = blobs(60, 3)
    features[:, 2] = 1e-6 * labels  # a perfect and nearly invisible feature
    weight = fit_probe(features, labels, 1.0).weight
    assert np.isfinite(weight).all()
    assert np.abs(weight[:, 2]).max() < 10 * np.abs(weight[:, 3:]).max()
    same = fit_probe(np.ones((6, 4), np.float32), np.arange(6) % 2, 1.0)
    assert np.isfinite(same.weight).all()


def test_one_class_is_refused_in_words() -> None:
    with pytest.raises(CellError, match="two classes, all 6 are of one"):
        fit_probe(np.zeros((6, 2), np.float32), np.zeros(6, np.int64), 1.0)


@pytest.mark.parametrize("neighbours", [1, 5, 20])
def test_neighbours_vote_as_scikit_learns_do(neighbours: int) -> None:
    features, labels = blobs(300, 5)
    test, _ = blobs(400, 5, seed=1)
    peer = KNeighborsClassifier(
        neighbours, metric="cosine", algorithm="brute", weights=lambda distance: np.exp((1 - distance) / 0.07)
    )
    peer.fit(features.astype(float), labels)
    ours = nearest_class(features, labels, test, neighbours=neighbours, temperature=0.07)
    assert ours.tolist() == peer.predict(test.astype(float)).tolist()


def test_more_neighbours_than_images_are_all_images() -> None:
    features, labels = blobs(4, 2)
    few = nearest_class(features, labels, features, neighbours=4, temperature=0.07)
    assert np.array_equal(nearest_class(features, labels, features, neighbours=20, temperature=0.07), few)


def test_draws_take_so_many_of_each_class_and_fewer_are_among_more() -> None:
    labels = np.array([0] * 9 + [1] * 9 + [2] * 3)
    five, ten = drawn(labels, 2, (0, 1)), drawn(labels, 5, (0, 1))
    assert np.bincount(labels[five]).tolist() == [2, 2, 2]
    assert np.bincount(labels[ten]).tolist() == [5, 5, 3]
    assert set(five) <= set(ten)
    assert set(drawn(labels, 2, (0, 2))) != set(five)
