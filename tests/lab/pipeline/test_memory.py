from __future__ import annotations

import gc

import torch

from netversus.lab.pipeline.memory import Recycler


def test_memory_comes_back_once_its_tensor_is_gone():
    recycler = Recycler(keep=2)
    first = recycler.empty((4, 3), torch.float32)
    address = first.data_ptr()
    del first
    assert recycler.empty((4, 3), torch.float32).data_ptr() == address


def test_memory_that_anybody_still_holds_is_not_given_away():
    recycler = Recycler(keep=4)
    for hold in (lambda t: t[1:], lambda t: t.numpy(), lambda t: t.view(-1), list):
        tensor = recycler.empty((4, 3), torch.uint8).fill_(7)
        address, held = tensor.data_ptr(), hold(tensor)
        del tensor
        gc.collect()
        other = recycler.empty((4, 3), torch.uint8)
        assert other.data_ptr() != address
        del held, other


def test_no_more_is_kept_than_was_said_and_other_shapes_do_not_share():
    recycler = Recycler(keep=2)
    several = [recycler.empty((64, 64), torch.uint8) for _ in range(5)]
    del several
    assert sum(len(each) for each in recycler._free.values()) == 2
    assert recycler.empty((32, 32), torch.float32).shape == (32, 32)
    assert recycler.empty((64, 64), torch.float32).dtype == torch.float32
