"""One image to the pixels that each preprocessing shows: exactly as torchvision and timm do it, or faster."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from netversus.lab.data.dataset import ImageSet
from netversus.lab.pipeline.decoders import SCALES, Decoder, decoders, pillow_version
from netversus.lab.preprocessing import shorter_side, to_uint8, to_uint8_boxed
from netversus.records import Preprocessing

OVERSAMPLING = 2
"""A shrunk image keeps at least this many times the pixels along a side that its preprocessing will leave of it."""
_FAST = "fast: "


@dataclass(frozen=True)
class Method:
    """How an image is decoded and resized. Without a `decoder` it is the reference: Pillow through the safe door.

    `scaled`: JPEGs are shrunk while they are decoded, as far as `OVERSAMPLING` allows. `boxed`: only what the crop
    shows is resized. Both change pixels; how much is measured by `netversus.lab.pipeline.parity`.
    """

    decoder: Decoder | None = None
    scaled: bool = False
    boxed: bool = False

    @property
    def name(self) -> str:
        """What decides the pixels, versions and all: part of the key of cached pixels."""
        how = [word for word, used in (("scaled", self.scaled), ("boxed", self.boxed)) if used]
        return ", ".join([f"torch {torch.__version__}", pillow_version(), *self._decoder_name(), *how])

    def _decoder_name(self) -> list[str]:
        return [] if self.decoder is None else [self.decoder.name]

    @property
    def label(self) -> str:
        """For people."""
        if self == EXACT:
            return "exact"
        return _FAST + ", ".join(self.name.split(", ")[2:])

    def pixels(self, image: Image.Image, preprocessing: Preprocessing) -> Tensor:
        """Resized and cropped: uint8, shape (3, crop, crop)."""
        return (to_uint8_boxed if self.boxed else to_uint8)(image, preprocessing)

    def scale(self, size: tuple[int, int], preprocessing: Preprocessing) -> int:
        """By how much an image of `size` (width, height) may be shrunk for a preprocessing: 1 or of `SCALES`."""
        side = shorter_side(preprocessing)
        if not self.scaled or side is None:
            return 1
        return next((scale for scale in SCALES if min(size) // scale >= OVERSAMPLING * side), 1)


EXACT = Method()
"""Bit for bit what torchvision's and timm's evaluations feed to a network."""


def fast_methods() -> tuple[Method, ...]:
    """From the fastest to the one whose pixels are nearest to the exact ones. The order is fixed, not timed: which
    method is used may depend on the data and on what is installed, never on how busy the machine is."""
    return _fast_with(next(decoders()))


def _fast_with(decoder: Decoder) -> tuple[Method, ...]:
    return Method(decoder, scaled=True, boxed=True), Method(decoder, boxed=True)


def method_of(label: str) -> Method | None:
    """The method that a stored label names, of any decoder that is installed; None where none of them is it."""
    known = (EXACT, *(method for decoder in decoders() for method in _fast_with(decoder)))
    return next((method for method in known if method.label == label), None)


def decoder_in(label: str) -> str:
    """The package, with the version, that a fast method's stored label names."""
    return label.removeprefix(_FAST).partition(", ")[0]


class Picture:
    """One image of a set, read and decoded once for all preprocessings (once for each scale, where they differ)."""

    def __init__(self, images: ImageSet, index: int, method: Method) -> None:
        self._images = images
        self._index = index
        self._method = method
        self._size: tuple[int, int] | None = None  # in the file; known once a JPEG was decoded fast
        self._at: dict[int, Image.Image] = {}

    def image(self, preprocessing: Preprocessing) -> Image.Image:
        """The decoded image, perhaps shrunk.

        Raises:
            DataError: it cannot be read.
        """
        scale = self._method.scale(self._size, preprocessing) if self._size else 1
        return self._at[scale] if scale in self._at else self._read(preprocessing)

    def pixels(self, preprocessing: Preprocessing) -> Tensor:
        """What a contender sees of it: uint8, shape (3, crop, crop)."""
        return self._method.pixels(self.image(preprocessing), preprocessing)

    def _read(self, preprocessing: Preprocessing) -> Image.Image:
        decoder = self._method.decoder
        if decoder is None:
            return self._at.setdefault(1, self._images.image(self._index))

        def fast(content: bytes, size: tuple[int, int]) -> Image.Image:
            self._size = size
            return decoder.decode(content, size, self._method.scale(size, preprocessing))

        image = self._images.read(self._index, fast)
        # Without a size it was no plain JPEG: the image is the one for every preprocessing.
        return self._at.setdefault(self._method.scale(self._size, preprocessing) if self._size else 1, image)
