"""What is kept of each image: enough to tell equal, similar and stamped ones apart, at a few kilobytes each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netversus.errors import UnreadableError
from netversus.lab.data.dataset import Dataset, ImageSet

LARGEST_COPY, GREY = 64, 16  # pixels a side
_HASH_ROWS, _HASH_COLUMNS = 8, 9


@dataclass(frozen=True)
class Prints:
    """The images of all splits, one after the other.

    `digests`: SHA-256 of size and pixels, so that the same picture in two formats without loss is the same. `hashes`:
    uint64 (n,), see `difference_hash`. `copies`: uint8 (n, side, side, 3), the whole image squeezed into a square where
    it has another size. `grey`: float32 (n, GREY * GREY), 0 to 255. `left_out` maps ids to why they could not be read.
    """

    ids: tuple[str, ...]
    splits: tuple[str, ...]
    labels: NDArray[np.int64]
    digests: tuple[str, ...]
    hashes: NDArray[np.uint64]
    copies: NDArray[np.uint8]
    grey: NDArray[np.float32]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def difference_hash(image: Image.Image) -> int:
    """64 bits, one for each two neighbours in a row of a 9x8 copy in grey: whether it becomes brighter to the right.

    Scaling, compression and a change of brightness or contrast move few of them; the first bit is the lowest.
    """
    small = np.asarray(image.convert("L").resize((_HASH_COLUMNS, _HASH_ROWS), Image.Resampling.BOX), dtype=np.int16)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def take_prints(data: Dataset, progressed: Callable[[int, int], None]) -> Prints:
    """Reads every image of every split once; `progressed` takes how many are read, and of how many.

    Raises:
        DataError: a file changed or vanished since the data were opened.
    """
    rows: list[tuple[str, str, int, str, int]] = []
    copies, grey, left_out = [], [], {}
    total = sum(len(images) for images in data.splits.values())
    side = 0
    for split, images in data.splits.items():
        for index in range(len(images)):
            try:
                image = images.image(index)
            except UnreadableError as error:
                left_out[images.ids[index]] = str(error)
                continue
            side = side or min(LARGEST_COPY, max(image.size))
            rows.append((images.ids[index], split, _label(images, index), _digest(image), difference_hash(image)))
            copies.append(_squeezed(image, side))
            grey.append(_grey(image))
            progressed(len(rows) + len(left_out), total)
    ids, splits, labels, digests, hashes = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return Prints(
        ids=ids,
        splits=splits,
        labels=np.array(labels, dtype=np.int64),
        digests=digests,
        hashes=np.array(hashes, dtype=np.uint64),
        copies=np.stack(copies) if copies else np.empty((0, 1, 1, 3), np.uint8),
        grey=np.stack(grey) if grey else np.empty((0, GREY * GREY), np.float32),
        left_out=left_out,
    )


def _label(images: ImageSet, index: int) -> int:
    return int(images.labels[index])


def _digest(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()


def _squeezed(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Left as it is where it fits, so that equal pixels stay equal."""
    if image.size != (side, side):
        image = image.resize((side, side), Image.Resampling.BOX)
    return np.asarray(image, dtype=np.uint8)


def _grey(image: Image.Image) -> NDArray[np.float32]:
    small = image.convert("L").resize((GREY, GREY), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).ravel()
