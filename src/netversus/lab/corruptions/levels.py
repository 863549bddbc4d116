"""The published strengths, by the size of the images: see `levels.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

SEVERITIES = (1, 2, 3, 4, 5)
LARGEST_SMALL, LARGEST_MEDIUM = 45, 120
"""Sides in pixels: half-way, by factors, between the sizes that the strengths were published for (32, 64, 224)."""


def size_of(side: int) -> str:
    """Which of the published sets of strengths is for images of that side in pixels."""
    if side <= LARGEST_SMALL:
        return "small"
    return "medium" if side <= LARGEST_MEDIUM else "large"


def level(name: str, severity: int, side: int) -> Sequence[float]:
    """The numbers of a corruption at a severity from 1 to 5, on images of that side in pixels."""
    table = _tables()
    levels = table["sweeps"].get(name) or table[size_of(side)][name]
    numbers = levels[severity - 1]
    return tuple(numbers) if isinstance(numbers, list) else (numbers,)


@cache
def _tables() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(files(__package__).joinpath("levels.toml").read_text(encoding="utf-8"))
