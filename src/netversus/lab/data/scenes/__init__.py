"""`scenes`: generated pictures of textured, lit, partly hidden objects on cluttered backgrounds.

annotated.py     scenes as frames with boxes and clips with tracks
description.py   what a scene holds, frozen
compose.py       choosing what is in it, from seed, split, index and difficulty
surface.py       shapes and textures
render.py        a scene as pixels, with boxes and masks
sets.py          classification images, detection frames, sequences
draw.py          random numbers that are the same on every machine
"""

from __future__ import annotations

import hashlib

from netversus.lab.data.annotated import Clip, FrameSet
from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.data.kind import Kind, Opening
from netversus.lab.data.scenes.annotated import SceneClip, SceneFrames
from netversus.lab.data.scenes.compose import FACTORS
from netversus.lab.data.scenes.description import CLASSES
from netversus.lab.data.scenes.options import ScenesOptions, open_frames, open_sequences
from netversus.lab.data.scenes.sets import MIN_VISIBILITY, DetectionFrames, SceneImages, Sequence, Sequences
from netversus.messages import noted
from netversus.records import DataCard, digest

__all__ = [
    "CLASSES",
    "KIND",
    "MIN_VISIBILITY",
    "DetectionFrames",
    "SceneImages",
    "Sequence",
    "Sequences",
    "open_frames",
    "open_sequences",
]

_PROBED = 4


def open_scenes(opening: Opening) -> Dataset:
    """Generated images of one main object each, whose class is the label; frames and sequences of several."""
    options: ScenesOptions = opening.options
    splits: dict[str, ImageSet] = {
        split: SceneImages(
            seed=opening.seed,
            split=split,
            count=count,
            size=options.size,
            difficulty=options.difficulty,
        )
        for split, count in (("train", options.train), ("test", options.test))
    }
    frames, sequences = _frames(options, opening.seed), _sequences(options, opening.seed)
    card = DataCard(
        name="scenes",
        spec=opening.spec,
        digest=digest("scenes", options.model_dump(), opening.seed, _probe(splits)),
        classes=CLASSES,
        splits={split: len(images) for split, images in splits.items()},
        frames={split: len(one) for split, one in frames.items()},
        sequences={split: len(clips) for split, clips in sequences.items()},
        box_classes=CLASSES,
        frame_side=options.frame_size,
        image_size=options.size,
        factors=tuple(FACTORS),
        notes=(
            noted("generated with seed {seed} at difficulty {n}", seed=opening.seed, n=f"{options.difficulty:g}"),
            noted("train and test are drawn independently from the same distribution"),
        ),
    )
    return Dataset(card, splits, frames, sequences)


def _frames(options: ScenesOptions, seed: int) -> dict[str, FrameSet]:
    """Still pictures with boxes, by split."""
    counts = {"train": options.frames, "test": options.test_frames}
    return {
        split: SceneFrames(DetectionFrames(seed, split, count, options.frame_size, options.difficulty))
        for split, count in counts.items()
    }


def _sequences(options: ScenesOptions, seed: int) -> dict[str, tuple[Clip, ...]]:
    """Sequences with tracks, by split."""
    counts = {"train": options.sequences, "test": options.test_sequences}
    made = {
        split: Sequences(seed, split, count, options.length, options.frame_size, options.difficulty)
        for split, count in counts.items()
    }
    return {split: tuple(SceneClip(one.sequence(i)) for i in range(len(one))) for split, one in made.items()}


def _probe(splits: dict[str, ImageSet]) -> list[str]:
    """Digests of the first images: were they ever drawn differently, the data would say that they are others."""
    return [
        hashlib.sha256(images.image(index).tobytes()).hexdigest()
        for images in splits.values()
        for index in range(min(_PROBED, len(images)))
    ]


KIND = Kind(
    name="scenes",
    summary=f"generated objects, {len(CLASSES)} classes of shape and texture, with nuisance factors for slices",
    options=ScenesOptions,
    open=open_scenes,
)
