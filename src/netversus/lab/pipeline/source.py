"""One split as several preprocessings show it, image by image; from the disk where it was prepared before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import torch
from PIL import Image
from torch import Tensor

from netversus.errors import CellError, DataError, NetversusError
from netversus.lab.data.cache import PixelCache
from netversus.lab.data.dataset import ImageSet
from netversus.lab.pipeline.method import Method, Picture
from netversus.records import Preprocessing, digest


class Source:
    """What `method` makes of the images of a split. `shapes` are preprocessings as `geometry` gives them.

    With `cache`, a digest of the data, pixels are looked for on disk and kept there, unless nothing tells whether those
    of the images have changed (see `ImageSet.trace`). Safe to use from several threads.
    """

    def __init__(self, images: ImageSet, shapes: Sequence[Preprocessing], method: Method, cache: str | None) -> None:
        self.images = images
        self.shapes = tuple(shapes)
        self._method = method
        self._caches: dict[Preprocessing, PixelCache] = {}
        if cache is not None and images.trace is not None:
            known = digest(cache, images.trace) if images.trace else cache
            self._caches = {each: self._cache(each, known) for each in self.shapes}

    def _cache(self, shape: Preprocessing, data: str) -> PixelCache:
        return PixelCache(data, self.images.ids, asdict(shape), self._method.name, shape=(3, shape.crop, shape.crop))

    def close(self) -> None:
        """Let go of the files."""
        for each in self._caches.values():
            each.close()

    def decode(self, index: int) -> Image.Image:
        """The image at `index` as it is.

        Raises:
            DataError, CellError: it cannot be had; the image is named.
        """
        with _naming(self.images.ids[index]):
            return self.images.image(index)

    def fill(self, index: int, rows: Sequence[Tensor]) -> None:
        """Write the image at `index`, as each of the `shapes` shows it, to the rows: uint8, shape (3, crop, crop).

        Raises:
            DataError, CellError: it cannot be had; the image is named.
        """
        with _naming(self.images.ids[index]):
            picture = Picture(self.images, index, self._method)
            for shape, row in zip(self.shapes, rows, strict=True):
                cache = self._caches.get(shape)
                if cache is None or not cache.read(index, row.numpy()):
                    row.copy_(picture.pixels(shape))
                    if cache is not None:
                        cache.write(index, row.numpy())


@contextmanager
def _naming(image: str) -> Iterator[None]:
    """Let an error say at which image it came. Out of memory stays what it is, for it has an outcome of its own."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except DataError as error:
        if image in error.message:
            raise
        raise DataError(f"{image}: {error.message}", hint=error.hint) from error
    except NetversusError:
        raise
    except Exception as error:
        raise CellError(f"{image} could not be prepared: {type(error).__name__}: {error}") from error
