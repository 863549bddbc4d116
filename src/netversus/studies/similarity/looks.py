"""Pictures of where each contender looks, as kept in the run. Loads no torch."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FILE = "looks.json"
SIDE = 112  # px of a picture


@dataclass(frozen=True, slots=True)
class Look:
    """One contender on one image: its answer (an index of the data's classes), how sure it was, and the image (JPEG)
    as it saw it, dark where it did not look."""

    answer: int
    sure: float
    shown: bytes


@dataclass(frozen=True, slots=True)
class Scene:
    """One image, its class, the image itself (JPEG), and a look of each contender."""

    unit: str
    label: int
    plain: bytes
    looks: Mapping[str, Look]


@dataclass(frozen=True, slots=True)
class Looks:
    """The images, and for each pair of contenders how much of their attention they share: on the same image, and on
    different ones (None where there is only one image)."""

    scenes: tuple[Scene, ...]
    shared: Sequence[tuple[str, str, float, float | None]]


def dumped(looks: Looks) -> bytes:
    """The file that keeps them."""
    scenes = [
        {
            "unit": scene.unit,
            "label": scene.label,
            "plain": _text(scene.plain),
            "looks": {
                name: {"answer": look.answer, "sure": look.sure, "shown": _text(look.shown)}
                for name, look in scene.looks.items()
            },
        }
        for scene in looks.scenes
    ]
    return json.dumps({"version": 1, "scenes": scenes, "shared": list(looks.shared)}).encode()


def loaded(content: bytes | None) -> Looks:
    """The looks of such a file, none of none."""
    if content is None:
        return Looks((), ())
    kept = json.loads(content)
    scenes = tuple(
        Scene(
            scene["unit"],
            scene["label"],
            b64decode(scene["plain"]),
            {
                name: Look(look["answer"], look["sure"], b64decode(look["shown"]))
                for name, look in scene["looks"].items()
            },
        )
        for scene in kept["scenes"]
    )
    return Looks(scenes, tuple((a, b, same, other) for a, b, same, other in kept["shared"]))


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")
