"""A plain training loop: one recipe for every contender, data order a pure function of the seed, exact resume.

Kept on purpose without a framework: what is compared must be readable. A later issue adds recipes, EMA, DDP.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.errors import DivergedError
from netversus.lab.data.dataset import ImageSet
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import Preprocessing


class Recipe(Protocol):
    """The settings that the loop reads; `netversus.studies.training.TrainingOptions` declares them."""

    batch: int
    learning_rate: float
    weight_decay: float
    warmup: float
    label_smoothing: float
    augment: str
    zero_init_residual: bool


def sample_order(images: int, samples: int, seed: int) -> NDArray[np.int64]:
    """Which image is shown when: each epoch a fresh permutation, shape (samples,), a function of the seed alone."""
    epochs = math.ceil(samples / images)
    orders = [np.random.default_rng([seed, epoch]).permutation(images) for epoch in range(epochs)]
    return np.concatenate(orders)[:samples]


def pixels(images: ImageSet, preprocessing: Preprocessing) -> Tensor:
    """A whole split, decoded and prepared once: uint8, shape (n, 3, crop, crop)."""
    first = to_uint8(images.image(0), preprocessing)
    stack = torch.empty((len(images), *first.shape), dtype=torch.uint8)
    for i in range(len(images)):
        stack[i] = to_uint8(images.image(i), preprocessing)
    return stack


def augmented(batch: Tensor, kind: str, seed: tuple[int, int]) -> Tensor:
    """A batch (uint8, (n, 3, h, w)) shifted by up to an eighth of its side, edges repeated, and perhaps flipped.

    What happens to a batch is a function of (seed, step) alone, so that every contender sees the same pixels.
    """
    if kind == "none":
        return batch
    rng = np.random.default_rng([*seed, 1])
    reach = max(1, batch.shape[-1] // 8)
    padded = nn.functional.pad(batch.float(), (reach,) * 4, mode="replicate").to(torch.uint8)
    top, left = rng.integers(0, 2 * reach + 1, size=(2, len(batch)))
    rows = torch.from_numpy(top)[:, None] + torch.arange(batch.shape[-2])
    columns = torch.from_numpy(left)[:, None] + torch.arange(batch.shape[-1])
    each = torch.arange(len(batch))[:, None, None]
    shifted = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if kind == "shift-flip":
        flip = torch.from_numpy(rng.random(len(batch)) < 0.5)
        shifted = torch.where(flip[:, None, None, None], shifted.flip(-1), shifted)
    return shifted.contiguous()


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up, then a cosine to zero (Loshchilov & Hutter 2017), both scaled to the number of steps."""
    warm = max(1, round(recipe.warmup * steps))
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def start_as_identity(model: nn.Module) -> int:
    """Set the last batch norm of each residual block to zero, so that a deep network begins as a shallow one.

    Source: Goyal et al. 2017, section 5.1. timm's ResNets begin so by default, torchvision's do not: to train them
    under one recipe, both must. Returns how many blocks were set; a network without such blocks is left alone.
    """
    lasts = [scale for module in model.modules() if (scale := _last_scale(module)) is not None]
    for scale in lasts:
        nn.init.zeros_(scale)
    return len(lasts)


def _last_scale(module: nn.Module) -> nn.Parameter | None:
    """The weight of the batch norm that ends a residual block, as torchvision and timm name their parts, or None."""
    if not hasattr(module, "downsample"):
        return None
    scale = getattr(getattr(module, "bn3", getattr(module, "bn2", None)), "weight", None)
    return scale if isinstance(scale, nn.Parameter) else None


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019); norms and biases, the parameters of one dimension, are not decayed."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    spared = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


@dataclass
class Trainee:
    """One contender in training: its model, its optimiser, and how many steps it has taken."""

    name: str
    model: nn.Module
    preprocessing: Preprocessing
    recipe: Recipe
    seed: int
    steps: int
    device: torch.device
    done: int = 0

    def __post_init__(self) -> None:
        self.optimizer = make_optimizer(self.model, self.recipe)

    def train(self, images: Tensor, labels: Tensor, order: NDArray[np.int64], until: int) -> Iterator[float]:
        """Steps up to `until`, the loss of each. `images` is uint8 (n, 3, h, w), `labels` int64 (n,).

        Raises:
            DivergedError: the loss is no longer a number.
        """
        self.model.train()
        while self.done < until:
            index = torch.from_numpy(order[self.done * self.recipe.batch : (self.done + 1) * self.recipe.batch])
            batch = augmented(images[index], self.recipe.augment, (self.seed, self.done))
            yield self._step(normalise(batch.to(self.device), self.preprocessing), labels[index].to(self.device))

    def _step(self, inputs: Tensor, labels: Tensor) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.done, self.steps, self.recipe)
        smoothing = self.recipe.label_smoothing
        loss = nn.functional.cross_entropy(self.model(inputs), labels, label_smoothing=smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(f"{self.name}: the loss became {value} at step {self.done} of {self.steps}")
        return value

    def save(self, path: Path) -> None:
        """Everything that the next step depends on, atomically."""
        temporary = path.with_suffix(".tmp")
        torch.save({"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done,
                    "rng": torch.get_rng_state()}, temporary)  # fmt: skip
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go on from where `save` left off."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"].cpu())
        self.done = int(state["done"])
