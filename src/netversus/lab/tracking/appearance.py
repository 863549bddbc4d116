"""What a contender sees in a box: the features before its last layer, of the box cut out and brought to its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.data.annotated import Clip
from netversus.lab.evaluation import Room, predict
from netversus.lab.preprocessing import geometry, normalise, to_uint8
from netversus.lab.tracking.given import Shown
from netversus.lab.tracking.tracks import Array
from netversus.records import ContenderCard, Preprocessing

AT_ONCE = 64  # boxes
_PIXEL = 1.0


@dataclass(frozen=True)
class Eye:
    """A contender's network (or a random one of its kind), asked for features; `room` is that of `predict`."""

    card: ContenderCard
    backbone: Backbone
    device: torch.device
    room: Room | None = None

    @classmethod
    def of(cls, card: ContenderCard, model: nn.Module, device: torch.device, room: Room | None = None) -> Eye:
        """The eye of a contender's network, in eval mode on the device."""
        side = card.preprocessing.crop
        parts = anatomy(model, torch.zeros(1, 3, side, side, device=device))
        return cls(card, Backbone(model, parts).eval(), device, room)

    def see(self, pixels: Tensor) -> Array:
        """Features of crops, uint8 (n, 3, side, side): float64, shape (n, width).

        Raises:
            CellError: they are no numbers.
        """
        if not len(pixels):
            return np.zeros((0, 1))
        inputs = normalise(pixels.to(self.device), self.card.preprocessing)
        features = predict(self.backbone, inputs, self.room).double().numpy()
        if not np.isfinite(features).all():
            raise CellError(f"{self.card.name} gave NaN or infinite features of a box")
        return np.asarray(features)


def random_twin(model: nn.Module, seed: int) -> nn.Module:
    """The network with every layer's weights drawn anew, as its layers draw them: it has learned nothing."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in model.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return model


def look(
    clip: Clip, sets: Mapping[str, Sequence[Shown]], eyes: Mapping[str, Eye]
) -> dict[tuple[str, str], list[Array]]:
    """What each eye sees in every box of each set of boxes, by (eye, set): one array a picture.

    Every picture is decoded once, and every box cut out once for each geometry.
    """
    shapes = {geometry(eye.card.preprocessing) for eye in eyes.values()}
    found: dict[tuple[str, str], list[Array]] = {(eye, one): [] for eye in eyes for one in sets}
    length = max((len(shown) for shown in sets.values()), default=0)
    for pictures in _portions(sets, length):
        images = [clip.image(frame) for frame in pictures]
        for shape, (one, shown) in product(shapes, sets.items()):
            chosen = [shown[frame] for frame in pictures]
            pixels = _crops(images, chosen, shape)
            for name, eye in eyes.items():
                if geometry(eye.card.preprocessing) == shape:
                    found[name, one] += _split(eye.see(pixels), [len(each) for each in chosen])
    return found


def _portions(sets: Mapping[str, Sequence[Shown]], length: int) -> Iterator[list[int]]:
    """Pictures one after another, in portions that hold about `AT_ONCE` boxes of each set."""
    portion: list[int] = []
    boxes = 0
    for frame in range(length):
        portion.append(frame)
        boxes += max(len(shown[frame]) for shown in sets.values())
        if boxes >= AT_ONCE:
            yield portion
            portion, boxes = [], 0
    if portion:
        yield portion


def _split(features: Array, counts: Sequence[int]) -> list[Array]:
    return np.split(features, np.cumsum(counts)[:-1])


def _crops(images: Sequence[Image.Image], shown: Sequence[Shown], shape: Preprocessing) -> Tensor:
    """The boxes cut out of their pictures and brought to the contender's size, uint8 (n, 3, crop, crop).

    A box is squashed, not cropped again: what it holds is the object.
    """
    whole = Preprocessing(
        crop=shape.crop, resize=shape.crop, interpolation=shape.interpolation, antialias=shape.antialias, squash=True
    )
    cut = [
        to_uint8(_cut(image, corners), whole)
        for image, one in zip(images, shown, strict=True)
        for corners in one.corners.tolist()
    ]
    return torch.stack(cut) if cut else torch.zeros(0, 3, shape.crop, shape.crop, dtype=torch.uint8)


def _cut(image: Image.Image, corners: Sequence[float]) -> Image.Image:
    """The part of a picture under a box, at least a pixel of it; a box may reach over the edge, or lie beyond it."""
    left, top, right, bottom = corners
    left, top = min(max(left, 0), image.width - _PIXEL), min(max(top, 0), image.height - _PIXEL)
    right, bottom = min(max(right, left + _PIXEL), image.width), min(max(bottom, top + _PIXEL), image.height)
    return image.crop((int(left), int(top), max(int(left) + 1, round(right)), max(int(top) + 1, round(bottom))))
