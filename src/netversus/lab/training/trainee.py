"""One contender in training: the loop itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from netversus.errors import CellError, DivergedError
from netversus.lab.preprocessing import normalise
from netversus.lab.training.adversarial import Adversary
from netversus.lab.training.augment import Augment
from netversus.lab.training.distributed import World, check_shares
from netversus.lab.training.losses import make_loss
from netversus.lab.training.optimisers import make_optimizer
from netversus.lab.training.order import share
from netversus.lab.training.products import as_products
from netversus.lab.training.randomness import seeded
from netversus.lab.training.recipe import Recipe
from netversus.lab.training.schedule import Schedule
from netversus.lab.training.sharpness import SharpnessAware
from netversus.lab.training.sizes import side_at
from netversus.records import Preprocessing


@dataclass
class Trainee:
    """A network, its optimiser, and how many of its `steps` it has taken.

    A step is a function of the state that `state()` gives, the seed and the step's number, and of nothing else: not of
    the process it runs in, nor of who is trained beside it. `classes` is needed where labels are mixed.
    """

    name: str
    model: nn.Module
    preprocessing: Preprocessing
    recipe: Recipe
    seed: int
    steps: int
    device: torch.device
    classes: int = 0
    world: World = field(default_factory=World)
    done: int = 0
    gradient_norm: float = math.nan
    """Of the last step: the length of the gradient over all parameters, before it is clipped."""

    def __post_init__(self) -> None:
        check_shares(self.recipe.batch, self.world, mixed=bool(self.recipe.mixup or self.recipe.cutmix))
        if self.recipe.products and self.device.type == "cpu":
            as_products(self.model)
        if self.recipe.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.model, self.recipe)
        self._schedule = Schedule(self.optimizer, self.recipe, self.steps)
        self._average = ModelEmaV3(self.model, decay=self.recipe.ema, use_warmup=True) if self.recipe.ema else None
        self._augment = Augment(self.recipe, self.preprocessing, self.classes)
        self._loss_of = make_loss(self.recipe)
        adversarial = self.recipe.adversarial_eps > 0
        self._adversary = Adversary(self.recipe, self.preprocessing, self.device) if adversarial else None
        self._sharp = SharpnessAware(self.model, self.recipe.sharpness) if self.recipe.sharpness else None
        network = self.world.wrap(self.model)
        self._network: Any = torch.compile(network) if self.recipe.compile else network

    @property
    def judged(self) -> nn.Module:
        """The network to evaluate and to keep: the average of the weights where the recipe takes one."""
        return self.model if self._average is None else self._average.module

    @property
    def side(self) -> int:
        """The side in pixels of the next step's images."""
        return side_at(self.recipe, self.preprocessing.crop, self.done, self.steps)

    def train(self, images: Tensor, labels: Tensor, order: NDArray[np.int64], until: int) -> Iterator[float]:
        """Steps up to `until`, the loss of each. `images` is uint8 (n, 3, h, w), `labels` int64 (n,).

        Raises:
            DivergedError: the loss is no longer a number.
            CellError: the network has too few outputs for the labels, or another process was lost.
        """
        highest = int(labels.max())
        while self.done < until:
            self.model.train()
            batch = order[self.done * self.recipe.batch : (self.done + 1) * self.recipe.batch]
            index = torch.from_numpy(share(batch, self.world.rank, self.world.size)).to(images.device)
            with seeded(self.seed, self.done, self.world.rank) as rng, self.world.together():
                loss = self._step(*self._batch(images[index], labels[index.to(labels.device)], rng), highest)
            yield loss

    def _batch(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        inputs = normalise(self._augment.pixels(images, rng).to(self.device), self.preprocessing)
        if self.side != inputs.shape[-1]:
            inputs = nn.functional.interpolate(inputs, size=(self.side,) * 2, mode="bilinear", antialias=True)
        inputs, labels = self._augment.floats(inputs, labels.to(self.device))
        if self.recipe.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs, labels

    def _step(self, inputs: Tensor, labels: Tensor, highest: int) -> float:
        self._schedule.before(self.done)
        if self._adversary is not None:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
                inputs = self._adversary.changed(self.model, inputs, labels, self._loss_of)
        loss = self._gradients(inputs, labels, highest)
        if self._sharp is not None:
            with self._sharp.climbed():
                self._gradients(inputs, labels, highest)
        self.gradient_norm = self._clipped_norm()
        self.optimizer.step()
        self.done += 1
        if self._average is not None:
            self._average.update(self.model, step=self.done)
        value = self.world.mean(loss.detach().float())
        if not math.isfinite(value):
            raise DivergedError(f"{self.name}: the loss became {value} at step {self.done} of {self.steps}")
        return value

    def _gradients(self, inputs: Tensor, labels: Tensor, highest: int) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits: Tensor = self._network(inputs)
        if logits.ndim != 2 or logits.shape[1] <= highest:
            raise CellError(
                f"{self.name} gave outputs of shape {tuple(logits.shape)}, the labels go up to {highest}: it needs "
                f"{highest + 1} outputs or more"
            )
        loss = self._loss_of(logits, labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def _clipped_norm(self) -> float:
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if self.recipe.clip:
            parameters = [p for p in self.model.parameters() if p.grad is not None]
            nn.utils.clip_grads_with_norm_(parameters, self.recipe.clip, norm)
        return float(norm)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on, beside the settings: weights and buffers, the average of them,
        the optimiser, the schedule, the step's number. (No random state: `randomness.seeded` makes it anew.)"""
        return {
            "model": self.model.state_dict(),
            "average": None if self._average is None else self._average.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self._schedule.state(),
            "done": self.done,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.model.load_state_dict(state["model"])
        if self._average is not None:
            self._average.module.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._schedule.restore(state["schedule"])
        self.done = int(state["done"])
