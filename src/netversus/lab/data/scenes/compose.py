"""Choose what is in a scene. Every choice derives from (seed, split, index) and nothing else.

`difficulty` in [0, 1] moves every choice together: less contrast, more clutter, more of it like the classes, more
occlusion, blur and noise, smaller objects.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Mapping
from dataclasses import replace

from netversus.lab.data.scenes.description import (
    CLASSES,
    DECOY_SHAPES,
    DECOY_TEXTURES,
    SHAPES,
    STILL,
    TEXTURES,
    Background,
    Camera,
    Colour,
    Light,
    Motion,
    Scene,
    Thing,
    shape_of,
    texture_of,
    turned,
)
from netversus.lab.data.scenes.draw import Draw

FACTORS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "background": {"smooth": (0.6, 0.2), "rough": (0.4, 0.45), "patterned": (0.0, 0.35)},
    "light": {"frontal": (0.6, 0.3), "slanted": (0.4, 0.35), "dim": (0.0, 0.35)},
    "occlusion": {"none": (0.9, 0.25), "part": (0.1, 0.4), "heavy": (0.0, 0.35)},
    "scale": {"large": (0.6, 0.25), "medium": (0.4, 0.4), "small": (0.0, 0.35)},
    "blur": {"sharp": (1.0, 0.5), "blurred": (0.0, 0.5)},
    "noise": {"clean": (1.0, 0.4), "noisy": (0.0, 0.6)},
}
"""The nuisance factors, and the weight of each level at difficulty 0 and at difficulty 1."""

_RADIUS = {"large": (0.32, 0.4), "medium": (0.25, 0.32), "small": (0.18, 0.25)}
_COVERED = {"none": 0.0, "part": 0.25, "heavy": 0.45}
_SIDE = (16 / 256, 110 / 256)  # of objects among others, in sides of the image


def ramp(difficulty: float, easy: float, hard: float) -> float:
    """A setting between its easy and its hard value."""
    return easy + (hard - easy) * difficulty


def label_at(seed: int, split: str, index: int) -> int:
    """The class of a classification image: each block of as many images as classes holds every class once."""
    block, place = divmod(index, len(CLASSES))
    return Draw("labels", seed, split, block).shuffled(range(len(CLASSES)))[place]


def levels_at(seed: int, split: str, index: int, difficulty: float) -> dict[str, str]:
    """The level of every nuisance factor of a classification image."""
    draw = Draw("levels", seed, split, index)
    return {
        factor: draw.weighted({level: ramp(difficulty, *ends) for level, ends in levels.items()})
        for factor, levels in FACTORS.items()
    }


def classification_scene(seed: int, split: str, index: int, difficulty: float) -> Scene:
    """One object, whose class is the label, among clutter that has the shape or the texture of a class, not both."""
    levels = levels_at(seed, split, index, difficulty)
    draw = Draw("classification", seed, split, index)
    light = _light(draw, levels["light"])
    background, brightness = _background(draw, levels["background"], difficulty)
    camera = _camera(draw, levels["blur"], levels["noise"], difficulty)
    wander = ramp(difficulty, 0.04, 0.14)
    main = _object(
        draw,
        track=0,
        label=label_at(seed, split, index),
        radius=draw.uniform(*_RADIUS[levels["scale"]]) * ramp(difficulty, 1.0, 0.85),
        place=(0.5 + draw.uniform(-wander, wander), 0.5 + draw.uniform(-wander, wander)),
        depth=0.5,
        difficulty=difficulty,
        against=brightness,
    )
    count = round(ramp(difficulty, 1, 5) + draw.uniform(-1, 1))
    clutter = [_clutter(draw, track, difficulty, (0.06, 0.13)) for track in range(1, 1 + count)]
    covered = _COVERED[levels["occlusion"]] * draw.uniform(0.8, 1.2)
    front = [_occluder(draw, 1 + count, main, covered, difficulty)] if covered else []
    return Scene((main, *clutter, *front), light, background, camera)


def detection_scene(seed: int, split: str, index: int, difficulty: float) -> Scene:
    """Three to eight objects of any class, among clutter, each of which may cover the others."""
    draw = Draw("detection", seed, split, index)
    light, background, brightness, camera = _surroundings(draw, difficulty)
    count = 3 + draw.integer(6)
    objects = [
        _object(
            draw,
            track=track,
            label=draw.integer(len(CLASSES)),
            radius=draw.log_uniform(*_SIDE) / 2.2,
            place=(draw.uniform(0.04, 0.96), draw.uniform(0.04, 0.96)),
            depth=draw.uniform(),
            difficulty=difficulty,
            against=brightness,
        )
        for track in range(count)
    ]
    return Scene((*objects, *_litter(draw, count, difficulty)), light, background, camera)


def sequence_scene(seed: int, split: str, index: int, difficulty: float, frames: int) -> Scene:
    """Objects that enter, cross, hide one another and leave, under a hand-held camera.

    Each object passes some place inside the frame at some time, on a curved and swaying path; of every pair of
    the same class that is made to cross, both pass nearly the same place at the same time.
    """
    draw = Draw("sequence", seed, split, index)
    light, background, brightness, camera = _surroundings(draw, difficulty)
    camera = replace(
        camera,
        shake=ramp(difficulty, 0.002, 0.015),
        rates=(draw.uniform(0.02, 0.06), draw.uniform(0.02, 0.06)),
    )
    pairs = round(ramp(difficulty, 1, 3))
    objects: list[Thing] = []
    for _ in range(pairs):
        objects += _crossing(draw, len(objects), difficulty, frames, brightness)
    for _ in range(3 + draw.integer(5)):
        at = (draw.uniform(0.15, 0.85), draw.uniform(0.15, 0.85))
        one = _walker(draw, len(objects), draw.integer(len(CLASSES)), at, difficulty, brightness)
        objects.append(_moving(draw, one, draw.uniform(0, frames), draw.uniform(), difficulty))
    return Scene((*objects, *_litter(draw, len(objects), difficulty)), light, background, camera)


def _crossing(draw: Draw, track: int, difficulty: float, frames: int, brightness: float) -> list[Thing]:
    label, time = draw.integer(len(CLASSES)), draw.uniform(0.15 * frames, 0.85 * frames)
    x, y, heading = draw.uniform(0.3, 0.7), draw.uniform(0.3, 0.7), draw.uniform()
    pair = []
    for number in range(2):
        at = (x + draw.uniform(-0.03, 0.03), y + draw.uniform(-0.03, 0.03))
        one = _walker(draw, track + number, label, at, difficulty, brightness)
        pair.append(_moving(draw, one, time, heading + number * draw.uniform(0.25, 0.5), difficulty))
    return pair


def _walker(
    draw: Draw, track: int, label: int, place: tuple[float, float], difficulty: float, brightness: float
) -> Thing:
    radius = draw.log_uniform(0.1, _SIDE[1]) / 2.2
    return _object(
        draw,
        track=track,
        label=label,
        radius=radius,
        place=place,
        depth=draw.uniform(),
        difficulty=difficulty,
        against=brightness,
    )


def _moving(draw: Draw, thing: Thing, time: float, heading: float, difficulty: float) -> Thing:
    """The thing on its way: a parabola with a sway across it, and a slow spin."""
    across, down = turned(heading)
    speed = draw.uniform(0.006, 0.02)
    bend = draw.uniform(-1, 1) * ramp(difficulty, 0.3, 1.0) * speed / 40
    sway = draw.uniform(0.0, ramp(difficulty, 0.015, 0.04))
    motion = Motion(
        at=time,
        velocity=(across * speed, down * speed),
        acceleration=(-down * bend, across * bend),
        sway=(-down * sway, across * sway),
        rate=draw.uniform(0.02, 0.06),
        spin=draw.uniform(-0.008, 0.008),
    )
    return replace(thing, motion=motion)


def _surroundings(draw: Draw, difficulty: float) -> tuple[Light, Background, float, Camera]:
    """Light, background with its brightness, and camera of a scene of many objects."""
    levels = {
        factor: draw.weighted({level: ramp(difficulty, *ends) for level, ends in FACTORS[factor].items()})
        for factor in ("light", "background", "blur", "noise")
    }
    background, brightness = _background(draw, levels["background"], difficulty)
    camera = _camera(draw, levels["blur"], levels["noise"], difficulty)
    # A detector's image has eight times as many pixels a side as a classifier's: its blur is as many pixels.
    return _light(draw, levels["light"]), background, brightness, replace(camera, blur=camera.blur / 4)


def _litter(draw: Draw, track: int, difficulty: float) -> list[Thing]:
    count = round(ramp(difficulty, 4, 16) + draw.uniform(-2, 2))
    return [_clutter(draw, track + number, difficulty, (0.02, 0.1)) for number in range(count)]


def _object(
    draw: Draw,
    *,
    track: int,
    label: int,
    radius: float,
    place: tuple[float, float],
    depth: float,
    difficulty: float,
    against: float,
) -> Thing:
    base, mark = _two_tones(draw, difficulty, against)
    return Thing(
        track=track,
        label=label,
        shape=shape_of(label),
        texture=texture_of(label),
        x=place[0],
        y=place[1],
        radius=radius,
        turn=draw.uniform(),
        squash=draw.uniform(ramp(difficulty, 0.95, 0.75), 1.0),
        depth=depth,
        base=base,
        mark=mark,
        period=draw.uniform(0.55, 0.75),
        phase=draw.uniform(),
        gloss=draw.uniform(0.0, 0.35),
    )


def _clutter(draw: Draw, track: int, difficulty: float, radii: tuple[float, float]) -> Thing:
    """A small thing of no class. The harder, the likelier it has a class's shape or a class's texture."""
    shape, texture = draw.pick(DECOY_SHAPES), draw.pick(DECOY_TEXTURES)
    if draw.chance(0.2 + 0.6 * difficulty):
        if draw.chance(0.5):
            shape = draw.pick(SHAPES)
        else:
            texture = draw.pick(TEXTURES)
    base, mark = _two_tones(draw, difficulty, draw.uniform())
    return Thing(
        track=track,
        label=None,
        shape=shape,
        texture=texture,
        x=draw.uniform(),
        y=draw.uniform(),
        radius=draw.uniform(*radii),
        turn=draw.uniform(),
        squash=draw.uniform(0.7, 1.0),
        depth=draw.uniform(0.0, 0.45) if draw.chance(0.85) else draw.uniform(0.55, 1.0),
        base=base,
        mark=mark,
        period=draw.uniform(0.5, 0.9),
        phase=draw.uniform(),
        gloss=draw.uniform(0.0, 0.3),
    )


def _occluder(draw: Draw, track: int, main: Thing, covered: float, difficulty: float) -> Thing:
    """A bar or hexagon that reaches over the main object from one side and hides about the share `covered` of it.

    A half-plane that hides the share c of a disc lies about (1 - 2 c) 0.8 radii from its centre for c near 1/2.
    """
    clutter = _clutter(draw, track, difficulty, (0.5, 0.6))
    across, down = turned(draw.uniform())
    radius = main.radius * draw.uniform(1.3, 1.6)
    way = main.radius * (1 - 2 * covered) * 0.8 + radius * 0.95
    return replace(
        clutter,
        shape="hexagon",
        texture=draw.pick(DECOY_TEXTURES),
        x=main.x + across * way,
        y=main.y + down * way,
        radius=radius,
        squash=1.0,
        depth=0.9,
        motion=STILL,
    )


def _light(draw: Draw, level: str) -> Light:
    across, down = turned(draw.uniform())
    height = {"frontal": 0.8, "slanted": 0.45, "dim": 0.6}[level]
    flat = math.sqrt(1 - height * height)
    return Light(
        direction=(across * flat, down * flat, height),
        ambient=0.25 if level == "slanted" else 0.4,
        exposure=draw.uniform(0.4, 0.6) if level == "dim" else draw.uniform(0.9, 1.1),
    )


def _background(draw: Draw, level: str, difficulty: float) -> tuple[Background, float]:
    """A background and its mean brightness."""
    brightness = draw.uniform(0.2, 0.8)
    spread = 0.12 if level == "smooth" else ramp(difficulty, 0.2, 0.3)
    hue = draw.uniform()
    background = Background(
        seed=int(draw.uniform() * 2**31),
        dark=_colour(hue, max(0.04, brightness - spread / 2), draw.uniform(0.1, 0.6)),
        bright=_colour(hue + draw.uniform(-0.2, 0.2), min(0.96, brightness + spread / 2), draw.uniform(0.1, 0.6)),
        detail=2 if level == "smooth" else 5,
        pattern=draw.pick(TEXTURES) if level == "patterned" else "",
        period=draw.uniform(0.12, 0.25),
        turn=draw.uniform(),
        strength=ramp(difficulty, 0.3, 0.6),
    )
    return background, brightness


def _camera(draw: Draw, blur: str, noise: str, difficulty: float) -> Camera:
    return Camera(
        blur=draw.uniform(0.01, ramp(difficulty, 0.015, 0.03)) if blur == "blurred" else 0.0,
        noise=draw.uniform(0.04, ramp(difficulty, 0.06, 0.1)) if noise == "noisy" else 0.01,
        seed=int(draw.uniform() * 2**31),
    )


def _two_tones(draw: Draw, difficulty: float, against: float) -> tuple[Colour, Colour]:
    """The colours of a texture: apart from one another, and in the mean from the brightness they lie against."""
    contrast = ramp(difficulty, 0.5, 0.24) * draw.uniform(0.8, 1.2)
    apart = ramp(difficulty, 0.25, 0.08)
    middle = draw.uniform(0.3, 0.7)
    if abs(middle - against) < apart:
        middle = against + apart if against < 0.5 else against - apart
    hue, saturation = draw.uniform(), draw.uniform(0.2, 0.8)
    other = hue + draw.uniform(-0.5, 0.5)
    tones = [
        _colour(hue, max(0.04, middle - contrast / 2), saturation),
        _colour(other, min(0.96, middle + contrast / 2), saturation),
    ]
    return (tones[0], tones[1]) if draw.chance(0.5) else (tones[1], tones[0])


def _colour(hue: float, lightness: float, saturation: float) -> Colour:
    return colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
