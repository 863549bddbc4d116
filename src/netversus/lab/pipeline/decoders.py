"""How the bytes of a JPEG become an image: libjpeg-turbo, reached through Pillow or simplejpeg.

They are asked for plain JPEGs only (see `netversus.lab.data.decode`), after the header was checked. At full size they
give the same pixels, for they build on one library and the same settings; the tests hold them to that, and to those
of torchvision's own decoder. That one is not among them: it cannot shrink, it costs as much as Pillow (0.69 and 0.73
ms for 500 x 400, one core), and torchvision 0.29 announces its removal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from typing import Protocol

import PIL
from PIL import Image, features

SCALES = (8, 4, 2)
"""By what JPEG's cosine transform can shrink an image while it is decoded, the most first."""


class Decoder(Protocol):
    """Plain JPEG bytes to an RGB image."""

    @property
    def name(self) -> str:
        """With the versions that decide its pixels: it is part of the key of cached pixels."""

    def decode(self, content: bytes, size: tuple[int, int], scale: int) -> Image.Image:
        """The image; its sides are those of `size` (width, height) over `scale` (1 or of `SCALES`), rounded up.

        It may raise anything: Pillow's reference then decides.
        """


@dataclass(frozen=True)
class Pillow:
    """Pillow, which is always there; it shrinks by `draft`."""

    @property
    def name(self) -> str:
        """Pillow's version and that of the library in it."""
        return pillow_version()

    def decode(self, content: bytes, size: tuple[int, int], scale: int) -> Image.Image:
        """See `Decoder`."""
        with Image.open(BytesIO(content), formats=("JPEG",)) as opened:
            if scale > 1:
                opened.draft("RGB", (size[0] // scale, size[1] // scale))
            return opened.convert("RGB")


@dataclass(frozen=True)
class Simplejpeg:
    """simplejpeg, the package that reaches libjpeg-turbo most directly. Optional."""

    @property
    def name(self) -> str:
        """Version of simplejpeg."""
        return f"simplejpeg {version('simplejpeg')}"

    def decode(self, content: bytes, size: tuple[int, int], scale: int) -> Image.Image:
        """See `Decoder`."""
        width, height = (-(-side // scale) for side in size) if scale > 1 else (0, 0)
        decode_jpeg = import_module("simplejpeg").decode_jpeg
        return Image.fromarray(decode_jpeg(content, min_width=width, min_height=height, min_factor=1))


@cache
def pillow_version() -> str:
    """Pillow, and the libjpeg-turbo in it, which decides the pixels."""
    turbo = features.version_feature("libjpeg_turbo") or features.version("jpg")
    return f"pillow {PIL.__version__} jpeg {turbo}"


def decoders() -> Iterator[Decoder]:
    """Those that are installed, the one that costs least first."""
    if find_spec("simplejpeg") is not None:
        yield Simplejpeg()
    yield Pillow()
