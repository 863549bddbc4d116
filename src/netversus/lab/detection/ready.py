"""Detectors that come trained: torchvision's, and DETR by transformers (Carion et al., ECCV 2020).

Each answers as torchvision's detectors do, in the labels of the data's box classes, which are found by their names;
what it finds of other classes is left out, for nobody asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netversus.errors import MissingExtraError, WeightsError
from netversus.lab.artifacts.scan import vouched
from netversus.lab.contenders import hub
from netversus.lab.contenders.availability import published_file
from netversus.lab.contenders.detectors import BOXES
from netversus.lab.contenders.load import fill, through_our_door
from netversus.lab.contenders.spec import parse
from netversus.lab.weights_file import read_state_dict
from netversus.records import ContenderCard

_SHORTER, _LONGER = 800, 1333  # px: how DETR sees a picture, as its authors evaluate it
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Answers = list[dict[str, Tensor]]


def is_ready(card: ContenderCard) -> bool:
    """Whether a contender is a detector already."""
    return card.head == BOXES


def ready(card: ContenderCard, classes: Sequence[str]) -> nn.Module:
    """The detector of a card, in eval mode on the CPU: a list of images float32 (3, h, w) in [0, 1] to their boxes,
    scores and labels, the labels being those of `classes`, from 1.

    Raises:
        WeightsError: the weights do not fit, or none of its classes is among the data's.
        UnsafeFileError: the file of weights needs more than tensors.
        MissingExtraError: the source needs an optional package.
    """
    if card.source == "hf":
        detector, names = _detr(card)
    elif card.source == "file":
        detector, names = _from_file(card, classes)
    else:
        detector, names = _published(card)
    return Renamed(detector, _renaming(card, names, classes)).eval()


class Renamed(nn.Module):
    """A detector whose labels are exchanged: `labels[i]` stands for its i, 0 for what is left out."""

    def __init__(self, detector: nn.Module, labels: Sequence[int]) -> None:
        super().__init__()
        self.detector = detector
        self.register_buffer("labels", torch.tensor(list(labels)), persistent=False)

    def forward(self, images: list[Tensor]) -> Answers:
        """The detections of each image."""
        return [self._renamed(answer) for answer in self.detector(images)]

    def _renamed(self, answer: Mapping[str, Tensor]) -> dict[str, Tensor]:
        labels = self.labels[answer["labels"]]  # type: ignore[index]
        kept = labels > 0
        return {"boxes": answer["boxes"][kept], "scores": answer["scores"][kept], "labels": labels[kept]}


def _renaming(card: ContenderCard, names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """The data's label, from 1, of each of a detector's labels; 0 where the data have no such class."""
    places = {name: place + 1 for place, name in enumerate(classes)}
    found = [places.get(name, 0) for name in names]
    if not any(found):
        raise WeightsError(
            f"none of the classes of {card.name} ({', '.join(names[1:4])}, ...) is among the data's "
            f"({', '.join(classes[:3])}, ...)",
            hint="to train a detector here, name its backbone",
        )
    return found


def _published(card: ContenderCard) -> tuple[nn.Module, Sequence[str]]:
    from torchvision.models import get_model, get_model_weights

    chosen = get_model_weights(card.architecture)[card.weights]
    with through_our_door(published_file(card)):
        detector: nn.Module = get_model(card.architecture, weights=chosen)
    return detector, chosen.meta["categories"]


def _from_file(card: ContenderCard, classes: Sequence[str]) -> tuple[nn.Module, Sequence[str]]:
    """A file for as many classes as the data have, or for COCO's: the first that fits."""
    from torchvision.models import get_model, get_model_weights

    path = Path(parse(card.spec).target).expanduser()
    state = read_state_dict(path)
    coco: Sequence[str] = next(iter(get_model_weights(card.architecture))).meta["categories"]
    refused: WeightsError | None = None
    for names in (("background", *classes), coco):
        detector: nn.Module = get_model(card.architecture, weights=None, weights_backbone=None, num_classes=len(names))
        try:
            fill(detector, state, str(path))
        except WeightsError as error:
            refused = refused or error
        else:
            return detector, names
    assert refused is not None
    raise refused


def _detr(card: ContenderCard) -> tuple[nn.Module, Sequence[str]]:
    try:
        from transformers import AutoModelForObjectDetection
    except ImportError:
        raise MissingExtraError("transformers", "hf", card.name) from None
    spec = parse(card.spec)
    folder = hub.folder(spec.target, spec.weights)
    for file in folder.glob("*.safetensors"):
        if vouched(file).format != "safetensors":
            raise WeightsError(f"{file} is not a safetensors file", hint="download it again")
    try:
        model: Any = AutoModelForObjectDetection.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise WeightsError(f"cannot load {card.name}: {hub.first_line(error)}") from None
    named = model.config.id2label
    return Detr(model), [str(named.get(label, "")) for label in range(len(named))]


class Detr(nn.Module):
    """DETR with the answers of torchvision's detectors; each image is looked at by itself, so that none is padded."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: list[Tensor]) -> Answers:
        """The detections of each image: one a query, the surest class of each."""
        return [self._answer(image) for image in images]

    def _answer(self, image: Tensor) -> dict[str, Tensor]:
        high, wide = image.shape[-2:]
        mean, std = (torch.tensor(each, device=image.device).view(3, 1, 1) for each in (_MEAN, _STD))
        scale = min(_SHORTER / min(high, wide), _LONGER / max(high, wide))
        shown = nn.functional.interpolate(
            ((image - mean) / std)[None],
            size=(round(scale * high), round(scale * wide)),
            mode="bilinear",
            antialias=True,
        )
        said = self.model(pixel_values=shown)
        scores, labels = said.logits[0].softmax(-1)[:, :-1].max(-1)  # the last class is "no object"
        centre, size = said.pred_boxes[0].split(2, dim=-1)
        corners = torch.cat([centre - size / 2, centre + size / 2], dim=-1)
        return {
            "boxes": corners * torch.tensor([wide, high, wide, high], device=corners.device),
            "scores": scores,
            "labels": labels,
        }
