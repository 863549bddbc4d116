"""Certificates beside what is known in closed form: a linear classifier smoothed by Gaussian noise is itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from lab.attacks.linear import answers, exact_distance, grey_images, linear, victim_of
from netversus.errors import OptionError
from netversus.lab.attacks.smoothing import (
    ABSTAINED,
    Certificate,
    Smoothing,
    certify,
    largest_radius,
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


def test_no_certificate_reaches_beyond_what_the_copies_can_say():
    smoothing = Smoothing(sigma=0.25, estimation=100, alpha=0.001)
    assert largest_radius(smoothing) == pytest.approx(0.25 * norm.ppf(0.001 ** (1 / 100)))
    assert np.isfinite(largest_radius(smoothing))


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(OptionError, match="smoothing needs"):
        Smoothing(sigma=0.0)
