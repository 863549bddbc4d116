"""A trigger stamped into some images of a class is found where it is; clean digits and noise show none."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from made_images import smooth
from netversus.lab.data import open_data
from netversus.lab.inspect.prints import take_prints
from netversus.lab.inspect.tiles import FEWEST, suspected_patterns
from netversus.lab.poison.attacks import find_attack, poisoned


def quiet(_done: int, _total: int) -> None:
    """Nobody is told."""


def test_a_badnets_patch_in_a_fiftieth_of_the_digits_is_found_and_clean_ones_show_nothing():
    prints = take_prints(open_data("digits"), quiet)
    assert suspected_patterns(prints.copies, prints.labels) == []
    images = torch.from_numpy(prints.copies).permute(0, 3, 1, 2)
    taken = poisoned(images, prints.labels, prints.ids, find_attack("badnets"), target=3, rate=0.02, seed=0)
    found = suspected_patterns(taken.images.permute(0, 2, 3, 1).numpy(), taken.labels)
    assert {pattern.label for pattern in found} == {3}
    assert set(found[0].images) == set(taken.index)
    assert found[0].elsewhere == 0
    assert min(found[0].x, found[0].y) >= 26


def test_a_stamp_survives_the_squeeze_of_larger_pictures(made):
    images = [smooth(seed, (160, 120)) for seed in range(90)]
    labels = [seed % 3 for seed in range(90)]
    for image in images[1:45:3]:  # half of the second class
        for row, column in np.ndindex(6, 6):  # a chequered stamp of 30 pixels
            colour = (255, 255, 255) if (row + column) % 2 else (0, 0, 0)
            image.paste(colour, (120 + 5 * column, 80 + 5 * row, 125 + 5 * column, 85 + 5 * row))
    prints = take_prints(made(train=(images, labels)), quiet)
    found = suspected_patterns(prints.copies, prints.labels)
    assert found
    assert {pattern.label for pattern in found} == {1}
    assert set(np.concatenate([pattern.images for pattern in found]).tolist()) == set(range(1, 45, 3))


def test_a_mark_that_every_class_has_and_one_that_few_images_have_are_no_triggers():
    copies = np.random.default_rng(0).integers(0, 60, (120, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(120) % 3
    chequered = 255 * (np.indices((6, 6)).sum(axis=0) % 2)[..., None]
    copies[:60, :6, :6] = chequered
    copies[labels == 1][: FEWEST - 1, -6:, -6:] = chequered
    assert suspected_patterns(copies, labels) == []
    assert suspected_patterns(copies, np.zeros(120, np.int64)) == []


def test_a_smooth_border_is_no_pattern(made):
    images = [Image.new("RGB", (32, 32), "white") for _ in range(40)]
    prints = take_prints(made(train=(images, [0] * 20 + [1] * 20)), quiet)
    assert suspected_patterns(prints.copies, prints.labels) == []
