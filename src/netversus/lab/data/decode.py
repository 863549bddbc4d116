"""Bytes of any origin to an upright RGB image, or one line that says why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from netversus.errors import DataError
from netversus.messages import noted

SUFFIXES = {
    "AVIF": (".avif", ".avifs"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""The formats that are opened, with their suffixes. Formats that run other programs (EPS) are not among them."""

EXIF_ORIENTATION = 0x0112

Fast = Callable[[bytes, tuple[int, int]], Image.Image]
"""Another decoder of plain JPEGs: the bytes, and the size (width, height) in their header, to an RGB image."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright RGB image, and what had to be done to make it one."""

    image: Image.Image
    notes: tuple[str, ...]


def decode(content: bytes, *, suffix: str, megapixels: float, fast: Fast | None = None) -> Decoded:
    """The image in `content`; what it is decides the content, `suffix` only whether the name is noted as wrong.

    The size in the header is checked against `megapixels` before anything is decoded. Of an animation the first
    frame is taken. Transparency is dropped, CMYK and palettes are converted by Pillow, as torchvision's loader
    does; 16-bit grey is scaled to 8 bits, where that loader would clip it.

    `fast` decodes plain JPEGs in Pillow's stead, once their header was checked. Whatever it cannot decode, Pillow
    judges. It is for files that were looked at before: it may be less strict than Pillow with damaged ones.

    Raises:
        DataError: the bytes are not an image that can be used; the message is the reason.
    """
    if not content:
        raise DataError("empty file")
    try:
        with Image.open(BytesIO(content), formats=_formats()) as opened:
            _check_size(opened.size, megapixels)
            notes = _oddities(opened, suffix)
            if fast is not None and _plain(opened) and (image := _tried(fast, content, opened.size)) is not None:
                return Decoded(image, notes)
            opened.load()
            return Decoded(_to_rgb(_upright(opened)), notes)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(f"not an image in a known format, or cut off in its header ({', '.join(_formats())})") from None
    except Image.DecompressionBombError:
        raise DataError(f"too large: over {megapixels:g} megapixels") from None
    except Exception as error:  # noqa: BLE001  Pillow's decoders raise almost anything on hostile bytes
        raise DataError(f"cannot be decoded: {error}") from None


@cache
def _formats() -> tuple[str, ...]:
    """Those of the formats that this Pillow was built with."""
    Image.init()
    return tuple(name for name in SUFFIXES if name in Image.OPEN)


def _check_size(size: tuple[int, int], megapixels: float) -> None:
    width, height = size
    if width * height > megapixels * 1e6:
        raise DataError(f"too large: {width}x{height} is over {megapixels:g} megapixels")


def _oddities(opened: Image.Image, suffix: str) -> tuple[str, ...]:
    """What is unusual about an image that can be used all the same; to be asked before it is loaded."""
    form = "JPEG" if opened.format == "MPO" else str(opened.format)  # a camera's JPEG with a second picture
    notes = []
    if suffix and suffix.lower() not in SUFFIXES.get(form, ()) and opened.format != "MPO":
        notes.append(noted("content is {form}, which the name does not say", form=form))
    if form != "JPEG" and getattr(opened, "is_animated", False):
        notes.append(noted("several frames: the first is used"))
    if opened.getexif().get(EXIF_ORIENTATION, 1) not in (0, 1):
        notes.append(noted("turned upright by its EXIF orientation"))
    if opened.mode == "CMYK":
        notes.append(noted("CMYK converted to RGB"))
    if opened.mode.startswith("I"):
        notes.append(noted("16-bit grey scaled to 8 bits"))
    if opened.mode in ("P", "PA"):
        notes.append(noted("palette converted to RGB"))
    if "A" in opened.mode or "a" in opened.mode or "transparency" in opened.info:
        notes.append(noted("transparency dropped"))
    return tuple(notes)


def _plain(opened: Image.Image) -> bool:
    """An upright JPEG of three channels: any decoder makes the same of it."""
    return opened.format == "JPEG" and opened.mode == "RGB" and opened.getexif().get(EXIF_ORIENTATION, 1) in (0, 1)


def _tried(fast: Fast, content: bytes, size: tuple[int, int]) -> Image.Image | None:
    try:
        return fast(content, size)
    except Exception:  # noqa: BLE001  the reference decides, and finds the words
        return None


def _upright(image: Image.Image) -> Image.Image:
    return ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_16_bit(image).convert("RGB")
    if image.mode == "F":
        raise DataError("floating-point pixels have no fixed range")
    if "transparency" in image.info or image.mode in ("PA", "La", "RGBa"):
        return image.convert("RGBA").convert("RGB")
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """16 bits to 8; Pillow's own conversion clips at 255. Mode I holds 32 bits of which 16 may be used."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise DataError(f"grey values from {values.min()} to {values.max()} do not fit 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
