from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netversus.lab.data.split import held_out


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**40),
)
def test_every_class_is_divided_in_proportion_and_is_on_both_sides(labels, share, seed):
    keys = [str(i) for i in range(len(labels))]
    count = int(share * len(labels))
    test = held_out(labels, keys, count, seed)
    sizes, held = Counter(labels), Counter(label for label, out in zip(labels, test, strict=True) if out)
    for label, size in sizes.items():
        assert abs(held[label] - count * size / len(labels)) <= 1
        if size > 1:
            assert 0 < held[label] < size


def test_the_split_is_that_of_every_machine_and_version():
    test = held_out([0] * 8 + [1] * 8, [f"image-{i}" for i in range(16)], 6, seed=7)
    assert np.flatnonzero(test).tolist() == [0, 6, 7, 9, 11, 12]


def test_the_order_of_the_images_does_not_matter():
    keys, labels = [f"k{i}" for i in range(40)], [i % 3 for i in range(40)]
    test = dict(zip(keys, held_out(labels, keys, 10, 0), strict=True))
    backwards = dict(zip(keys[::-1], held_out(labels[::-1], keys[::-1], 10, 0), strict=True))
    assert test == backwards


def test_seeds_divide_differently():
    keys, labels = [f"k{i}" for i in range(40)], [0] * 40
    assert (held_out(labels, keys, 20, 0) != held_out(labels, keys, 20, 1)).any()


def test_one_more_image_moves_hardly_any_across():
    keys, labels = [f"k{i}" for i in range(101)], [0] * 101
    before, after = held_out(labels[:100], keys[:100], 20, 3), held_out(labels, keys, 20, 3)
    assert (before != after[:100]).sum() <= 1


def test_the_same_key_stays_on_one_side():
    keys = [f"k{i // 5}" for i in range(50)]
    test = held_out([0] * 50, keys, 12, 0)
    assert all(len({bool(test[i]) for i in range(start, start + 5)}) == 1 for start in range(0, 50, 5))
    assert 12 <= test.sum() < 17


def test_everything_may_be_held_out():
    assert held_out([0, 1, 1], ["a", "b", "c"], 3, 0).all()
