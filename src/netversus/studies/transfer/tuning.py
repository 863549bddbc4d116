"""Adjust the weights of a network, from its last stage on or all of them, starting at its linear probe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.errors import DivergedError
from netversus.lab.backbone import Backbone
from netversus.lab.preprocessing import normalise
from netversus.lab.training.order import sample_order
from netversus.records import Preprocessing
from netversus.studies.transfer import TransferOptions
from netversus.studies.transfer.probe import Probe

WARMUP = 0.1  # share of the steps
PARTIAL, FULL = "partial", "finetuned"


@dataclass
class Tuning:
    """A backbone with a new head: the probe, which gives the frozen network's answers before the first step (Kumar et
    al. 2022, "Fine-tuning can distort pretrained features", section 4: linear probing, then fine-tuning).

    What it is shown at a step follows from (seed, step) alone. `kind` is PARTIAL (what begins after the last stage but
    one, and the head; what is frozen stays in eval mode) or FULL.
    """

    name: str
    kind: str
    backbone: Backbone
    probe: Probe
    preprocessing: Preprocessing
    options: TransferOptions
    seed: int
    device: torch.device
    done: int = 0
    head: nn.Linear = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.head = nn.Linear(self.probe.weight.shape[1], len(self.probe.classes)).to(self.device)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(self.probe.weight))
            self.head.bias.copy_(torch.from_numpy(self.probe.bias))
        self._freeze()
        free = [p for p in (*self.backbone.parameters(), *self.head.parameters()) if p.requires_grad]
        groups = [
            {"params": [p for p in free if p.ndim > 1], "weight_decay": self.options.tuning_decay},
            {"params": [p for p in free if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.options.tuning_rate)

    @property
    def steps(self) -> int:
        """As many as show `tuning_samples` images, at least one."""
        return max(1, round(self.options.tuning_samples / self.options.tuning_batch))

    def __call__(self, images: Tensor) -> Tensor:
        """Scores of the probe's classes, shape (n, k)."""
        scores: Tensor = self.head(self.backbone(images))
        return scores

    def train(self, images: Tensor, labels: NDArray[np.int64]) -> Iterator[int]:
        """The steps that are left, on images uint8 (n, 3, h, w); yields how many are done.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        self._train_mode()
        targets = torch.from_numpy(np.searchsorted(self.probe.classes, labels))
        for index in self._order(len(labels))[self.done :]:
            chosen = torch.from_numpy(index)
            inputs = normalise(images[chosen].to(self.device), self.preprocessing)
            self._step(inputs, targets[chosen].to(self.device))
            yield self.done
        self.eval()

    def eval(self) -> None:
        """No more learning: batch norms and dropout as in use."""
        self.backbone.eval()

    def _step(self, inputs: Tensor, targets: Tensor) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.tuning_rate * self._rate()
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(int(np.random.SeedSequence([self.seed, self.done]).generate_state(1)[0]))
            loss = nn.functional.cross_entropy(self(inputs), targets)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DivergedError(
                f"{self.name}, {self.kind}: the loss became {value} at step {self.done} of {self.steps}",
                hint="a lower --transfer.tuning-rate",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1

    def _rate(self) -> float:
        """A linear warm-up, then a cosine towards zero (Loshchilov and Hutter 2017)."""
        warm = max(1, round(WARMUP * self.steps))
        if self.done < warm:
            return (self.done + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (self.done - warm) / max(1, self.steps - warm)))

    def _order(self, count: int) -> NDArray[np.int64]:
        """Which images each step is shown, shape (steps, batch): epochs, each in an order of its own."""
        order = sample_order(count, self.steps * self.options.tuning_batch, self.seed)
        return order.reshape(self.steps, self.options.tuning_batch)

    def _tail(self) -> Iterator[nn.Module]:
        for path in self.backbone.parts.tail:
            yield self.backbone.model.get_submodule(path)

    def _freeze(self) -> None:
        self.backbone.requires_grad_(self.kind == FULL)
        for module in self._tail():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(True)

    def _train_mode(self) -> None:
        self.backbone.train(self.kind == FULL)
        for module in self._tail():
            module.training = True

    def save(self, path: Path) -> None:
        """All that the next step depends on, atomically."""
        temporary = path.with_suffix(".tmp")
        state = {"backbone": self.backbone.state_dict(), "head": self.head.state_dict(), "done": self.done}
        torch.save({**state, "optimizer": self.optimizer.state_dict()}, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go on from where `save` left off."""
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        self.backbone.load_state_dict(state["backbone"])
        self.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = int(state["done"])
