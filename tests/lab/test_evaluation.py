"""The pipeline from files to answers: what is seen is the same however it is run, errors name their image, nothing
is left behind."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from made_images import Files, encoded, noise, photos
from netversus.errors import CellError, DataError
from netversus.lab.evaluation import Batch, Room, batches, chunk_size, predict
from netversus.lab.pipeline.method import fast_methods
from netversus.lab.pipeline.prefetch import AHEAD
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import Preprocessing
from netversus.statistics.order import recorded_shuffle

CPU = torch.device("cpu")
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SMALL = Preprocessing(crop=32, resize=40, **IMAGENET)
OTHER = Preprocessing(crop=48, resize=56)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither pixels on disk nor threads."""
    monkeypatch.setenv("NETVERSUS_CACHE", str(tmp_path / "cache"))
    yield
    assert not _threads()


def _threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("netversus")]


def seen(images: Files, size: int = 4, order: np.ndarray | None = None, **settings) -> dict[str, torch.Tensor]:
    """What `SMALL` shows of each image, by id."""
    order = recorded_shuffle(len(images), 0) if order is None else order
    settings = {"preprocessings": (SMALL, OTHER)} | settings
    return {
        one: row.clone()
        for batch in batches(images, order, size, CPU, **settings)
        for one, row in zip(batch.ids, batch.inputs(SMALL), strict=True)
    }


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[one], b[one]) for one in a)


def test_what_is_seen_is_the_reference_bit_for_bit():
    images = photos(10)
    got = seen(images, workers=3)
    assert len(got) == 10
    for index, one in enumerate(images.ids):
        alone = normalise(to_uint8(images.image(index), SMALL)[None], SMALL)[0]
        assert torch.equal(got[one], alone)


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 0},
        {"workers": 1, "size": 1},
        {"workers": 7, "size": 3},
        {"workers": 2, "size": 100},
        {"workers": 2, "preprocessings": ()},
        {"workers": 2, "cache": "data"},
        {"order": np.arange(9, -1, -1)},
    ],
    ids=str,
)
def test_what_is_seen_does_not_depend_on_how_it_is_run(settings):
    assert same(seen(photos(10), **settings), seen(photos(10), workers=2))


def test_batches_hold_the_images_of_the_order_with_their_labels():
    images, order = photos(10), recorded_shuffle(10, 3)[:7]
    got = list(batches(images, order, 3, CPU, preprocessings=(SMALL,)))
    assert [len(batch.ids) for batch in got] == [3, 3, 1]
    assert [batch.stop for batch in got] == [3, 6, 7]
    assert [one for batch in got for one in batch.ids] == [images.ids[i] for i in order]
    assert np.array_equal(np.concatenate([batch.labels for batch in got]), images.labels[order])
    assert all(len(batch.inputs(SMALL)) == len(batch.ids) for batch in got)


@pytest.mark.parametrize("announced", [(), (SMALL, OTHER)], ids=["unannounced", "announced"])
def test_an_image_is_decoded_once_for_all_contenders(announced):
    images = photos(10)
    for batch in batches(images, np.arange(10), 4, CPU, preprocessings=announced):
        for contender in (SMALL, OTHER, SMALL):
            batch.inputs(contender)
    assert set(images.decoded.values()) == {1}


def test_contenders_that_differ_in_mean_and_deviation_share_the_pixels():
    other = Preprocessing(crop=32, resize=40, mean=(0.1, 0.1, 0.1))
    (batch,) = batches(photos(3), np.arange(3), 4, CPU, preprocessings=(SMALL, other))
    assert batch.pixels(SMALL) is batch.pixels(other)
    assert torch.equal(batch.inputs(other), normalise(batch.pixels(SMALL), other))


def test_decoded_images_are_kept_where_no_preprocessing_was_announced_and_only_there():
    (batch,) = batches(photos(3), np.arange(3), 4, CPU)
    assert [image.size for image in batch.images] == [(120, 90), (121, 90), (122, 90)]
    (batch,) = batches(photos(3), np.arange(3), 4, CPU, preprocessings=(SMALL,))
    with pytest.raises(ValueError, match="not kept"):
        _ = batch.images
    with pytest.raises(ValueError, match="not announced"):
        batch.inputs(OTHER)


def test_a_batch_that_is_kept_keeps_its_pixels_while_others_come():
    kept = list(batches(photos(24), np.arange(24), 2, CPU, preprocessings=(SMALL,), workers=2))
    inputs = [batch.inputs(SMALL) for batch in kept]
    copies = [each.clone() for each in inputs]
    assert same(seen(photos(24)), seen(photos(24)))  # more work that could use their memory
    assert all(torch.equal(a, b) for a, b in zip(inputs, copies, strict=True))


