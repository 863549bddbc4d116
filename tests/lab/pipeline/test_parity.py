from __future__ import annotations

import numpy as np
import pytest
import torch

from made_images import Files, encoded, noise, smooth
from netversus.errors import DataError, UnreadableError
from netversus.lab.pipeline.decoders import Pillow
from netversus.lab.pipeline.method import EXACT, Method, Picture, fast_methods
from netversus.lab.pipeline.parity import choose
from netversus.records import Preprocessing
from netversus.statistics.order import recorded_shuffle

P64 = Preprocessing(crop=64, resize=73)
SCALED, BOXED = Method(Pillow(), scaled=True, boxed=True), Method(Pillow(), boxed=True)


@pytest.fixture
def lenses() -> Files:
    return Files([encoded(smooth(seed, (400, 300)), quality=95) for seed in range(8)])


@pytest.fixture
def grains() -> Files:
    return Files([encoded(noise(seed, (400, 300)), quality=95) for seed in range(8)])


def test_the_fastest_is_used_where_its_pixels_agree(lenses):
    method, tried = choose(lenses, recorded_shuffle(8, 0), [P64], methods=(SCALED, BOXED))
    assert method == SCALED
    assert len(tried) == 1


def test_a_method_beyond_the_tolerance_is_passed_over_for_the_next(grains):
    method, tried = choose(grains, recorded_shuffle(8, 0), [P64], methods=(SCALED, BOXED))
    assert method == BOXED
    assert [parity.method for parity in tried] == [SCALED, BOXED]
    assert tried[0].mean > 0.5 > tried[1].mean


def test_without_any_tolerance_it_is_the_exact_one(grains):
    method, tried = choose(grains, recorded_shuffle(8, 0), [P64], methods=(SCALED, BOXED), mean=0.0)
    assert method == EXACT
    assert len(tried) == 2


def test_the_difference_is_that_of_the_pixels_over_all_preprocessings(grains):
    order, several = recorded_shuffle(8, 0), (P64, Preprocessing(crop=96, resize=128))
    _, (parity,) = choose(grains, order, several, methods=(SCALED,), probed=3)
    off = [
        np.abs(
            Picture(grains, int(i), SCALED).pixels(p).numpy().astype(int)
            - Picture(grains, int(i), EXACT).pixels(p).numpy().astype(int)
        )
        for p in several
        for i in order[:3]
    ]
    assert parity.images == 3
    assert parity.mean == pytest.approx(np.mean([np.mean(off[:3]), np.mean(off[3:])]))
    assert parity.most == max(each.max() for each in off)
    assert parity.seconds > 0 < parity.exact_seconds


def test_a_first_answer_that_changes_counts_for_its_contender_and_closes_the_gate(lenses):
    def fickle(pixels: torch.Tensor, _: Preprocessing) -> torch.Tensor:
        return pixels.flatten(1).long().sum(1)  # the least change is another answer

    def steady(pixels: torch.Tensor, _: Preprocessing) -> torch.Tensor:
        return torch.zeros(len(pixels), dtype=torch.int64)

    answers = {"steady": (P64, steady), "fickle": (P64, fickle)}
    method, tried = choose(lenses, recorded_shuffle(8, 0), [P64], methods=(SCALED,), answers=answers)
    assert method == EXACT
    assert tried[0].flips["steady"] == 0
    assert 0 < tried[0].flips["fickle"] <= 8
    assert "first answers changed" in str(tried[0])
    assert "\n" not in str(tried[0])
    assert choose(lenses, recorded_shuffle(8, 0), [P64], methods=(SCALED,), answers=answers, flips=1.0)[0] == SCALED


def test_the_choice_is_the_same_every_time(grains):
    chosen = {choose(grains, recorded_shuffle(8, 0), [P64])[0] for _ in range(3)}
    assert len(chosen) == 1
    assert chosen <= {EXACT, *fast_methods()}


def test_without_a_readable_image_there_is_nothing_to_compare_and_that_is_said(lenses):
    lenses.checked = False
    lenses.broken = {index: UnreadableError(f"{one}: torn") for index, one in enumerate(lenses.ids)}
    with pytest.raises(DataError, match=r"none of 8 images could be read, first test/\d+: torn"):
        choose(lenses, recorded_shuffle(8, 0), [P64])
