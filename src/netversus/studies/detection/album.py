"""Some test pictures with what there is and what a contender found there, kept for the report.

Which pictures are kept rests on the pictures alone, so that every contender is shown on the same ones.
"""

from __future__ import annotations

import io
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Mark
from netversus.lab.data.annotated import Boxes, FrameSet
from netversus.lab.detection.errors import intersection_over_union
from netversus.lab.detection.found import Found
from netversus.lab.detection.judge import Truth

MOST = 8
SIDE = 256  # px of the longer side
SURE = 0.5  # from this score on a box is drawn; of what is less sure, so many that there is one an object
IOU = 0.5


@dataclass(frozen=True, slots=True)
class Page:
    """One picture: its unit id, a JPEG, its size, and what a contender made of it."""

    unit: str
    jpeg: bytes
    width: int
    height: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Pages:
    """What an album is made of: the pictures `asked`, what there is on them and what was found."""

    frames: FrameSet
    asked: Sequence[int]
    truth: Truth
    found: Sequence[Found]

    @property
    def places(self) -> list[int]:
        """The first pictures that hold any object, as places in `asked`."""
        return [place for place, objects in enumerate(self.truth.objects) if objects][:MOST]


def dumped(pages: Pages) -> bytes:
    """The file that keeps them."""
    return json.dumps({"version": 1, "pages": [_page(pages, place) for place in pages.places]}).encode()


def loaded(content: bytes | None) -> list[Page]:
    """The pictures of such a file, none of none."""
    rows: list[dict[str, Any]] = json.loads(content)["pages"] if content else []
    return [
        Page(
            row["unit"], b64decode(row["jpeg"]), row["width"], row["height"], tuple(Mark(**one) for one in row["marks"])
        )
        for row in rows
    ]


def _page(pages: Pages, place: int) -> dict[str, Any]:
    image = pages.frames.image(pages.asked[place])
    scale = min(1.0, SIDE / max(image.size))
    width, height = (max(1, round(scale * side)) for side in image.size)
    file = io.BytesIO()
    image.resize((width, height)).save(file, "JPEG", quality=85)
    marks = _marks(pages.truth.boxes[place], pages.found[place], pages.truth.classes, scale)
    return {
        "unit": pages.truth.units[place],
        "jpeg": b64encode(file.getvalue()).decode("ascii"),
        "width": width,
        "height": height,
        "marks": [asdict(mark) for mark in marks],
    }


def _marks(boxes: Boxes, found: Found, classes: Sequence[str], scale: float) -> Iterator[Mark]:
    """The detections that are drawn, right where they are the surest on an object of their class, and
    the objects that none of them has; crowds are left out."""
    free = ~boxes.crowd
    surest = np.argsort(-found.scores, kind="stable")
    order = [int(k) for rank, k in enumerate(surest) if found.scores[k] >= SURE or rank < free.sum()]
    overlap = intersection_over_union(found.corners, boxes.corners)
    for k in order:
        fitting = np.where(free & (boxes.labels == found.labels[k]), overlap[k], 0.0)
        right = fitting.max(initial=0.0) >= IOU
        if right:
            free[fitting.argmax()] = False
        label = f"{classes[found.labels[k]]} {found.scores[k]:.2f}"
        yield _mark(found.corners[k], scale, label, "right" if right else "wrong")
    for m in np.flatnonzero(free):
        yield _mark(boxes.corners[m], scale, "", "missed")  # words of what nobody said would cover what was said


def _mark(corners: NDArray[np.float64], scale: float, label: str, kind: str) -> Mark:
    left, top, right, bottom = (scale * corners).tolist()
    return Mark(left, top, right - left, bottom - top, label, kind)