def test_the_memory_of_a_batch_is_used_again():
    places = [b.inputs(SMALL).data_ptr() for b in batches(photos(24), np.arange(24), 2, CPU, preprocessings=(SMALL,))]
    assert len(places) == 12
    assert len(set(places)) <= 2


def test_no_more_than_a_few_batches_are_decoded_ahead():
    images = photos(60)
    iterator = batches(images, np.arange(60), 5, CPU, preprocessings=(SMALL,), workers=3)
    next(iterator)
    deadline = time.monotonic() + 2
    while sum(images.decoded.values()) < 5 * (1 + AHEAD) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # were more begun, it would show
    assert sum(images.decoded.values()) == 5 * (1 + AHEAD)
    iterator.close()


def test_the_lead_stays_the_same_as_batches_are_taken():
    images = photos(50)
    iterator = batches(images, np.arange(50), 5, CPU, preprocessings=(SMALL,), workers=3)
    for taken in range(1, 7):
        next(iterator)
        deadline = time.monotonic() + 2
        while sum(images.decoded.values()) < 5 * (taken + AHEAD) and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)  # were more begun, it would show
        assert sum(images.decoded.values()) == 5 * (taken + AHEAD)
    iterator.close()


def test_pixels_have_memory_for_the_batches_ahead_the_one_in_use_and_the_next():
    """A loop still holds its batch when it asks for another."""
    shown = batches(photos(40), np.arange(40), 2, CPU, preprocessings=(SMALL,), workers=2)
    assert len({batch.pixels(SMALL).data_ptr() for batch in shown}) <= AHEAD + 2


def test_images_are_decoded_while_the_last_batch_is_computed():
    images = photos(40)
    for batch in batches(images, np.arange(40), 10, CPU, preprocessings=(SMALL,), workers=2):
        deadline = time.monotonic() + 5  # the computing of this batch
        while sum(images.decoded.values()) <= batch.stop < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sum(images.decoded.values()) > batch.stop or batch.stop == 40


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("announced", [(), (SMALL,)], ids=["unannounced", "announced"])
def test_an_error_comes_at_its_image_and_names_it(workers, announced):
    images = photos(12)
    images.broken = {6: DataError("cannot be decoded: no more data"), 5: ValueError("strange"), 11: MemoryError()}
    iterator = batches(images, np.arange(12), 4, CPU, preprocessings=announced, workers=workers)
    assert next(iterator).ids == images.ids[:4]
    with pytest.raises(CellError, match="test/005 could not be prepared: ValueError: strange"):
        next(iterator)
    with pytest.raises(DataError, match="test/006: cannot be decoded: no more data"):
        list(batches(images, np.array([0, 6, 5]), 4, CPU, preprocessings=announced, workers=workers))
    with pytest.raises(MemoryError):
        list(batches(images, np.array([11]), 4, CPU, preprocessings=announced, workers=workers))


def test_a_message_that_names_its_image_is_left_as_it_is():
    images = photos(3)
    images.broken = {1: DataError("test/001 changed since the data were opened", hint="start again")}
    with pytest.raises(DataError) as raised:
        list(batches(images, np.arange(3), 4, CPU, preprocessings=(SMALL,)))
    assert str(raised.value) == "test/001 changed since the data were opened (start again)"


def test_ctrl_c_ends_it_at_once():
    images = photos(400, seconds=0.05)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in batches(images, np.arange(400), 100, CPU, preprocessings=(SMALL,), workers=2):
                pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert sum(images.decoded.values()) < 400
    timer.join()
    assert not _threads()


def test_breaking_off_leaves_no_thread():
    images = photos(200, seconds=0.02)
    for _ in batches(images, np.arange(200), 4, CPU, preprocessings=(SMALL,), workers=2):
        break
    assert not _threads()
    assert sum(images.decoded.values()) < 200


def test_the_next_run_finds_the_pixels_on_disk_and_decodes_nothing():
    first = photos(10)
    expected = seen(first, cache="data")
    again = photos(10)
    assert same(seen(again, cache="data"), expected)
    assert not again.decoded
    seen(again, cache="other data")
    seen(again, cache="data", method=fast_methods()[0])
    assert set(again.decoded.values()) == {2}


def test_pixels_are_kept_apart_by_what_tells_of_change_and_not_at_all_where_nothing_does(tmp_path: Path):
    first, other, unknown = photos(4), photos(4), photos(4)
    first.trace, other.trace, unknown.trace = "as of today", "as of tomorrow", None
    seen(first, cache="data")
    seen(other, cache="data")
    assert set(other.decoded.values()) == {1}
    first.decoded.clear()
    seen(first, cache="data")
    assert not first.decoded
    kept = sorted((tmp_path / "cache").iterdir())
    for times in (1, 2):
        seen(unknown, cache="data")
        assert set(unknown.decoded.values()) == {times}
    assert sorted((tmp_path / "cache").iterdir()) == kept


