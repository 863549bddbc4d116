"""Images and folders from strangers, beside those of tests/lab/data/test_hostile_folders.py: no hang, no crash."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from netversus.errors import DataError
from netversus.lab.data import open_data
from netversus.lab.data.decode import decode


def jpeg_with_exif(tiff: bytes) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(stream, "JPEG")
    plain, exif = stream.getvalue(), b"Exif\x00\x00" + tiff
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]


def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following)


LOOPS = {
    "its directory follows itself": b"II*\x00\x08\x00\x00\x00" + directory([(0x0112, 3, 1, 6)], 8),
    "its sub-directory is itself": b"II*\x00\x08\x00\x00\x00" + directory([(0x8769, 4, 1, 8)], 0),
    "its GPS is itself": b"II*\x00\x08\x00\x00\x00" + directory([(0x8825, 4, 1, 8), (0x0112, 3, 1, 8)], 0),
    "a value lies beyond the end": b"II*\x00\x08\x00\x00\x00" + directory([(0x010E, 2, 2**31, 2**31)], 0),
    "its orientation is none": b"II*\x00\x08\x00\x00\x00" + directory([(0x0112, 3, 1, 999)], 0),
    "65535 entries and no bytes": b"II*\x00\x08\x00\x00\x00\xff\xff",
}


@pytest.mark.parametrize("tiff", LOOPS.values(), ids=LOOPS.keys())
def test_exif_that_leads_in_circles_does_not_hold_anyone_up(tiff: bytes) -> None:
    try:
        assert decode(jpeg_with_exif(tiff), suffix=".jpg", megapixels=1).image.mode == "RGB"
    except DataError as error:
        assert len(str(error).splitlines()) == 1


@given(st.binary(max_size=120))
def test_any_exif_is_survived(tiff: bytes) -> None:
    try:
        decode(jpeg_with_exif(b"II*\x00\x08\x00\x00\x00" + tiff), suffix="", megapixels=1)
    except DataError as error:
        assert len(str(error).splitlines()) == 1


@given(st.binary(max_size=300))
def test_any_bytes_are_an_image_or_a_reason(content: bytes) -> None:
    try:
        decode(content, suffix=".png", megapixels=1)
    except DataError as error:
        assert len(str(error).splitlines()) == 1


def test_a_png_whose_text_unpacks_to_gigabytes_is_refused_or_ignored() -> None:
    """A compressed text chunk of a few kilobytes may hold gigabytes of zeros."""
    import zlib

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    plain = stream.getvalue()
    text = b"x\x00\x00" + zlib.compress(b"\x00" * 300_000_000, 9)
    bomb = plain[:33] + chunk(b"zTXt", text) + plain[33:]
    try:
        assert decode(bomb, suffix=".png", megapixels=1).image.size == (4, 4)
    except DataError as error:
        assert "cannot be decoded" in str(error)


def test_folders_below_folders_without_end_are_walked_or_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        place = tmp_path / name
        for _ in range(120):
            place /= "deeper"
        place.mkdir(parents=True)
        for number in range(4):
            pixels = np.random.default_rng(number + 10 * (name == "cat")).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
    try:
        data = open_data(f"{tmp_path}?val=1")
    except DataError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert data.card.splits == {"test": 8}
