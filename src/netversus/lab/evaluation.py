"""Images to contenders: each is decoded once, prepared once for each distinct preprocessing, and shown to all.

What a contender sees of an image depends on the image and the preprocessing alone, bit for bit: not on the order, the
number of workers, the size of the batches or who else is measured. Nor does what it answers, see `predict`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from netversus.errors import UnreadableError
from netversus.lab.data.dataset import ImageSet
from netversus.lab.devices import out_of_memory
from netversus.lab.engines.memory import keep_freed_memory
from netversus.lab.pipeline.method import EXACT, Method
from netversus.lab.pipeline.prefetch import AHEAD, Inline, Pending, ahead_of, default_workers, executor
from netversus.lab.pipeline.source import Source
from netversus.lab.pipeline.transfer import Moving, Transfer
from netversus.lab.preprocessing import geometry, normalise
from netversus.records import Preprocessing

CHUNK_PIXELS: Mapping[str, int] = {"cpu": 2**19, "cuda": 2**22}
"""By the device type: what fits a CPU's caches leaves most of an accelerator idle."""
Seen = TypeVar("Seen")
SMALLEST_CHUNK, LARGEST_CHUNK = 4, 64  # 64 at most: what is missing of a smaller batch is filled up, and computed too


@dataclass
class Batch:
    """Some of the images: `ids` and `labels` (int64, shape (n,)) in order; `stop` counts the images so far, with those
    that were `left_out`: ids that turned out to be unreadable, with the reason."""

    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    stop: int
    transfer: Transfer
    method: Method = EXACT
    decoded: tuple[Image.Image, ...] | None = None  # where the preprocessings were not announced
    left_out: Mapping[str, str] = field(default_factory=dict)
    _pixels: dict[Preprocessing, Tensor] = field(default_factory=dict)
    _moving: dict[Preprocessing, Moving] = field(default_factory=dict)
    _prepared: dict[Preprocessing, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> torch.device:
        """Where `inputs` lie."""
        return self.transfer.device

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """The decoded images. They are kept only where no preprocessings were announced to `batches`."""
        if self.decoded is None:
            raise ValueError("the images are not kept: announce no preprocessings to batches(), or ask for pixels")
        return self.decoded

    def pixels(self, preprocessing: Preprocessing) -> Tensor:
        """The batch resized and cropped: uint8, shape (n, 3, crop, crop), on the CPU. Not to be written to."""
        shape = geometry(preprocessing)
        if shape not in self._pixels:
            if self.decoded is None:
                raise ValueError(f"{preprocessing} was not announced to batches()")
            rows = self.transfer.host((len(self.ids), 3, shape.crop, shape.crop))
            for row, image in zip(rows, self.decoded, strict=True):
                row.copy_(self.method.pixels(image, shape))
            self._pixels[shape] = rows
        return self._pixels[shape]

    def inputs(self, preprocessing: Preprocessing) -> Tensor:
        """The batch as a contender wants it: float32, shape (n, 3, crop, crop), on the device. Not to be written
        to: the next contender gets the same tensor."""
        if preprocessing not in self._prepared:
            pixels = self._moved(preprocessing)
            out = self.transfer.floats(tuple(pixels.shape))
            self._prepared[preprocessing] = normalise(pixels, preprocessing, out)
        return self._prepared[preprocessing]

    def send(self) -> None:
        """Begin to copy the pixels to the device; `inputs` does so where it was not done before."""
        for shape in self._pixels:
            if shape not in self._moving:
                self._moving[shape] = self.transfer.start(self._pixels[shape])

    def _moved(self, preprocessing: Preprocessing) -> Tensor:
        shape = geometry(preprocessing)
        if shape not in self._moving:
            self._moving[shape] = self.transfer.start(self.pixels(preprocessing))
        return self._moving[shape].wait()


def batches(
    images: ImageSet,
    order: NDArray[np.int64],
    size: int,
    device: torch.device,
    *,
    preprocessings: Iterable[Preprocessing] = (),
    method: Method = EXACT,
    workers: int | None = None,
    cache: str | None = None,
    leave_out: bool = False,
) -> Iterator[Batch]:
    """The images at the indices `order`, each read and decoded once, `size` at a time.

    Args:
        images: one split; its `image` is called from several threads at once.
        order: int64, shape (n,).
        size: images in a batch; the last may be smaller.
        device: where the contenders are.
        preprocessings: all that will be asked of the batches. They are then carried out ahead of the computing, with
            a bounded number of batches in memory. Without them every batch keeps its decoded images, whatever their
            size, and nothing is done ahead.
        method: how images are decoded and resized; see `netversus.lab.pipeline.parity.choose` for a faster one.
        workers: threads that decode; 0: none; None: one a core.
        cache: a digest of the data. Pixels are then kept on disk (`crop` squared x 3 bytes an image and
            preprocessing) and found there by the next run on the same data.
        leave_out: an image of data that were not looked at before, and that turns out to be unreadable, is left out
            of its batch, which may become empty, and is named in it. For those who need no given number of images.

    Raises:
        DataError: an image cannot be read; it is raised where its batch would have come, and names the image.
    """
    keep_freed_memory()
    shapes = tuple(dict.fromkeys(geometry(each) for each in preprocessings))
    pool = executor(default_workers() if workers is None else workers)
    ahead = AHEAD if shapes and not isinstance(pool, Inline) else 0
    transfer = Transfer(device, keep=ahead + 2)
    with closing(Source(images, shapes, method, cache)) as source:
        begin = (
            _begun(source, order[start : start + size], start, size, transfer, method, pool, leave_out=leave_out)
            for start in range(0, len(order), size)
        )
        yield from ahead_of(begin, pool, ahead, Batch.send)


def _begun(
    source: Source,
    index: NDArray[np.int64],
    start: int,
    size: int,
    transfer: Transfer,
    method: Method,
    pool: Executor,
    *,
    leave_out: bool,
) -> Pending[Image.Image | UnreadableError | None, Batch]:
    """One batch under way: prepared for the source's shapes, or without such its images decoded."""
    # Memory for a whole batch, even for the last one: then it is found again.
    whole = {shape: transfer.host((size, 3, shape.crop, shape.crop)) for shape in source.shapes}
    rows = {shape: memory[: len(index)] for shape, memory in whole.items()}

    def part(place: int, one: int) -> Image.Image | UnreadableError | None:
        try:
            if not rows:
                return source.decode(one)
            source.fill(one, [several[place] for several in rows.values()])
        except UnreadableError as error:
            if not leave_out:
                raise
            return error
        return None

    def finish(parts: list[Image.Image | UnreadableError | None]) -> Batch:
        bad = {place: str(each) for place, each in enumerate(parts) if isinstance(each, UnreadableError)}
        good = [place for place in range(len(index)) if place not in bad]
        return Batch(
            ids=tuple(source.images.ids[one] for one in index[good]),
            labels=source.images.labels[index[good]],
            stop=start + len(index),
            transfer=transfer,
            method=method,
            decoded=None if rows else tuple(each for each in parts if isinstance(each, Image.Image)),
            left_out={source.images.ids[index[place]]: reason for place, reason in bad.items()},
            _pixels={shape: memory[good] for shape, memory in rows.items()} if bad else rows,
        )

    return Pending([pool.submit(part, place, int(one)) for place, one in enumerate(index)], finish)


def chunk_size(height: int, width: int, device: torch.device) -> int:
    """How many images of a size `predict` shows a contender at once, whatever the size of the batches.

    On a CPU 8 of 224 px, 32 of 128 or 96, 64 of less; on an accelerator 64 of 256 px or less, 32 of 299, 16 of 384.
    """
    fit = CHUNK_PIXELS.get(device.type, CHUNK_PIXELS["cuda"]) // (height * width)
    return min(LARGEST_CHUNK, max(SMALLEST_CHUNK, 1 << max(0, fit.bit_length() - 1)))


@dataclass
class Room:
    """How many images fit in memory at once, of one contender. `halved` tells each time that they did not, in images;
    `keep` is then called with all of it, so that it outlives the process."""

    halved: list[int] = field(default_factory=list)
    keep: Callable[[Sequence[int]], None] = lambda _: None

    @property
    def most(self) -> int | None:
        """Half of what did not fit; None until memory ran out."""
        return self.halved[-1] // 2 if self.halved else None

    def chunk(self, inputs: Tensor) -> int:
        """How many to show at once."""
        wanted = chunk_size(inputs.shape[-2], inputs.shape[-1], inputs.device)
        return wanted if self.most is None else min(wanted, self.most)

    def shrink(self, chunk: int) -> bool:
        """Halve a chunk that did not fit; False where it was one image."""
        if chunk == 1:
            return False
        self.halved.append(chunk)
        self.keep(tuple(self.halved))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return True

    def fitted(self, inputs: Tensor, show: Callable[[int], Seen]) -> Seen:
        """What `show` gives when it shows so many of the inputs at once; half as many where memory runs out."""
        while True:
            chunk = self.chunk(inputs)
            try:
                return show(chunk)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                failure = error.with_traceback(None)  # the traceback holds on to tensors
            if not self.shrink(chunk):
                raise failure


@torch.inference_mode()
def predict(model: Callable[[Tensor], Tensor], inputs: Tensor, room: Room | None = None) -> Tensor:
    """Logits of `inputs`, float32, shape (n, 3, h, w): float32, on the CPU, shape (n, classes).

    The contender is always shown as many images at once as `chunk_size` says for their size and device, the last of
    them filled up. For the kernels that a network gets depend on the shape of its input, and so do the last bits of
    what it answers: with chunks of one size, what it says of an image is the same in every batch. (Measured on a CPU
    with ResNets in float32: bit for bit, for batches of 1 to 64, at any place, beside any other images; without it
    7e-5 between batches of 1 and 64.) It costs nothing where the size of the batch is a multiple of the chunk's. At
    224 px a CPU is up to 1.4 times as fast with 8 images at once as with 64, for their activations fit its caches.

    With a `room` the chunk is halved when memory runs out, and stays so for who asks again with the same room, which
    tells of it; without one the error passes through.
    """
    if room is None:
        return in_chunks(model, inputs, Room().chunk(inputs))
    return room.fitted(inputs, lambda chunk: in_chunks(model, inputs, chunk))


def in_chunks(model: Callable[[Tensor], Tensor], inputs: Tensor, chunk: int) -> Tensor:
    """Logits of `inputs` as `predict` gives them, with a chunk of one's own."""
    logits = [model(filled_up(part, chunk))[: len(part)] for part in torch.split(inputs, chunk)]
    return torch.cat(logits).float().cpu()


def filled_up(images: Tensor, count: int) -> Tensor:
    """At least `count` images: the last one is repeated."""
    lack = count - len(images)
    return torch.cat([images, images[-1:].expand(lack, -1, -1, -1)]) if lack > 0 else images