def test_a_part_of_a_split_is_cached_and_the_rest_is_added():
    images = photos(10)
    seen(images, order=np.array([7, 2]), cache="data")
    images.decoded.clear()
    assert same(seen(images, cache="data"), seen(photos(10)))
    assert sorted(images.decoded) == [0, 1, 3, 4, 5, 6, 8, 9]


def test_a_fast_method_decodes_fast_and_is_near():
    images = Files([encoded(noise(seed, (200, 180)), quality=95) for seed in range(6)])
    exact, fast = seen(images), seen(images, method=fast_methods()[1])
    for one in images.ids:
        assert (exact[one] - fast[one]).abs().max() <= 1.01 / 255 / 0.224


def test_a_chunk_depends_on_the_size_of_the_images_alone():
    assert [chunk_size(side, side, CPU) for side in (8, 32, 64, 96, 128, 224, 299, 384, 1024)] == [
        64, 64, 64, 32, 32, 8, 4, 4, 4,
    ]  # fmt: skip


def test_an_accelerator_is_shown_more_at_once_whatever_the_size_of_the_batch():
    cuda = torch.device("cuda")
    assert [chunk_size(side, side, cuda) for side in (8, 32, 224, 256, 299, 384, 1024)] == [64, 64, 64, 64, 32, 16, 4]
    for batch in (1, 16, 512):
        elsewhere = torch.empty(batch, 3, 224, 224, device="meta")  # no CPU, and no memory
        assert Room().chunk(elsewhere) == 64


def test_a_contender_is_always_shown_as_many_images_at_once():
    shapes = []

    def contender(images: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(images.shape))
        return images.flatten(1)[:, :5].double()

    inputs = torch.randn(11, 3, 224, 224)
    logits = predict(contender, inputs)
    assert set(shapes) == {(8, 3, 224, 224)}
    assert logits.dtype == torch.float32
    assert torch.equal(logits, inputs.flatten(1)[:, :5])


def crowded(most: int, shown: list[int]):
    """A contender for which `most` images fit in memory."""

    def contender(images: torch.Tensor) -> torch.Tensor:
        shown.append(len(images))
        if len(images) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return images.flatten(1)[:, :5]

    return contender


def test_where_memory_runs_out_half_as_many_are_shown_and_the_room_tells():
    shown: list[int] = []
    room, inputs = Room(), torch.randn(70, 3, 32, 32)
    assert torch.equal(predict(crowded(20, shown), inputs, room), inputs.flatten(1)[:, :5])
    assert shown == [64, 32, 16, 16, 16, 16, 16]
    assert (room.most, room.halved) == (16, [64, 32])
    shown.clear()
    predict(crowded(20, shown), inputs[:16], room)
    assert shown == [16]


def test_a_room_tells_each_time_that_it_shrinks_and_goes_on_from_what_was_told():
    told: list[tuple[int, ...]] = []
    inputs = torch.randn(3, 3, 32, 32)
    predict(crowded(20, []), inputs, Room(keep=told.append))
    assert told == [(64,), (64, 32)]
    shown: list[int] = []
    predict(crowded(64, shown), inputs, Room(list(told[-1])))
    assert shown == [16]


def test_one_image_without_memory_is_an_error_and_so_is_any_lack_of_it_without_a_room():
    with pytest.raises(torch.OutOfMemoryError):
        predict(crowded(0, []), torch.zeros(2, 3, 32, 32), Room())
    with pytest.raises(torch.OutOfMemoryError):
        predict(crowded(20, []), torch.zeros(70, 3, 32, 32))


def test_answers_are_the_same_bits_in_every_batch():
    """With torchvision's ResNet, whose kernels do depend on the size of the batch."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    model, inputs = resnet18().eval(), torch.randn(9, 3, 224, 224)
    whole = predict(model, inputs)
    assert whole.shape == (9, 1000)
    for size in (1, 3, 8):
        parts = torch.cat([predict(model, inputs[i : i + size]) for i in range(0, 9, size)])
        assert torch.equal(parts, whole), size
    order = torch.randperm(9)
    assert torch.equal(predict(model, inputs[order]), whole[order])


def test_a_batch_tells_its_device():
    (batch,) = batches(photos(2), np.arange(2), 4, CPU)
    assert isinstance(batch, Batch)
    assert batch.device == CPU
