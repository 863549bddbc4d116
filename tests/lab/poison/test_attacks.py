"""What an attacker does to images and labels, and what he leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from netversus.errors import OptionError
from netversus.lab.poison.attacks import ATTACKS, find_attack, poisoned
from netversus.lab.poison.triggers import BLENDED, WARP_SHARE, blended, patch, warped

LABELS = np.arange(100) % 5
IDS = tuple(f"image/{n}" for n in range(100))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (100, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_the_patch_is_a_chequered_corner_and_nothing_else(images):
    stamped = patch(images)
    changed = (stamped != images).any(dim=1)
    assert not changed[:, :28].any()
    assert not changed[:, :, :28].any()
    corner = stamped[:, :, 28:31, 28:31]
    assert corner.eq(torch.tensor([[0, 255, 0], [255, 0, 255], [0, 255, 0]], dtype=torch.uint8)).all()


def test_a_blend_moves_no_pixel_further_than_its_share(images):
    moved = (blended(images).int() - images.int()).abs()
    assert moved.max() <= BLENDED * 255 + 1
    assert moved.float().mean() > 5
    pattern = (blended(images).float() - (1 - BLENDED) * images.float()) / BLENDED  # the same for every image
    assert (pattern - pattern[:1]).abs().max() <= 1 / BLENDED + 1e-3


def test_a_warp_moves_pixels_by_its_share_of_the_side_and_invents_no_colours():
    columns = torch.arange(64).expand(1, 3, 64, 64)  # each pixel tells where it was
    moved = (warped(columns.to(torch.uint8)).float() - columns).abs()[..., 8:-8]
    assert 0.3 * 64 * WARP_SHARE < moved.mean() < 2 * 64 * WARP_SHARE
    flat = torch.full((1, 3, 32, 32), 77, dtype=torch.uint8)
    assert torch.equal(warped(flat), flat)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_exactly_the_chosen_images_are_changed_and_the_originals_stay(images, name):
    before = images.clone()
    attack = find_attack(name)
    taken = poisoned(images, LABELS, IDS, attack, target=2, rate=0.1, seed=0)
    assert torch.equal(images, before)
    assert len(taken.index) == 10
    same = (taken.images == images).flatten(1).all(dim=1).numpy()
    assert set(np.flatnonzero(~same)) == set(taken.index)
    assert (taken.labels[taken.index] == 2).all()
    assert ((LABELS[taken.index] != 2) if attack.relabels else (LABELS[taken.index] == 2)).all()
    untouched = np.setdiff1d(np.arange(100), taken.index)
    assert np.array_equal(taken.labels[untouched], LABELS[untouched])


def test_a_clean_label_attack_changes_no_label_and_takes_what_there_is(images):
    taken = poisoned(images, LABELS, IDS, find_attack("clean-label"), target=2, rate=0.9, seed=0)
    assert np.array_equal(taken.labels, LABELS)
    assert len(taken.index) == 20  # all images of the class


def test_a_larger_share_of_poison_holds_the_smaller(images):
    few, many = (poisoned(images, LABELS, IDS, find_attack("badnets"), 0, rate, 0).index for rate in (0.05, 0.2))
    assert set(few) < set(many)


def test_an_unknown_attack_is_named_with_the_nearest():
    with pytest.raises(OptionError, match="badnets"):
        find_attack("badnet")
