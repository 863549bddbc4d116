"""CKA beside its closed forms, beside a slow sum over four images, and beside what it must not feel."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from netversus.studies.similarity.alignment import Alignment, Network, cka, dumped, jackknife, loaded
from netversus.studies.similarity.grams import debiased_hsic, gram


def aligned(one: Tensor, other: Tensor, batch: int | None = None) -> float:
    """The CKA of two sets of features, in batches."""
    count = len(one)
    parts = torch.arange(count).split(batch or count)
    hsic = [debiased_hsic(torch.stack([gram(one[p]), gram(other[p])])).numpy() for p in parts]
    return float(cka(np.stack(hsic), np.array([len(p) for p in parts], dtype=float))[0, 1])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(one: Tensor, other: Tensor) -> float:
    """The U-statistic of order four that the debiased estimator is in closed form (Song et al. 2012, eq. 4)."""
    k, m = (one @ one.T).numpy(), (other @ other.T).numpy()
    fours = list(permutations(range(len(one)), 4))
    return sum(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in fours) / len(fours)


def test_the_closed_form_is_the_mean_over_all_fours_of_images():
    one, other = noise(7, 3), noise(7, 5, seed=1)
    ours = debiased_hsic(torch.stack([gram(one), gram(other)]))
    assert float(ours[0, 1]) == pytest.approx(by_hand(one, other), rel=1e-5)
    assert float(ours[0, 0]) == pytest.approx(by_hand(one, one), rel=1e-5)


def test_a_rotation_a_scale_and_a_shift_change_nothing():
    features = noise(40, 12)
    rotation, _ = torch.linalg.qr(noise(12, 12, seed=1))
    assert aligned(features, 3.7 * features @ rotation + 100) == pytest.approx(1, abs=1e-5)


def test_a_part_of_the_features_has_the_alignment_that_its_spectrum_gives():
    """For whitened features in p dimensions, of which q are kept, linear CKA is sqrt(q / p) (Kornblith et al. 2019)."""
    features = noise(4000, 8)
    assert aligned(features, features[:, :2]) == pytest.approx(0.5, abs=0.02)


def test_independent_features_lie_about_zero_where_the_biased_estimator_does_not():
    found = [aligned(noise(16, 64, seed=2 * i), noise(16, 64, seed=2 * i + 1)) for i in range(60)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(60)
    one, other = (each - each.mean(0) for each in (noise(16, 64), noise(16, 64, seed=1)))
    biased = float((other.T @ one).square().sum() / ((one.T @ one).norm() * (other.T @ other).norm()))
    assert biased > 0.5


def test_batches_of_a_few_images_give_what_all_at_once_gives():
    one = noise(1024, 20)
    other = one @ noise(20, 30, seed=1) + 2 * noise(1024, 30, seed=2)
    assert aligned(one, other, batch=32) == pytest.approx(aligned(one, other), abs=0.02)
    assert aligned(one, other, batch=1024) == aligned(one, other)


def test_features_that_do_not_vary_have_no_alignment():
    assert np.isnan(aligned(torch.ones(8, 3), noise(8, 3)))


def test_fewer_than_four_images_are_refused():
    with pytest.raises(ValueError, match="at least 4 images, got 3"):
        debiased_hsic(torch.zeros(1, 3, 3))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Features of which 2 of 8 whitened dimensions are shared: the truth is 0.5."""
    held = 0
    for trial in range(60):
        features = noise(320, 8, seed=trial)
        hsic = [debiased_hsic(torch.stack([gram(p), gram(p[:, :2])])).numpy() for p in features.split(16)]
        found = jackknife(np.stack(hsic), np.full(20, 16.0))
        assert found is not None
        held += found.low <= 0.5 <= found.high
    assert held >= 50


def test_what_is_kept_is_read_back_whole():
    networks = (Network("a", untrained=False, first=0, labels=("stage 1", "head")), Network("a", True, 2, ("x", "y")))
    kept = Alignment(networks, np.arange(32.0).reshape(2, 4, 4), np.array([4.0, 5.0]), 9, (3, 7))
    back = loaded(dumped(kept))
    assert back is not None
    assert (back.networks, back.read, back.disagreed) == (kept.networks, 9, (3, 7))
    assert np.array_equal(back.hsic, kept.hsic)
    assert np.array_equal(back.sizes, kept.sizes)
    assert back.network("a", untrained=True) == networks[1]
    assert loaded(None) is None
