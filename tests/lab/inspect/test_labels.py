"""Confident learning by hand, and on digits whose wrong labels are known."""

from __future__ import annotations

import numpy as np
import pytest

from netversus.lab.inspect.labels import confident_joint, out_of_fold
from netversus.lab.poison.noise import ASYMMETRIC, SYMMETRIC, with_wrong_labels


def test_the_joint_is_that_of_the_papers_definition():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8], [0.95, 0.05]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # thresholds: class 0 mean(0.9, 0.8, 0.1) = 0.6; class 1 mean(0.7, 0.8, 0.05) = 0.51667
    found = confident_joint(probabilities, labels)
    assert found.likely.tolist() == [0, 0, 1, 1, 1, 0]
    assert found.counts.tolist() == [[2, 1], [1, 2]]
    assert found.joint == pytest.approx(np.array([[1 / 3, 1 / 6], [1 / 6, 1 / 3]]))
    assert found.share == pytest.approx(1 / 3)
    assert found.suspects(labels).tolist() == [2, 5]


def test_an_image_below_every_threshold_counts_for_nothing():
    found = confident_joint(np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]), np.array([0, 0, 1]))
    assert found.likely.tolist() == [0, -1, 1]
    assert found.suspects(np.array([0, 0, 1])).tolist() == []


def test_a_class_without_images_attracts_nobody():
    found = confident_joint(np.array([[0.2, 0.1, 0.7], [0.1, 0.8, 0.1]]), np.array([0, 1]))
    assert found.likely.tolist() == [0, 1]
    assert found.joint[2].sum() == 0


@pytest.mark.parametrize("kind", [SYMMETRIC, ASYMMETRIC])
def test_planted_wrong_labels_are_found_with_few_false_alarms(digits, kind):
    pixels, labels = digits
    noisy, wrong = with_wrong_labels(labels, [str(n) for n in range(len(labels))], kind, 0.1, 10, 0)
    probabilities = out_of_fold(pixels, noisy, 10)
    assert probabilities is not None
    confident = confident_joint(probabilities, noisy)
    suspects = set(confident.suspects(noisy).tolist())
    recall, precision = len(suspects & set(wrong)) / len(wrong), len(suspects & set(wrong)) / len(suspects)
    assert recall > 0.7
    assert precision > 0.88
    assert confident.share == pytest.approx(0.1, abs=0.02)


def test_right_labels_are_mostly_left_alone(digits):
    pixels, labels = digits
    probabilities = out_of_fold(pixels, labels, 10)
    assert probabilities is not None
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(labels)))
    assert len(confident_joint(probabilities, labels).suspects(labels)) < 0.02 * len(labels)


def test_classes_of_few_images_are_held_out_in_fewer_folds():
    features, labels = np.repeat(np.eye(3), 3, axis=0) + 0.01 * np.arange(9)[:, None], np.repeat(np.arange(3), 3)
    found = out_of_fold(features, labels, 3)
    assert found is not None
    assert (found.argmax(axis=1) == labels).all()


def test_nothing_is_said_of_labels_that_cannot_be_learned():
    assert out_of_fold(np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 0, 0, 1]), 3) is None
