"""Equal and nearly equal images are found; what merely looks alike from afar is not."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageEnhance

from made_images import encoded, smooth
from netversus.lab.inspect.duplicates import NEAR_BITS, equal_pairs, near_pairs
from netversus.lab.inspect.looked import Check, look
from netversus.lab.inspect.prints import difference_hash, take_prints


def quiet(_done: int, _total: int) -> None:
    """Nobody is told."""


def recompressed(image: Image.Image) -> Image.Image:
    return Image.open(BytesIO(encoded(image, "JPEG", quality=50))).convert("RGB")


def apart(a: Image.Image, b: Image.Image) -> int:
    return (difference_hash(a) ^ difference_hash(b)).bit_count()


def test_the_hash_is_the_sign_of_each_difference_to_the_right():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9), dtype=np.uint8)
    bits = 0
    for row in range(8):
        for column in range(8):
            bits |= int(pixels[row, column + 1] > pixels[row, column]) << (8 * row + column)
    assert difference_hash(Image.fromarray(pixels).convert("RGB")) == bits


def test_compressing_scaling_and_brightening_move_few_bits_and_another_picture_many():
    image = smooth(1, (200, 150))
    for changed in (recompressed(image), image.resize((120, 90)), ImageEnhance.Brightness(image).enhance(0.7)):
        assert apart(image, changed) <= NEAR_BITS
    assert np.mean([apart(image, smooth(seed, (200, 150))) for seed in range(2, 12)]) > 20


def test_planted_duplicates_are_all_found_and_nothing_else(made):
    originals = [smooth(seed, (90, 90)) for seed in range(30)]
    near = [recompressed(image) for image in originals[:5]] + [image.resize((70, 70)) for image in originals[5:10]]
    data = made(
        train=([*originals, originals[11].copy()], [seed % 3 for seed in range(30)] + [11 % 3]),
        test=([*near, originals[20].copy()], [seed % 3 for seed in range(10)] + [(20 + 1) % 3]),
    )
    prints = take_prints(data, quiet)
    assert {(p.first, p.second) for p in equal_pairs(prints)} == {(11, 30), (20, 41)}
    assert {(p.first, p.second) for p in near_pairs(prints)} == {(i, 31 + i) for i in range(10)}
    report = look(data, quiet)
    assert [s.image for s in report.of(Check.EQUAL)] == ["train/030"]
    assert len(report.of(Check.NEAR_ACROSS)) == 10
    assert [(s.split, s.image, s.other) for s in report.of(Check.CONTRADICTION)] == [("test", "test/010", "train/020")]


def test_pictures_with_equal_hashes_but_other_content_are_no_duplicates(made):
    flat = [Image.new("RGB", (40, 40), (value, 0, 0)) for value in (10, 60, 200)]  # hash 0, all of them
    split = Image.new("RGB", (40, 40), "black")
    split.paste((255, 255, 255), (20, 0, 40, 40))
    line = Image.new("RGB", (40, 40), "black")
    line.paste((255, 255, 255), (38, 0, 40, 40))
    prints = take_prints(made(train=([*flat, split, line], [0, 1, 2, 0, 1])), quiet)
    assert near_pairs(prints) == []
    assert equal_pairs(prints) == []
