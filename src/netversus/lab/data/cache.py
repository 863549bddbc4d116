"""Decoded pixels on disk, so that the same images need not be decoded in the next run. Loads no torch.

One file holds the prepared images of one split, one slot an image, at the place of the image in the split:

    pixels                    uint8, as many as the shape has
    checksum, place           two little-endian uint32: CRC-32 of the file's key and the pixels, and the place

A slot proves itself. One that was never written, was cut off by a kill or a full disk, is being written by another
process just now, or lies in a file of another key is no hit, and is written again. So there is no lock, no header and
no moment at which the file is invalid; processes that write the same slot write the same bytes. The file has holes
where no image was asked for: evaluating a part of a split costs a part of the disk.

Slots are read with `pread` into memory that is there already. A memory map is no faster (17 against 17 to 21
microseconds for 147 KiB), faults in pages that are then copied all the same, and kills the process where somebody
else shortens the file. The folder may be removed at any time.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netversus.records import digest

VERSION = 1  # raised when a slot's form changes
_TRAILER = 8


def cache_folder() -> Path:
    """`$NETVERSUS_CACHE`, or `$XDG_CACHE_HOME/netversus`, or `~/.cache/netversus`."""
    told = os.environ.get("NETVERSUS_CACHE")
    if told:
        return Path(told)
    xdg = os.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else Path("~/.cache").expanduser()) / "netversus"


class PixelCache:
    """The prepared images of one split: uint8 arrays of one shape, by their place in the split.

    `parts` are all that decides the pixels: the digest of the data, the ids, how they are prepared, the versions of
    what decodes them. They become the name of the file. Where the folder cannot be written, nothing is kept and
    nothing is said: a cache saves time and nothing else. Safe to use from several threads and processes.
    """

    def __init__(self, *parts: object, shape: Sequence[int], folder: Path | None = None) -> None:
        self._key = bytes.fromhex(digest(VERSION, list(shape), *parts))
        self._bytes = int(np.prod(shape))
        self._file = -1
        self._full = False
        self.path = (folder or cache_folder()) / f"pixels-{self._key.hex()[:32]}.bin"
        if not hasattr(os, "preadv"):  # Windows: without a cache
            return
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # For the user alone: the pictures may be private.
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self, place: int, into: NDArray[np.uint8]) -> bool:
        """Whether the image is here; then `into` (contiguous) holds it, else whatever was read."""
        if self._file < 0:
            return False
        trailer = bytearray(_TRAILER)
        try:
            count = os.preadv(self._file, [into.data.cast("B"), trailer], self._offset(place))
        except OSError:
            return False
        return count == self._bytes + _TRAILER and bytes(trailer) == self._trailer(place, into)

    def write(self, place: int, pixels: NDArray[np.uint8]) -> None:
        """Keep an image (contiguous). A full disk ends the writing, not the reading."""
        if self._file < 0 or self._full:
            return
        slot = [pixels.data.cast("B"), memoryview(self._trailer(place, pixels))]
        try:
            self._full = os.pwritev(self._file, slot, self._offset(place)) < self._bytes + _TRAILER
        except OSError:
            self._full = True

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _offset(self, place: int) -> int:
        return place * (self._bytes + _TRAILER)

    def _trailer(self, place: int, pixels: NDArray[np.uint8]) -> bytes:
        checksum = zlib.crc32(pixels.data, zlib.crc32(self._key))
        return checksum.to_bytes(4, "little") + place.to_bytes(4, "little")
