"""Which images are tampered with, and which labels are made wrong."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from netversus.lab.poison.choice import chosen, drawn
from netversus.lab.poison.noise import ASYMMETRIC, SYMMETRIC, with_wrong_labels

IDS = tuple(f"digits/{n:04d}" for n in range(2000))
LABELS = np.arange(2000) % 10


def test_a_number_follows_from_seed_purpose_and_id_alone():
    expected = int.from_bytes(hashlib.sha256(b"3:poison:digits/0001").digest()[:8], "big")
    assert int(drawn(IDS, 3, "poison")[1]) == expected


def test_more_poison_holds_the_lesser_and_order_does_not_matter():
    everyone = np.arange(len(IDS))
    few, many = chosen(IDS, everyone, 20, 0), chosen(IDS, everyone, 200, 0)
    assert set(few) < set(many)
    turned = tuple(reversed(IDS))
    assert {IDS[i] for i in few} == {turned[i] for i in chosen(turned, everyone, 20, 0)}
    assert set(few) != set(chosen(IDS, everyone, 20, 1))


def test_symmetric_noise_is_never_the_right_label_and_as_often_each_other_one():
    noisy, wrong = with_wrong_labels(LABELS, IDS, SYMMETRIC, 0.4, 10, 0)
    assert len(wrong) == 800
    assert set(np.flatnonzero(noisy != LABELS)) == set(wrong)
    shifts = np.bincount((noisy[wrong] - LABELS[wrong]) % 10, minlength=10)
    assert shifts[0] == 0
    assert shifts[1:].min() > 60  # 89 expected of each
    assert np.array_equal(with_wrong_labels(LABELS, IDS, SYMMETRIC, 0.4, 10, 0)[0], noisy)


def test_asymmetric_noise_is_the_next_class():
    noisy, wrong = with_wrong_labels(LABELS, IDS, ASYMMETRIC, 0.1, 10, 0)
    assert np.array_equal(noisy[wrong], (LABELS[wrong] + 1) % 10)


@pytest.mark.parametrize("kind", [SYMMETRIC, ASYMMETRIC])
def test_with_one_class_no_label_is_wrong(kind):
    noisy, wrong = with_wrong_labels(np.zeros(20, np.int64), IDS[:20], kind, 0.5, 1, 0)
    assert not noisy.any()
    assert not len(wrong)
