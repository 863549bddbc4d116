"""When the sequential test decides, beside walks that were drawn and walks that were counted out."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from netversus.errors import StatisticsError
from netversus.statistics.power import images_for_proportions
from netversus.statistics.sequential import boundary
from netversus.statistics.stopping_time import leaving, stopping_time


def drawn(gap: float, psi: float, look: int, runs: int, cap: int, seed: int = 0) -> np.ndarray:
    """Images until the decision, looking every `look` images; the cap where there was none."""
    rng = np.random.default_rng(seed)
    looks = np.arange(look, cap + 1, look)
    discordant = rng.binomial(look, psi, (runs, len(looks)))
    wins = rng.binomial(discordant, (1 + gap / psi) / 2)
    up, down = np.cumsum(wins, axis=1), np.cumsum(discordant - wins, axis=1)
    edges = boundary(np.arange(int((up + down).max()) + 1))
    hit = np.maximum(up, down) >= edges[up + down]
    return np.where(hit.any(axis=1), looks[hit.argmax(axis=1)], cap)


@pytest.mark.parametrize(("gap", "psi"), [(0.03, 0.12), (0.06, 0.16), (-0.08, 0.08)])
def test_the_median_and_the_ninth_decile_are_those_of_drawn_walks(gap: float, psi: float) -> None:
    found = stopping_time(gap, psi)
    assert found is not None
    images = drawn(gap, psi, 1, 1500, 6000)
    noise = 4 * np.sqrt(0.25 / 1500)
    assert np.mean(images <= found.median) == pytest.approx(0.5, abs=noise)
    assert np.mean(images <= found.ninth_decile) == pytest.approx(0.9, abs=noise)


@pytest.mark.parametrize(("gap", "cap"), [(0.02, 10_000), (0.05, 3000)])
def test_looking_every_64_images_decides_about_a_twentieth_later(gap: float, cap: int) -> None:
    found = stopping_time(gap, 0.12)
    assert found is not None
    ratio = np.median(drawn(gap, 0.12, 64, 10_000, cap)) / found.median
    assert 1.02 < ratio < 1.08


def test_the_chances_are_those_of_all_walks_counted_out() -> None:
    edges = boundary(np.arange(13), level=0.5, prior=10)
    won, lost = np.zeros(13), np.zeros(13)
    p = 0.7
    for walk in product((0, 1), repeat=12):
        b = np.cumsum(walk)
        n = np.arange(1, 13)
        hit = np.maximum(b, n - b) >= edges[1:]
        if hit.any():
            at = int(hit.argmax())
            side = won if b[at] >= edges[at + 1] else lost
            side[at + 1] += p ** sum(walk) * (1 - p) ** (12 - sum(walk))
    wins, losses = leaving(p, level=0.5, prior=10, most=12, left=0.0)
    assert won.sum() > 0.1
    assert wins == pytest.approx(won)
    assert losses == pytest.approx(lost)


@pytest.mark.parametrize("level", [0.9, 0.95, 1 - 0.05 / 3, 0.99])
@pytest.mark.parametrize("prior", [10.0, 50.0])
def test_of_equal_contenders_the_decisions_stay_below_the_error_rate(level: float, prior: float) -> None:
    wins, losses = leaving(0.5, level=level, prior=prior, most=4000)
    assert wins == pytest.approx(losses)
    assert 0.3 * (1 - level) < wins.sum() + losses.sum() <= 1 - level


def test_all_disagreements_won_decide_at_the_first_boundary() -> None:
    first = int(np.argmax(boundary(np.arange(100)) <= np.arange(100)))
    wins, losses = leaving(1.0, most=100)
    assert wins.argmax() == first
    assert wins.sum() == pytest.approx(1)
    assert losses.sum() == 0
    found = stopping_time(1.0, 1.0)
    assert found is not None
    assert (found.median, found.ninth_decile, found.wrong) == (first, first, 0)


def test_the_sign_of_the_gap_does_not_matter_and_more_confidence_takes_longer() -> None:
    assert stopping_time(0.02, 0.1) == stopping_time(-0.02, 0.1)
    loose, strict = (stopping_time(0.02, 0.1, level=level) for level in (0.9, 0.99))
    assert loose is not None
    assert strict is not None
    assert loose.median < strict.median


def test_a_gap_too_small_to_be_followed_is_not_followed() -> None:
    assert stopping_time(0.0005, 0.12) is None
    assert images_for_proportions(0.0005, 0.12) > 1_000_000


@pytest.mark.parametrize(
    "call",
    [
        lambda: stopping_time(0.0, 0.1),
        lambda: stopping_time(0.2, 0.1),
        lambda: stopping_time(0.01, 0.1, level=1.0),
        lambda: leaving(1.5, most=10),
        lambda: leaving(0.5, most=0),
        lambda: leaving(0.5, most=10, level=0.0),
        lambda: leaving(0.5, most=10, prior=0.0),
    ],
)
def test_what_makes_no_sense_is_refused(call: object) -> None:
    with pytest.raises(StatisticsError):
        call()  # type: ignore[operator]
