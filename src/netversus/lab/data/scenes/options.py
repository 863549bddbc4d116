"""What can be set about each set of scenes, and the sets with boxes by spec.

One spec, `scenes?size=...&difficulty=...`, names classification images, still frames or sequences, according to
who asks; only the defaults differ.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field

from netversus.errors import SpecError
from netversus.lab.data.scenes.sets import DetectionFrames, Sequences
from netversus.lab.data.spec import make_options, pairs_of
from netversus.study import Options

Size = Annotated[int, Field(ge=16, le=1024, description="Side of the images in pixels.")]
Difficulty = Annotated[float, Field(ge=0, le=1, description="0 is easy, 1 is hard.")]

Declared = TypeVar("Declared", bound=Options)


class ScenesOptions(Options):
    """What can be set about classification images, and about the frames and sequences that come with them."""

    size: Size = 32
    train: Annotated[int, Field(ge=1, le=1_000_000, description="Training images.")] = 2000
    test: Annotated[int, Field(ge=1, le=1_000_000, description="Test images.")] = 500
    difficulty: Difficulty = 0.3
    frame_size: Annotated[int, Field(ge=16, le=1024, description="Side of pictures with boxes, in pixels.")] = 128
    frames: Annotated[int, Field(ge=1, le=1_000_000, description="Training pictures with boxes.")] = 600
    test_frames: Annotated[int, Field(ge=1, le=1_000_000, description="Test pictures with boxes.")] = 200
    sequences: Annotated[int, Field(ge=1, le=10_000, description="Training sequences.")] = 4
    test_sequences: Annotated[int, Field(ge=1, le=10_000, description="Test sequences.")] = 12
    length: Annotated[int, Field(ge=2, le=100_000, description="Pictures a sequence.")] = 30


class FramesOptions(Options):
    """What can be set about still frames with several objects."""

    size: Size = 256
    train: Annotated[int, Field(ge=1, le=1_000_000, description="Training frames.")] = 1500
    test: Annotated[int, Field(ge=1, le=1_000_000, description="Test frames.")] = 300
    difficulty: Difficulty = 0.5


class SequencesOptions(Options):
    """What can be set about sequences."""

    size: Size = 256
    train: Annotated[int, Field(ge=1, le=10_000, description="Training sequences.")] = 20
    test: Annotated[int, Field(ge=1, le=10_000, description="Test sequences.")] = 8
    frames: Annotated[int, Field(ge=2, le=100_000, description="Frames a sequence.")] = 60
    difficulty: Difficulty = 0.5


def open_frames(spec: str, *, seed: int = 0) -> dict[str, DetectionFrames]:
    """Still frames, by split.

    Raises:
        SpecError: the spec does not name scenes, or an option does not fit.
    """
    options = _understood(spec, FramesOptions)
    return {
        split: DetectionFrames(seed, split, count, options.size, options.difficulty)
        for split, count in (("train", options.train), ("test", options.test))
    }


def open_sequences(spec: str, *, seed: int = 0) -> dict[str, Sequences]:
    """Sequences, by split.

    Raises:
        SpecError: the spec does not name scenes, or an option does not fit.
    """
    options = _understood(spec, SequencesOptions)
    return {
        split: Sequences(seed, split, count, options.frames, options.size, options.difficulty)
        for split, count in (("train", options.train), ("test", options.test))
    }


def _understood(spec: str, declared: type[Declared]) -> Declared:
    name, _, query = spec.partition("?")
    if name != "scenes":
        raise SpecError(f"only scenes have boxes and tracks, got {spec!r}", hint="write scenes?option=value")
    return make_options(declared, pairs_of(query, spec), owner="scenes")
