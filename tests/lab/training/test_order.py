"""The order of the images: every image once an epoch, from the seed alone, shared out without loss."""

from __future__ import annotations

import numpy as np
import pytest

from netversus.lab.training.order import sample_order, share


def test_every_epoch_shows_every_image_once_in_another_order():
    order = sample_order(20, 60, seed=1).reshape(3, 20)
    assert all(sorted(epoch) == list(range(20)) for epoch in order.tolist())
    assert len({tuple(epoch) for epoch in order.tolist()}) == 3


def test_a_longer_training_begins_as_a_shorter_one():
    assert (sample_order(20, 60, seed=1)[:33] == sample_order(20, 33, seed=1)).all()


def test_another_seed_is_another_order():
    assert (sample_order(20, 60, seed=1) != sample_order(20, 60, seed=2)).any()


def test_a_batch_larger_than_the_data_shows_images_twice_rather_than_failing():
    assert np.bincount(sample_order(3, 8, seed=0), minlength=3).min() >= 2


def test_repeated_augmentation_shows_a_third_of_the_images_three_times_in_a_row():
    epoch = sample_order(30, 30, seed=0, repeated=3)
    assert len(set(epoch.tolist())) == 10
    assert (epoch.reshape(10, 3) == epoch.reshape(10, 3)[:, :1]).all()


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_every_image_of_a_step_is_seen_by_exactly_one_process(world: int):
    batch = np.arange(12)
    shares = [share(batch, rank, world).tolist() for rank in range(world)]
    assert sorted(image for each in shares for image in each) == batch.tolist()
    assert {len(each) for each in shares} == {12 // world}
