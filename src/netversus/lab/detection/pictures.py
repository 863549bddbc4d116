"""Pictures with boxes as tensors: each is decoded once and shown to every contender's detector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms import functional as transforms

from netversus.lab.data.annotated import Boxes, FrameSet

ROOM = 2**31  # bytes of decoded pictures that are kept


class Pictures:
    """The pictures of a split, uint8 (3, height, width) each; the first ones stay in memory."""

    def __init__(self, frames: FrameSet, room: int = ROOM) -> None:
        self.frames = frames
        self._room = room
        self._kept: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Tensor:
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        pixels: Tensor = transforms.pil_to_tensor(self.frames.image(index))
        if self._room >= pixels.numel():
            self._room -= pixels.numel()
            self._kept[index] = pixels
        return pixels

    def shown(self, indices: Sequence[int], device: torch.device) -> list[Tensor]:
        """Some pictures as float32 in [0, 1] on a device, each of its own size."""
        return [self[int(index)].to(device).float().div_(255) for index in indices]


def target(boxes: Boxes, device: torch.device) -> dict[str, Tensor]:
    """What torchvision's detectors learn from: boxes float32 (k, 4) and labels from 1, int64 (k,).

    Crowds, which stand for no single object, and boxes without area are left out, as torchvision's reference does.
    """
    sides = boxes.corners[:, 2:] - boxes.corners[:, :2]
    real = ~boxes.crowd & (sides > 0).all(axis=1)
    return {
        "boxes": torch.from_numpy(boxes.corners[real]).float().to(device),
        "labels": torch.from_numpy(boxes.labels[real] + 1).to(device),
    }


def mirrored(picture: Tensor, truth: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """A picture and its boxes, left and right exchanged."""
    boxes = truth["boxes"].clone()
    boxes[:, [0, 2]] = picture.shape[-1] - boxes[:, [2, 0]]
    return picture.flip(-1), {**truth, "boxes": boxes}
