"""A scene as pixels: antialiased, lit, with shadows, blur and noise, and the mask of each thing.

Only operations that IEEE 754 fixes to the last bit are used (see `surface`), and numpy's sums over whole arrays
are avoided, so that the same description gives the same bytes on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from netversus.lab.data.scenes.description import Camera, Light, Scene, Thing, turned
from netversus.lab.data.scenes.draw import generator, noise_grid
from netversus.lab.data.scenes.surface import REACH, distance, pattern

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]

FINE = 128
"""Images of fewer pixels a side are drawn at twice the resolution and averaged."""

_BEVEL = 0.75  # how far the rounding of an edge reaches inwards, in radii
_STEEP = 0.85
_SHADOW = 0.55
_FALLOFF = 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing in one picture.

    `mask` is bool, shape (size, size): the pixels where it is in front. `box` is (left, top, right, bottom) in
    pixels around the mask; `whole_box` is around its whole outline, hidden parts too, cut at the frame.
    `visibility` is the share of the outline's area that is seen, in [0, 1]; what lies outside of the frame is not.
    """

    track: int
    label: int
    mask: NDArray[np.bool_]
    box: Box
    whole_box: Box
    visibility: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn scene, and its objects (not its clutter) that are seen at all, in the order of their tracks."""

    image: Image.Image
    objects: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class _Outline:
    """Where a thing lies, in samples: its area and its bounds, uncut."""

    area: int
    bounds: tuple[int, int, int, int]


def render(scene: Scene, size: int) -> Picture:
    """The scene at `size` x `size` pixels, mode RGB."""
    factor = 2 if size < FINE else 1
    canvas = _paint_background(scene, size * factor)
    owner = np.full(canvas.shape[:2], -1, dtype=np.int32)
    outlines: dict[int, _Outline] = {}
    for thing in sorted(scene.things, key=lambda one: (one.depth, one.track)):
        outline = _paint(canvas, owner, thing, scene)
        if outline is not None:
            outlines[thing.track] = outline
    image = _expose(canvas, scene.light, scene.camera, factor)
    labelled = sorted((one for one in scene.things if one.label is not None), key=lambda one: one.track)
    seen = (_seen(one, owner, outlines.get(one.track), factor) for one in labelled)
    return Picture(image, tuple(one for one in seen if one is not None))


def _paint_background(scene: Scene, side: int) -> Array:
    """Float, shape (side, side, 3). The background moves with the camera's shake."""
    background, camera = scene.background, scene.camera
    place = (np.arange(side) + 0.5) / side
    x, y = place[None, :] - camera.x, place[:, None] - camera.y
    level = np.zeros((side, side))
    weight, total = 1.0, 0.0
    for octave in range(background.detail):
        level += weight * _value_noise(x, y, cells=3 * 2**octave, seed=background.seed + octave)
        total += weight
        weight *= 0.7
    level = np.clip((level / total - 0.5) * 1.6 + 0.5, 0.0, 1.0)
    if background.pattern:
        u, v = _rotated(x, y, background.turn)
        wave = pattern(background.pattern, u, v, background.period, side)
        level = level * (1 - background.strength) + wave * background.strength
    dark, bright = np.array(background.dark), np.array(background.bright)
    canvas: Array = dark + (bright - dark) * level[:, :, None]
    lx, ly, _ = scene.light.direction
    return canvas * (1 + _FALLOFF * (lx * (place[None, :] - 0.5) + ly * (place[:, None] - 0.5)))[:, :, None]


def _value_noise(x: Array, y: Array, *, cells: int, seed: int) -> Array:
    """Smooth noise in [0, 1] with `cells` lattice cells a side and some around, for a camera that shakes."""
    grid = noise_grid(seed, cells * 2 + 2)
    (column, across), (row, down) = (_lattice(axis, cells) for axis in (x.ravel(), y.ravel()))
    along = grid[:, column] * (1 - across) + grid[:, column + 1] * across
    smooth: Array = along[row] * (1 - down)[:, None] + along[row + 1] * down[:, None]
    return smooth


