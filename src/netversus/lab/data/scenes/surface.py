"""Shapes and textures as functions of the plane, in units of a thing's radius.

A shape is a signed distance (negative inside; Quilez, "2D distance functions"), a texture a number in [0, 1] with
mean one half. Sums, products, quotients, square roots and comparisons only: IEEE 754 fixes these to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REACH = {
    "disc": 1.0,
    "square": 1.26,
    "triangle": 1.56,
    "cross": 1.22,
    "hexagon": 1.1,
    "bar": 1.95,
    "ring": 1.23,
}
"""How far each shape reaches from its centre."""

_HALF_SQUARE = math.sqrt(math.pi) / 2
_TRIANGLE = math.sqrt(math.pi / (3 * math.sqrt(3)))  # radius of the inscribed circle
_CROSS_ARM = 0.38  # half width over half length
_CROSS = math.sqrt(math.pi / (8 * _CROSS_ARM - 4 * _CROSS_ARM**2))
_HEXAGON = math.sqrt(math.pi / (2 * math.sqrt(3)))
_BAR = (1.87, math.pi / 4 / 1.87)
_RING = (0.91, 0.25 / 0.91)
_ROOT3 = math.sqrt(3)


def distance(shape: str, u: Array, v: Array) -> Array:
    """Signed distance of the points (u, v) to the outline. Every shape has the area pi."""
    return _SHAPES[shape](u, v)


def pattern(texture: str, u: Array, v: Array, period: float, sharpness: float) -> Array:
    """The texture at (u, v). `sharpness` is the number of samples in a unit of length: edges are one sample wide."""
    edge = _TEXTURES[texture](u / period, v / period)
    return np.clip(edge * (period * sharpness) + 0.5, 0.0, 1.0)


def _box(u: Array, v: Array, half_width: float, half_height: float) -> Array:
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def _triangle(u: Array, v: Array) -> Array:
    return np.maximum(np.abs(u) * (_ROOT3 / 2) + v / 2, -v) - _TRIANGLE


def _cross(u: Array, v: Array) -> Array:
    width = _CROSS * _CROSS_ARM
    return np.minimum(_box(u, v, _CROSS, width), _box(u, v, width, _CROSS))


def _hexagon(u: Array, v: Array) -> Array:
    return np.maximum(np.abs(u) * (_ROOT3 / 2) + np.abs(v) / 2, np.abs(v)) - _HEXAGON


_SHAPES: dict[str, Callable[[Array, Array], Array]] = {
    "disc": lambda u, v: np.sqrt(u * u + v * v) - 1.0,
    "square": lambda u, v: _box(u, v, _HALF_SQUARE, _HALF_SQUARE),
    "triangle": _triangle,
    "cross": _cross,
    "hexagon": _hexagon,
    "bar": lambda u, v: _box(u, v, *_BAR),
    "ring": lambda u, v: np.abs(np.sqrt(u * u + v * v) - _RING[0]) - _RING[1],
}


def _wave(x: Array) -> Array:
    """A triangle wave of period 1 between -1/4 and 1/4: the distance to the edge of a stripe."""
    return np.abs(x - np.floor(x) - 0.5) - 0.25


def _dots(u: Array, v: Array) -> Array:
    """Discs that cover half of the plane."""
    du, dv = u - np.floor(u) - 0.5, v - np.floor(v) - 0.5
    return math.sqrt(1 / (2 * math.pi)) - np.sqrt(du * du + dv * dv)


def _checks(u: Array, v: Array) -> Array:
    a, b = _wave(u), _wave(v)
    return np.where((a > 0) == (b > 0), 1.0, -1.0) * np.minimum(np.abs(a), np.abs(b))


_TEXTURES: dict[str, Callable[[Array, Array], Array]] = {
    "plain": lambda u, _: np.zeros_like(u),
    "striped": lambda u, _: _wave(u),
    "dotted": _dots,
    "checked": _checks,
    "ringed": lambda u, v: _wave(np.sqrt(u * u + v * v)),
}
