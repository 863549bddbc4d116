"""The boxes that a contender's own detector finds in a sequence, and the pictures that it learns from."""

from __future__ import annotations

from collections.abc import Sequence

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

ASKED = 8  # pictures at once
SAME = 0.5  # IoU from which the less sure of two boxes is dropped: objects of all classes are tracked together
_SPLIT = "train"


class Strung(FrameSet):
    """The pictures of some sequences, one sequence after another."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        self.ids = tuple(name for clip in clips for name in clip.ids)
        self._places = [(clip, index) for clip in clips for index in range(len(clip))]

    def image(self, index: int) -> Image.Image:
        """The picture at `index`."""
        clip, place = self._places[index]
        return clip.image(place)

    def boxes(self, index: int) -> Boxes:
        """What is in it."""
        clip, place = self._places[index]
        return clip.boxes(place)


def to_learn_from(data: Dataset) -> FrameSet | None:
    """The pictures that a detector for the sequences learns from: the train pictures with boxes, or where the data
    have only sequences the pictures of the train sequences; None where there are neither."""
    frames = data.frames.get(_SPLIT)
    if frames is not None and len(frames):
        return frames
    clips = data.sequences.get(_SPLIT, ())
    return Strung(clips) if clips else None


def detected_boxes(
    detector: nn.Module, clip: Clip, length: int, *, name: str, device: torch.device, least: float
) -> tuple[Shown, ...]:
    """What a detector in eval mode finds in each of the first `length` pictures of a clip, with scores of at least
    `least`; of boxes on the same place the surest.

    Raises:
        CellError: a box or a score is no number.
    """
    pictures, shown = Pictures(clip, room=0), list[Shown]()
    for start in range(0, length, ASKED):
        images = pictures.shown(range(start, min(start + ASKED, length)), device)
        shown += [_shown(found, least) for found in detect(detector, images, name)]
    return tuple(shown)


def _shown(found: Found, least: float) -> Shown:
    sure = found.scores >= least
    corners, scores = found.corners[sure], found.scores[sure]
    kept = nms(torch.from_numpy(corners), torch.from_numpy(scores), SAME).numpy()
    return Shown(corners[kept], scores[kept], np.full(len(kept), NOBODY, dtype=np.int64))
