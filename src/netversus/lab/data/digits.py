"""`digits`: the 1,797 real handwritten digits that scikit-learn ships (UCI, Alpaydin and Kaynak 1998)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.data.kind import Kind, Opening
from netversus.lab.data.split import held_out
from netversus.messages import noted
from netversus.records import DataCard, digest
from netversus.study import Options

CLASSES = tuple("0123456789")
INK = ("thin", "medium", "bold")


class DigitsOptions(Options):
    """What can be set about the digits."""

    size: Annotated[int, Field(ge=8, le=512, description="Side of the images in pixels.")] = 32
    test: Annotated[int, Field(ge=10, le=1787, description="Images held out for the test.")] = 797


class DigitImages(ImageSet):
    """Some of the digits. `pixels` is uint8, shape (n, 8, 8), ink bright on black."""

    def __init__(
        self,
        ids: tuple[str, ...],
        labels: NDArray[np.int64],
        factors: Mapping[str, tuple[str, ...]],
        pixels: NDArray[np.uint8],
        size: int,
    ) -> None:
        self.ids = ids
        self.labels = labels
        self.factors = factors
        self._pixels = pixels
        self._size = size

    def image(self, index: int) -> Image.Image:
        """The digit at `index`, enlarged bicubically, grey in RGB."""
        small = Image.fromarray(self._pixels[index])
        return small.resize((self._size, self._size), Image.Resampling.BICUBIC).convert("RGB")


def open_digits(opening: Opening) -> Dataset:
    """The digits, divided by the seed."""
    options: DigitsOptions = opening.options
    pixels, labels = _load()
    ids = tuple(f"digits/{index:04d}" for index in range(len(labels)))
    ink = _ink(pixels)
    test = held_out(labels.tolist(), ids, options.test, opening.seed)
    splits: dict[str, ImageSet] = {}
    for name, chosen in (("train", np.flatnonzero(~test)), ("test", np.flatnonzero(test))):
        splits[name] = DigitImages(
            ids=tuple(ids[i] for i in chosen),
            labels=labels[chosen],
            factors={"ink": tuple(ink[i] for i in chosen)},
            pixels=pixels[chosen],
            size=options.size,
        )
    content = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    card = DataCard(
        name="digits",
        spec=opening.spec,
        digest=digest("digits", content, options.size, splits["test"].ids),
        classes=CLASSES,
        splits={name: len(images) for name, images in splits.items()},
        image_size=options.size,
        factors=("ink",),
        notes=(
            noted("8x8 originals enlarged to {size}: they hold no finer detail", size=f"{options.size}x{options.size}"),
            noted("divided by image with seed {n}", n=opening.seed),
            noted("the 43 writers are not identified in this copy: a writer's digits are in both splits"),
        ),
    )
    return Dataset(card, splits)


def _load() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from sklearn.datasets import load_digits  # takes a second to import, which a plan need not pay

    bunch: Any = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # 17 levels of grey
    return pixels, bunch.target.astype(np.int64)


def _ink(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """Terciles of the total ink over all the digits, both splits together."""
    total = pixels.sum(axis=(1, 2), dtype=np.int64)
    low, high = np.quantile(total, (1 / 3, 2 / 3))
    return tuple(INK[int(amount > low) + int(amount > high)] for amount in total)


KIND = Kind(
    name="digits",
    summary="1,797 real handwritten digits (scikit-learn's copy of the UCI set), always at hand",
    options=DigitsOptions,
    open=open_digits,
)
