"""The file that keeps one image under every corruption, so that a report can show them."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

FILE = "corrupted.json"
SIDE = 96  # px of one picture


@dataclass(frozen=True, slots=True)
class Strip:
    """The severities 1 to 5 of one corruption side by side, as a JPEG of `width` x `height` pixels."""

    jpeg: bytes
    width: int
    height: int


def dumped(unit: str, strips: Mapping[str, Strip]) -> bytes:
    """The file that keeps them; `unit` is the image's id."""
    rows = {
        name: {"jpeg": b64encode(strip.jpeg).decode("ascii"), "width": strip.width, "height": strip.height}
        for name, strip in strips.items()
    }
    return json.dumps({"version": 1, "unit": unit, "strips": rows}).encode()


def loaded(content: bytes | None) -> tuple[str, Mapping[str, Strip]]:
    """The image's id and its strips by corruption; nothing of nothing."""
    if not content:
        return "", {}
    kept = json.loads(content)
    strips = {name: Strip(**{**row, "jpeg": b64decode(row["jpeg"])}) for name, row in kept["strips"].items()}
    return str(kept["unit"]), strips