def _lattice(place: Array, cells: int) -> tuple[NDArray[np.int64], Array]:
    scaled = np.clip((place + 0.5) * cells, 0, 2 * cells)
    whole = np.floor(scaled)
    part = scaled - whole
    return whole.astype(np.int64), part * part * (3 - 2 * part)


def _rotated(x: Array, y: Array, turn: float) -> tuple[Array, Array]:
    cosine, sine = turned(turn)
    return cosine * x + sine * y, cosine * y - sine * x


def _paint(canvas: Array, owner: NDArray[np.int32], thing: Thing, scene: Scene) -> _Outline | None:
    """Lay the thing and its shadow on the canvas; None when it lies outside of it."""
    side = len(canvas)
    x, y = (thing.x + scene.camera.x) * side, (thing.y + scene.camera.y) * side
    radius = thing.radius * side
    lx, ly, lz = scene.light.direction
    drop = 0.35 * radius * (1.2 - lz)
    _shade(canvas, thing, x - lx * drop, y - ly * drop, radius)

    left, top, right, bottom = _patch(thing, x, y, radius, margin=2)
    if right <= 0 or bottom <= 0 or left >= side or top >= side:
        return None
    u, v = _local(thing, x, y, radius, (left, top, right, bottom))
    depth = distance(thing.shape, u, v)
    cover = np.clip(0.5 - depth * radius, 0.0, 1.0)
    inside = cover > 0.5
    if not inside.any():
        return None
    colour = _coloured(thing, u, v, radius) * _lit(depth, radius, scene.light)[:, :, None]
    colour += (thing.gloss * _glint(depth, radius, scene.light))[:, :, None]

    frame = np.s_[max(top, 0) : min(bottom, side), max(left, 0) : min(right, side)]
    part = np.s_[max(-top, 0) : min(bottom, side) - top, max(-left, 0) : min(right, side) - left]
    alpha = cover[part][:, :, None]
    canvas[frame] += (colour[part] - canvas[frame]) * alpha
    owner[frame][inside[part]] = thing.track
    return _Outline(int(inside.sum()), _bounds(inside, left, top))


def _shade(canvas: Array, thing: Thing, x: float, y: float, radius: float) -> None:
    """A soft shadow on whatever lies behind."""
    side = len(canvas)
    left, top, right, bottom = _patch(thing, x, y, radius * 1.2, margin=2)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, side), min(bottom, side)
    if right <= left or bottom <= top:
        return
    u, v = _local(thing, x, y, radius, (left, top, right, bottom))
    dark = np.clip(0.5 - distance(thing.shape, u, v) / 0.4, 0.0, 1.0)
    canvas[top:bottom, left:right] *= (1 - _SHADOW * dark)[:, :, None]


def _patch(thing: Thing, x: float, y: float, radius: float, *, margin: int) -> tuple[int, int, int, int]:
    reach = REACH[thing.shape] * radius + margin
    return math.floor(x - reach), math.floor(y - reach), math.ceil(x + reach), math.ceil(y + reach)


def _local(thing: Thing, x: float, y: float, radius: float, patch: tuple[int, int, int, int]) -> tuple[Array, Array]:
    """The patch's samples in the thing's own coordinates, in radii."""
    left, top, right, bottom = patch
    across: Array = (np.arange(left, right, dtype=np.float64) + 0.5 - x)[None, :] / radius
    down: Array = (np.arange(top, bottom, dtype=np.float64) + 0.5 - y)[:, None] / radius
    u, v = _rotated(across, down, thing.turn)
    return u, v / thing.squash


def _coloured(thing: Thing, u: Array, v: Array, radius: float) -> Array:
    level = pattern(thing.texture, u + thing.phase, v + thing.phase, thing.period, radius)
    base, mark = np.array(thing.base), np.array(thing.mark)
    colour: Array = base + (mark - base) * level[:, :, None]
    return colour


def _normal(depth: Array, radius: float) -> tuple[Array, Array, Array]:
    """The unit normal of a pillow over the shape: flat in the middle, steep at the edge."""
    down, across = np.gradient(depth * radius)
    steep = np.clip(1 + depth / _BEVEL, 0.0, 1.0)
    steep = np.minimum(steep * steep * _STEEP, _STEEP)
    length = np.sqrt(across * across + down * down) + 1e-9
    return across / length * steep, down / length * steep, np.sqrt(1 - steep * steep)


