"""Certificates beside what is known in closed form: a linear classifier smoothed by Gaussian noise is itself."""

from __future__ import annotations

from statistics import NormalDist

import pytest
from scipy.stats import binomtest

from lab.attacks.linear import answers, exact_distance, grey_images, linear, victim_of
from netversus.errors import OptionError
from netversus.lab.attacks.smoothing import (
    ABSTAINED,
    Certificate,
    Smoothing,
    certify,
    least_probability,
)

MODEL = linear(classes=2)
IMAGES = grey_images(6)


@pytest.mark.parametrize("row", range(6))
def test_a_certified_radius_comes_near_the_true_distance_and_does_not_exceed_it(row):
    exact = float(exact_distance(MODEL, IMAGES, "l2")[row])
    smoothing = Smoothing(sigma=exact, selection=20, estimation=2000, alpha=1e-3)  # one sigma: 84 % of the copies
    found = certify(victim_of(MODEL), IMAGES[row], smoothing, key=row)
    assert found.answer == int(answers(MODEL, IMAGES)[row])
    assert 0.85 * exact < found.radius < exact


def test_it_abstains_where_the_noise_drowns_the_answer():
    exact = float(exact_distance(MODEL, IMAGES, "l2")[0])
    smoothing = Smoothing(sigma=1000 * exact, selection=10, estimation=50)
    assert certify(victim_of(MODEL), IMAGES[0], smoothing, key=0) == Certificate(ABSTAINED, 0.0)


def test_the_same_key_gives_the_same_certificate_and_the_copies_that_choose_do_not_estimate():
    smoothing = Smoothing(sigma=0.5, selection=10, estimation=100)
    first, again = (certify(victim_of(MODEL), IMAGES[1], smoothing, key=7) for _ in range(2))
    assert first == again


def test_the_bound_is_the_one_sided_clopper_pearson():
    for hits, n in ((1, 10), (7, 10), (10, 10), (499, 500)):
        peer = binomtest(hits, n, alternative="greater").proportion_ci(0.999, "exact").low
        assert least_probability(hits, n, 0.001) == pytest.approx(peer, rel=1e-9)
    assert least_probability(0, 10, 0.001) == 0


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="smoothing needs"):
        Smoothing(sigma=0.0)


def test_a_classifier_that_always_says_the_same_is_certified_as_far_as_its_copies_can_tell():
    """All of n copies agree: the bound of their share is alpha^(1/n)."""
    stubborn = linear(classes=2)
    stubborn[-1].weight.data.zero_()
    found = certify(
        victim_of(stubborn), IMAGES[0], Smoothing(sigma=0.25, selection=5, estimation=300, alpha=0.01), key=0
    )
    assert found.radius == pytest.approx(0.25 * NormalDist().inv_cdf(0.01 ** (1 / 300)), rel=1e-9)
