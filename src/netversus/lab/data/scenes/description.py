"""What a scene holds, before it is drawn. Frozen; labels, boxes, masks and sequences all come from it.

Lengths are in sides of the image, so that one description can be drawn at any size: (0, 0) is the upper left
corner, (1, 1) the lower right. Angles are in turns, colours RGB in [0, 1], times in frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SHAPES = ("cross", "disc", "square", "triangle")
TEXTURES = ("dotted", "striped")
DECOY_SHAPES = ("hexagon", "bar", "ring")
DECOY_TEXTURES = ("plain", "checked", "ringed")
CLASSES = tuple(f"{shape}-{texture}" for shape in SHAPES for texture in TEXTURES)
"""Each shape comes in two classes that only the texture tells apart, and each texture in four.
The names are in order, so that a folder of each class opens with the same labels."""

Colour = tuple[float, float, float]


def shape_of(label: int) -> str:
    """The shape of a class."""
    return SHAPES[label // len(TEXTURES)]


def texture_of(label: int) -> str:
    """The texture of a class."""
    return TEXTURES[label % len(TEXTURES)]


def turned(turns: float) -> tuple[float, float]:
    """Cosine and sine, to 9 digits: further ones differ between C libraries, and pixels must not."""
    angle = 2 * math.pi * turns
    return round(math.cos(angle), 9), round(math.sin(angle), 9)


@dataclass(frozen=True, slots=True)
class Motion:
    """How a thing moves: it is at its described place at the time `at`, and elsewhere

    place + velocity (t - at) + acceleration (t - at)^2 / 2 + sway (sin(2 pi rate (t - at)))

    with the sway across the velocity; `spin` is in turns a frame.
    """

    at: float = 0.0
    velocity: tuple[float, float] = (0.0, 0.0)
    acceleration: tuple[float, float] = (0.0, 0.0)
    sway: tuple[float, float] = (0.0, 0.0)
    rate: float = 0.0
    spin: float = 0.0

    def offset(self, time: float) -> tuple[float, float]:
        """The way from the described place, in sides."""
        passed = time - self.at
        _, swing = turned(self.rate * passed)
        dx, dy = (
            v * passed + a * passed * passed / 2 + s * swing
            for v, a, s in zip(self.velocity, self.acceleration, self.sway, strict=True)
        )
        return dx, dy


STILL = Motion()


@dataclass(frozen=True, slots=True)
class Thing:
    """An object, or clutter where `label` is None.

    `radius` is that of the disc of equal area, so that size tells nothing of the shape; `squash` is height over
    width before the rotation by `turn`; a larger `depth` is nearer. The texture runs between the colours `base`
    and `mark` with a `period` in radii. `track` is unique within a scene and stays through a sequence.
    """

    track: int
    label: int | None
    shape: str
    texture: str
    x: float
    y: float
    radius: float
    turn: float
    squash: float
    depth: float
    base: Colour
    mark: Colour
    period: float
    phase: float
    gloss: float
    motion: Motion = STILL


@dataclass(frozen=True, slots=True)
class Light:
    """One distant light. `direction` is a unit vector towards it (right, down, out of the image)."""

    direction: tuple[float, float, float]
    ambient: float
    exposure: float


@dataclass(frozen=True, slots=True)
class Background:
    """Value noise between two colours. `detail` is the number of octaves; `pattern` is a class texture laid over
    it with `strength`, or empty."""

    seed: int
    dark: Colour
    bright: Colour
    detail: int
    pattern: str = ""
    period: float = 0.2
    turn: float = 0.0
    strength: float = 0.0


@dataclass(frozen=True, slots=True)
class Camera:
    """`blur` is a Gaussian's sigma in sides, `noise` a standard deviation in [0, 1] of full scale. `shake` is the
    amplitude of the hand's movement in sides, with two rates in turns a frame; `x` and `y` where it has come."""

    blur: float
    noise: float
    seed: int
    shake: float = 0.0
    rates: tuple[float, float] = (0.0, 0.0)
    x: float = 0.0
    y: float = 0.0

    def moved(self, time: int) -> Camera:
        """The camera at a time: shaken, and with fresh noise."""
        x = self.shake * (turned(self.rates[0] * time)[1] + turned(2.7 * self.rates[1] * time)[1]) / 2
        y = self.shake * (turned(self.rates[1] * time)[1] + turned(2.3 * self.rates[0] * time)[1]) / 2
        return replace(self, x=x, y=y, seed=self.seed + time)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that is drawn."""

    things: tuple[Thing, ...]
    light: Light
    background: Background
    camera: Camera

    def at(self, time: int) -> Scene:
        """The scene at a frame, from 0."""
        things = tuple(_moved(thing, time) for thing in self.things)
        return replace(self, things=things, camera=self.camera.moved(time))


def _moved(thing: Thing, time: int) -> Thing:
    dx, dy = thing.motion.offset(time)
    return replace(thing, x=thing.x + dx, y=thing.y + dy, turn=thing.turn + thing.motion.spin * time)
