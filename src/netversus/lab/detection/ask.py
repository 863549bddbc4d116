"""The detections of a detector: torchvision's, or one that answers as they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.lab.detection.found import Found


@torch.inference_mode()
def detect(detector: nn.Module, images: Sequence[Tensor], name: str = "the detector") -> list[Found]:
    """What a detector in eval mode finds on each image, float32 (3, h, w) in [0, 1], in pixels of that image.

    Raises:
        CellError: a box or a score is no number.
    """
    answers = detector(list(images))
    return [_found(answer, name) for answer in answers]


def _found(answer: dict[str, Tensor], name: str) -> Found:
    corners, scores = answer["boxes"].double().cpu().numpy(), answer["scores"].double().cpu().numpy()
    if not (np.isfinite(corners).all() and np.isfinite(scores).all()):
        raise CellError(f"{name} gave boxes or scores that are no numbers")
    return Found(corners, answer["labels"].cpu().numpy().astype(np.int64) - 1, scores)
