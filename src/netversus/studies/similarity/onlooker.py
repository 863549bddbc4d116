"""One look at a network while it answers: its answer, and what every stage leaves, from the same forward pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from netversus.lab.backbone import Anatomy, Backbone, anatomy
from netversus.lab.evaluation import Room
from netversus.messages import noted


def whole(maps: Tensor) -> Tensor:
    """A copy of a stage's maps, every value a feature; a copy, for a later layer may write over them."""
    return maps.flatten(1).clone()


def as_they_are(maps: Tensor) -> Tensor:
    """A stage's maps themselves, through which a gradient can flow."""
    return maps


class Onlooker:
    """A network and its places; `reduce` says what is kept of a stage's maps."""

    def __init__(self, model: nn.Module, side: int, reduce: Callable[[Tensor], Tensor] = whole) -> None:
        parameter = next(model.parameters(), None)
        device = parameter.device if parameter is not None else torch.device("cpu")
        self.parts: Anatomy = anatomy(model, torch.zeros(1, 3, side, side, device=device))
        self._backbone = Backbone(model, self.parts, reduce).eval()
        self._answer: Tensor | None = None
        model.register_forward_hook(self._keep)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the places are called, in order."""
        stages = (noted("stage {n}: {where}", n=i + 1, where=stage.label) for i, stage in enumerate(self.parts.stages))
        return (*stages, noted("last layer's input"))

    def look(self, images: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        """What each place leaves, and the logits, of images (n, 3, side, side), in one pass through the network."""
        places = self._backbone.places(images)
        answer, self._answer = self._answer, None
        assert answer is not None
        return places, answer

    @torch.inference_mode()
    def read(self, images: Tensor, room: Room) -> tuple[list[Tensor], Tensor]:
        """The same in chunks, as `predict` shows them: features on the device, logits float32 on the CPU."""
        return room.fitted(images, lambda chunk: self._read(images, chunk))

    def _read(self, images: Tensor, chunk: int) -> tuple[list[Tensor], Tensor]:
        looks = [self.look(part) for part in torch.split(images, chunk)]
        features = [torch.cat(parts) for parts in zip(*(places for places, _ in looks), strict=True)]
        return features, torch.cat([answer for _, answer in looks]).float().cpu()

    def _keep(self, _module: nn.Module, _images: object, logits: Tensor) -> None:
        self._answer = logits


def untrained(model: nn.Module, seed: int) -> nn.Module:
    """A copy whose layers have drawn their weights anew, by each layer's own default, from `seed` alone.

    Parameters that belong to no layer with such a default (a class token, a position's embedding) stay as they are.
    """
    fresh = copy.deepcopy(model)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for module in fresh.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return fresh.eval()
