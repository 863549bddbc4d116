"""Some test pictures with what there is and what a contender found there, kept for the report.

Which pictures are kept rests on the pictures alone, so that every contender is shown on the same ones.
"""

from __future__ import annotations

import io
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netversus.exhibits import Mark
from netversus.lab.data.annotated import FrameSet
from netversus.lab.detection.found import Found
from netversus.lab.detection.judge import Truth
from netversus.statistics.detections import Matches

MOST = 8
SIDE = 256  # px of the longer side
SURE = 0.5  # least score that is drawn
IOU = 0.5


@dataclass(frozen=True, slots=True)
class Page:
    """One picture: its unit id, a JPEG, its size, and what a contender made of it."""

    unit: str
    jpeg: bytes
    width: int
    height: int
    marks: tuple[Mark, ...]


def dumped(
    frames: FrameSet, asked: Sequence[int], truth: Truth, found: Sequence[Found], matches: Matches
) -> bytes:
    """The file with the first pictures that hold any object."""
    places = [place for place, objects in enumerate(truth.objects) if objects][:MOST]
    return json.dumps(
        {"version": 1, "pages": [_page(frames, asked, truth, found, matches, place) for place in places]}
    ).encode()


def loaded(content: bytes | None) -> list[Page]:
    """The pictures of such a file, none of none."""
    rows: list[dict[str, Any]] = json.loads(content)["pages"] if content else []
    return [
        Page(
            row["unit"], b64decode(row["jpeg"]), row["width"], row["height"], tuple(Mark(**one) for one in row["marks"])
        )
        for row in rows
    ]


def _page(
    frames: FrameSet, asked: Sequence[int], truth: Truth, found: Sequence[Found], matches: Matches, place: int
) -> dict[str, Any]:
    image = frames.image(asked[place])
    scale = min(1.0, SIDE / max(image.size))
    size = (max(1, round(scale * image.width)), max(1, round(scale * image.height)))
    file = io.BytesIO()
    image.resize(size).save(file, "JPEG", quality=85)
    marks = list(_marks(truth, found[place], matches, place, scale))
    return {
        "unit": truth.units[place],
        "jpeg": b64encode(file.getvalue()).decode("ascii"),
        "width": size[0],
        "height": size[1],
        "marks": [{name: getattr(mark, name) for name in mark.__slots__} for mark in marks],
    }