def _lit(depth: Array, radius: float, light: Light) -> Array:
    """Lambert's cosine law with ambient light, 1 on what lies flat."""
    nx, ny, nz = _normal(depth, radius)
    lx, ly, lz = light.direction
    diffuse = np.maximum(nx * lx + ny * ly + nz * lz, 0.0)
    return (light.ambient + (1 - light.ambient) * diffuse) / (light.ambient + (1 - light.ambient) * lz)


def _glint(depth: Array, radius: float, light: Light) -> Array:
    """Blinn's highlight, with the exponent 16 by squaring."""
    nx, ny, nz = _normal(depth, radius)
    lx, ly, lz = light.direction
    length = math.sqrt(lx * lx + ly * ly + (lz + 1) * (lz + 1))
    shine = np.maximum((nx * lx + ny * ly + nz * (lz + 1)) / length, 0.0)
    for _ in range(4):
        shine = shine * shine
    return shine


def _bounds(inside: NDArray[np.bool_], left: int, top: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) around the true samples; right and bottom lie just outside."""
    columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
    return (
        left + int(columns[0]),
        top + int(rows[0]),
        left + int(columns[-1]) + 1,
        top + int(rows[-1]) + 1,
    )


def _expose(canvas: Array, light: Light, camera: Camera, factor: int) -> Image.Image:
    """What the camera makes of it: blur, exposure, fewer pixels, noise, 8 bits."""
    side = len(canvas)
    sigma = camera.blur * side
    for _ in range(round(2 * sigma * sigma)):  # each pass has the variance 1/2
        canvas = _binomial(_binomial(canvas, 0), 1)
    if factor == 2:
        canvas = (canvas[::2, ::2] + canvas[1::2, ::2] + canvas[::2, 1::2] + canvas[1::2, 1::2]) / 4
    canvas = canvas * light.exposure
    if camera.noise:
        canvas = canvas + camera.noise * _noise(camera.seed, canvas.shape)
    return Image.fromarray(np.clip(np.floor(canvas * 255 + 0.5), 0, 255).astype(np.uint8))


def _binomial(canvas: Array, axis: int) -> Array:
    """One pass of [1 2 1] / 4 along an axis; the border is repeated."""
    padding = [(0, 0)] * canvas.ndim
    padding[axis] = (1, 1)
    wide = np.pad(canvas, padding, mode="edge")
    before, after = (wide[:-2], wide[2:]) if axis == 0 else (wide[:, :-2], wide[:, 2:])
    return (before + canvas * 2 + after) / 4


def _noise(seed: int, shape: tuple[int, ...]) -> Array:
    """Nearly Gaussian, variance 1: the sum of four bytes each, which is exact everywhere."""
    count = int(np.prod(shape))
    octets = np.frombuffer(generator("noise", seed).bytes(4 * count), dtype=np.uint8).reshape(4, *shape)
    centred: Array = octets.astype(np.int64).sum(axis=0) - 4 * 127.5
    return centred / math.sqrt(4 * (256**2 - 1) / 12)


def _seen(thing: Thing, owner: NDArray[np.int32], outline: _Outline | None, factor: int) -> Seen | None:
    """The thing as it is seen, or None where it is not, or not by a whole pixel."""
    if outline is None or thing.label is None:
        return None
    samples = owner == thing.track
    visible = int(samples.sum())
    mask = samples[::factor, ::factor]
    if not visible or not mask.any():
        return None
    side = len(owner)
    cut = tuple(min(max(edge, 0), side) / factor for edge in outline.bounds)
    left, top, right, bottom = _bounds(mask, 0, 0)
    return Seen(
        track=thing.track,
        label=thing.label,
        mask=mask,
        box=(float(left), float(top), float(right), float(bottom)),
        whole_box=(cut[0], cut[1], cut[2], cut[3]),
        visibility=min(1.0, visible / outline.area),
    )
