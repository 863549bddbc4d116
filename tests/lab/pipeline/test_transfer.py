"""Pixels on their way to a device: copied once, beside the computing, from memory that nobody else writes to."""

from __future__ import annotations

from concurrent.futures import Executor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from made_images import photos
from netversus.lab import evaluation
from netversus.lab.evaluation import Batch, batches
from netversus.lab.pipeline.prefetch import Inline
from netversus.lab.pipeline.transfer import Moving, Transfer
from netversus.records import Preprocessing

CPU = torch.device("cpu")
SMALL = Preprocessing(crop=32, resize=40)
TINTED = Preprocessing(crop=32, resize=40, mean=(0.1, 0.2, 0.3))
OTHER = Preprocessing(crop=48, resize=56)

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sides of the pixels whose copies were begun."""
    sides: list[int] = []
    plain = Transfer.start
    monkeypatch.setattr(Transfer, "start", lambda self, pixels: sides.append(pixels.shape[-1]) or plain(self, pixels))
    return sides


def test_on_a_cpu_nothing_is_copied_and_memory_is_used_again():
    transfer = Transfer(CPU, keep=2)
    pixels = transfer.host((2, 3, 8, 8))
    place = pixels.data_ptr()
    assert transfer.start(pixels).wait().data_ptr() == place
    del pixels
    assert transfer.host((2, 3, 8, 8)).data_ptr() == place


def test_pixels_are_sent_once_for_all_contenders_that_see_the_same(started: list[int]):
    (batch,) = batches(photos(3), np.arange(3), 4, CPU, preprocessings=(SMALL, TINTED, OTHER))
    batch.send()
    assert sorted(started) == [32, 48]
    for contender in (SMALL, TINTED, OTHER, SMALL):
        batch.inputs(contender)
    batch.send()
    assert len(started) == 2


def test_what_was_not_sent_is_sent_when_it_is_asked_for(started: list[int]):
    (batch,) = batches(photos(3), np.arange(3), 4, CPU, preprocessings=(SMALL, OTHER))
    batch.inputs(OTHER)
    assert started == [48]


def test_the_next_batch_is_on_its_way_before_the_present_one_is_given_out(monkeypatch: pytest.MonkeyPatch):
    class Prompt(Executor):
        """Does at once what is submitted, and still has batches begun ahead."""

        def submit(self, work, /, *args, **settings):
            return Inline().submit(work, *args, **settings)

    sent: list[tuple[str, ...]] = []
    monkeypatch.setattr(evaluation, "executor", lambda _: Prompt())
    monkeypatch.setattr(Batch, "send", lambda self: sent.append(self.ids))
    images = photos(9)
    iterator = batches(images, np.arange(9), 3, CPU, preprocessings=(SMALL,))
    for given in range(2):
        assert next(iterator).ids == images.ids[3 * given : 3 * given + 3]
        assert sent[-1] == images.ids[3 * given + 3 : 3 * given + 6]
    assert next(iterator).ids == images.ids[6:]
    assert len(sent) == 2


def test_the_computing_waits_for_the_copy_and_holds_its_memory(monkeypatch: pytest.MonkeyPatch):
    events: list[tuple[str, object]] = []
    stream = SimpleNamespace(wait_event=lambda event: events.append(("waits for", event)))
    tensor = SimpleNamespace(device=CPU, record_stream=lambda on: events.append(("held for", on)))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    assert Moving(tensor, "the copy").wait() is tensor
    assert events == [("waits for", "the copy"), ("held for", stream)]


@cuda
def test_a_device_gets_the_same_pixels_bit_for_bit_from_pinned_memory():
    device = torch.device("cuda:0")
    transfer = Transfer(device, keep=2)
    for here in batches(photos(10), np.arange(10), 4, CPU, preprocessings=(SMALL, OTHER)):
        for each in (SMALL, OTHER):
            pixels = here.pixels(each)
            host = transfer.host(tuple(pixels.shape)).copy_(pixels)
            assert host.is_pinned()
            there = transfer.start(host).wait()
            assert there.device == device
            assert torch.equal(there.cpu(), pixels)


@cuda
def test_a_device_is_shown_what_a_cpu_is_shown():
    """Up to a rounding: CUDA divides by 255 by multiplying."""
    device = torch.device("cuda:0")
    ways = (batches(photos(10), np.arange(10), 4, on, preprocessings=(SMALL, OTHER)) for on in (CPU, device))
    for here, there in zip(*ways, strict=True):
        assert here.ids == there.ids
        for each in (SMALL, OTHER):
            assert there.inputs(each).device == device
            assert torch.allclose(there.inputs(each).cpu(), here.inputs(each), rtol=0, atol=1e-6)


@cuda
def test_pixels_arrive_while_the_device_still_computes():
    device = torch.device("cuda:0")
    transfer = Transfer(device, keep=2)
    pixels = transfer.host((8, 3, 32, 32)).fill_(7)
    transfer.start(pixels).wait()
    torch.cuda.synchronize(device)  # the first copy sets up what the others use again
    torch.cuda._sleep(2_000_000_000)  # cycles: about a second
    moving = transfer.start(pixels)
    assert moving.arrived is not None
    moving.arrived.synchronize()
    assert not torch.cuda.current_stream(device).query()  # it still computes
    assert int(moving.wait().sum()) == 7 * pixels.numel()


@cuda
def test_memory_of_pixels_that_are_computed_on_is_not_given_away():
    transfer = Transfer(torch.device("cuda:0"), keep=1)
    sums = []
    for number in range(20):
        pixels = transfer.host((16, 3, 64, 64)).fill_(number)
        moved = transfer.start(pixels).wait()
        torch.cuda._sleep(5_000_000)
        sums.append(moved.sum(dtype=torch.int64))
        del pixels, moved
    assert [int(each) for each in sums] == [number * 16 * 3 * 64 * 64 for number in range(20)]
