"""Thumbnails of a contender's first mistakes, kept with its cell so that a report can show where two disagree.

Which images are kept rests on the contender alone, not on who else is measured: the first `MOST` that it gets wrong, in
the order of reading. Of those, a report shows the ones that another contender got right.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FILE = "mistakes.json"
MOST = 72  # of a contender: a third of them, that another gets right, still fills a gallery
SIDE = 80  # px of the longer side


@dataclass(frozen=True, slots=True)
class Mistake:
    """One image that a contender got wrong. `label` and `predicted` index the classes of the data; `jpeg` is the image
    as the contender saw it, made smaller; `factors` are the image's recorded nuisance factors."""

    unit: str
    label: int
    predicted: int
    jpeg: bytes
    width: int
    height: int
    factors: Mapping[str, str]


def dumped(mistakes: list[Mistake]) -> bytes:
    """The file that keeps them."""
    rows = [{**asdict(each), "jpeg": b64encode(each.jpeg).decode("ascii")} for each in mistakes]
    return json.dumps({"version": 1, "mistakes": rows}).encode()


def loaded(content: bytes | None) -> list[Mistake]:
    """The mistakes of such a file, none of none."""
    rows: list[dict[str, Any]] = json.loads(content)["mistakes"] if content else []
    return [Mistake(**{**row, "jpeg": b64decode(row["jpeg"])}) for row in rows]
