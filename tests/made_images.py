"""Pictures that tests make, encoded as files, and a split of such files."""

from __future__ import annotations

import time
from collections import Counter
from io import BytesIO

import numpy as np
from PIL import Image

from netversus.lab.data.dataset import ImageSet
from netversus.lab.data.decode import Fast, decode


def smooth(seed: int, size: tuple[int, int]) -> Image.Image:
    """A picture of (width, height) pixels as a lens would draw it: no detail finer than ten pixels."""
    grid = np.random.default_rng(seed).integers(0, 256, (max(2, size[1] // 20), max(2, size[0] // 20), 3), np.uint8)
    return Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)


def noise(seed: int, size: tuple[int, int]) -> Image.Image:
    """Nothing but detail."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))


def encoded(image: Image.Image, form: str = "JPEG", **settings) -> bytes:
    stream = BytesIO()
    image.save(stream, form, **({"quality": 90} if form == "JPEG" else {}) | settings)
    return stream.getvalue()


class Files(ImageSet):
    """Encoded images in memory; it counts how often each is decoded, and may take its time."""

    def __init__(self, contents: list[bytes], seconds: float = 0.0) -> None:
        self.ids = tuple(f"test/{index:03d}" for index in range(len(contents)))
        self.labels = np.arange(len(contents), dtype=np.int64)
        self.factors = {}
        self.contents = contents
        self.seconds = seconds
        self.broken: dict[int, BaseException] = {}
        self.decoded: Counter[int] = Counter()

    def image(self, index: int) -> Image.Image:
        return self.read(index, None)

    def read(self, index: int, fast: Fast | None) -> Image.Image:
        self.decoded[index] += 1
        time.sleep(self.seconds)
        if index in self.broken:
            raise self.broken[index]
        return decode(self.contents[index], suffix="", megapixels=50, fast=fast).image


def photos(count: int, size: tuple[int, int] = (120, 90), seconds: float = 0.0) -> Files:
    """Smooth pictures of about this size."""
    return Files([encoded(smooth(seed, (size[0] + seed % 5, size[1]))) for seed in range(count)], seconds)
