"""What the last layer of a network sees of prepared images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.backbone import Backbone, anatomy
from netversus.lab.evaluation import Room, predict
from netversus.lab.preprocessing import normalise
from netversus.records import Preprocessing

BATCH = 64


def features(
    model: nn.Module, images: Tensor, preprocessing: Preprocessing, device: torch.device, room: Room | None = None
) -> NDArray[np.float64]:
    """Float64 (n, width) of images, uint8 (n, 3, h, w). The network is in eval mode and left as it was but for a hook.
    `room` is that of `predict`.

    Raises:
        CellError: the network has no layer with weights.
    """
    with torch.inference_mode():
        parts = anatomy(model, normalise(images[:1].to(device), preprocessing))
    backbone = Backbone(model, parts)
    inputs = (normalise(part.to(device), preprocessing) for part in torch.split(images, BATCH))
    return torch.cat([predict(backbone, each, room) for each in inputs]).flatten(1).double().numpy()
