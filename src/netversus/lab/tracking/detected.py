"""The boxes that a contender's own detector finds in a sequence, the pictures that it learns from, and those on which
it is found how sure it must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.ops import nms

from netversus.lab.data.annotated import Boxes, Clip, FrameSet
from netversus.lab.data.dataset import Dataset
from netversus.lab.detection.ask import detect
from netversus.lab.detection.found import Found
from netversus.lab.detection.pictures import Pictures
from netversus.lab.tracking.given import NOBODY, Shown
from netversus.lab.tracking.least import TRIED

ASKED = 8  # pictures at once
SAME = 0.5  # IoU from which the less sure of two boxes is dropped: objects of all classes are tracked together
_SHARE = 5  # one in so many of the pictures is kept out of the lessons for it
_SPLIT = "train"


class Strung(FrameSet):
    """The pictures of some sequences, one sequence after another."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.ids = tuple(name for clip in clips for name in clip.ids)
        self.lengths = tuple(map(len, clips))
        self._places = [(clip, index) for clip in clips for index in range(len(clip))]

    def image(self, index: int) -> Image.Image:
        """The picture at `index`."""
        clip, place = self._places[index]
        return clip.image(place)

    def boxes(self, index: int) -> Boxes:
        """What is in it."""
        clip, place = self._places[index]
        return clip.boxes(place)


class Some(FrameSet):
    """The pictures at some places of others, in that order."""

    def __init__(self, frames: FrameSet, places: Sequence[int]) -> None:
        self.ids = tuple(frames.ids[place] for place in places)
        self._frames, self._places = frames, tuple(places)

    def image(self, index: int) -> Image.Image:
        """The picture at `index`."""
        return self._frames.image(self._places[index])

    def boxes(self, index: int) -> Boxes:
        """What is in it."""
        return self._frames.boxes(self._places[index])


@dataclass(frozen=True, slots=True)
class Taught:
    """Pictures to learn from, and those on which it is found how sure a detector must be; whether these are kept
    `apart` from the lessons."""

    lessons: FrameSet
    trial: FrameSet
    apart: bool


def set_apart(frames: FrameSet) -> Taught:
    """Keep some of the pictures out of the lessons, `TRIED` at most: of those with objects the last fifth, of each
    sequence where there are such. Where that is not one picture, the last of those that are learnt from are tried."""
    lengths = frames.lengths if isinstance(frames, Strung) else (len(frames),)
    most = max(1, TRIED // len(lengths))
    holding, kept_out = list[int](), list[int]()
    for begin, end in pairwise(accumulate(lengths, initial=0)):
        here = [place for place in range(begin, end) if _holds_objects(frames.boxes(place))]
        holding += here
        kept_out += here[len(here) - min(len(here) // _SHARE, most) :]
    trial = kept_out[-TRIED:]
    if not trial:
        return Taught(frames, Some(frames, holding[-TRIED:]), apart=False)
    out = set(trial)
    rest = [place for place in range(len(frames)) if place not in out]
    return Taught(Some(frames, rest), Some(frames, trial), apart=True)


def _holds_objects(boxes: Boxes) -> bool:
    """Whether a detector can learn from any of the boxes (see `netversus.lab.detection.pictures.target`)."""
    return bool((~boxes.crowd & (boxes.corners[:, 2:] > boxes.corners[:, :2]).all(axis=1)).any())


def to_learn_from(data: Dataset) -> FrameSet | None:
    """The pictures that a detector for the sequences learns from: the train pictures with boxes, or where the data
    have only sequences the pictures of the train sequences; None where there are neither."""
    frames = data.frames.get(_SPLIT)
    if frames is not None and len(frames):
        return frames
    clips = data.sequences.get(_SPLIT, ())
    return Strung(clips) if clips else None


def detected_boxes(
    detector: nn.Module, frames: FrameSet, length: int, *, name: str, device: torch.device, least: float
) -> tuple[Shown, ...]:
    """What a detector in eval mode finds in each of the first `length` pictures, with scores of at least
    `least`; of boxes on the same place the surest.

    Raises:
        CellError: a box or a score is no number.
    """
    pictures, shown = Pictures(frames, room=0), list[Shown]()
    for start in range(0, length, ASKED):
        images = pictures.shown(range(start, min(start + ASKED, length)), device)
        shown += [_shown(found, least) for found in detect(detector, images, name)]
    return tuple(shown)


def _shown(found: Found, least: float) -> Shown:
    sure = found.scores >= least
    corners, scores = found.corners[sure], found.scores[sure]
    kept = nms(torch.from_numpy(corners), torch.from_numpy(scores), SAME).numpy()
    return Shown(corners[kept], scores[kept], np.full(len(kept), NOBODY, dtype=np.int64))
