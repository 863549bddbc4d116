"""A detector in training. A step is a function of the state, the seed and the step's number, and of nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from netversus.errors import CellError, DivergedError
from netversus.lab.detection.detector import total
from netversus.lab.detection.pictures import Pictures, mirrored, target
from netversus.lab.detection.recipe import DetectorRecipe
from netversus.lab.training.order import sample_order
from netversus.lab.training.randomness import seeded

_FUSED = ("cpu", "cuda")  # kinds of devices on which torch updates all weights in one go


@dataclass
class Apprentice:
    """A detector, its optimiser, and how many of the recipe's steps it has taken."""

    name: str
    detector: nn.Module
    recipe: DetectorRecipe
    seed: int
    device: torch.device
    done: int = 0
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        free = [p for p in self.detector.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in free if p.ndim > 1], "weight_decay": self.recipe.weight_decay},
            {"params": [p for p in free if p.ndim <= 1], "weight_decay": 0.0},
        ]
        fused = self.device.type in _FUSED
        if self.recipe.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(groups, lr=self.recipe.rate, momentum=self.recipe.momentum, fused=fused)
        else:
            self.optimizer = torch.optim.AdamW(groups, lr=self.recipe.rate, fused=fused)

    def train(self, pictures: Pictures) -> Iterator[float]:
        """The steps that are left, the loss of each.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        steps, batch = self.recipe.steps, self.recipe.batch
        order = sample_order(len(pictures), steps * batch, self.seed).reshape(steps, batch)
        self.detector.train()
        for index in order[self.done :]:
            with seeded(self.seed, self.done) as rng:
                flips = rng.random(batch) < self.recipe.flip
                shown = [self._shown(pictures, int(i), flip=bool(f)) for i, f in zip(index, flips, strict=True)]
                yield self._step([image for image, _ in shown], [truth for _, truth in shown])
        self.detector.eval()

    def _shown(self, pictures: Pictures, index: int, *, flip: bool) -> tuple[Tensor, dict[str, Tensor]]:
        (image,) = pictures.shown([index], self.device)
        truth = target(pictures.frames.boxes(index), self.device)
        return mirrored(image, truth) if flip else (image, truth)

    def _step(self, images: list[Tensor], truths: list[dict[str, Tensor]]) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self.done)
        try:
            loss = total(self.detector(images, truths))
        except ValueError as error:  # batch norm on a single place, such as a picture as small as the stride
            raise CellError(f"{self.name}: {str(error).splitlines()[0]}") from None
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"{self.name}: the detector's loss became {value} at step {self.done} of {self.recipe.steps}",
                hint="a lower learning rate of the detector (option learning_rate)",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.clip:
            free = [p for p in self.detector.parameters() if p.grad is not None]
            nn.utils.clip_grad_norm_(free, self.recipe.clip)
        self.optimizer.step()
        self.done += 1
        return value

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.detector.load_state_dict(state["detector"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = int(state["done"])
