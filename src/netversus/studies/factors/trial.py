"""One trial: a short training from scratch under one setting."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.lab.evaluation import Room, predict
from netversus.lab.preprocessing import normalise
from netversus.lab.training.order import sample_order
from netversus.records import Preprocessing
from netversus.studies.factors.design import Setting

WARMUP = 0.1  # share of the steps
EVALUATION_BATCH = 64


@dataclass(frozen=True, slots=True)
class Images:
    """Images as one preprocessing shows them: `pixels` uint8 (n, 3, h, w), `labels` int64 (n,), both on the CPU.
    `fit` and `judge` are the indices that a trial may learn from, and those on which it is judged."""

    pixels: Tensor
    labels: Tensor
    fit: NDArray[np.int64]
    judge: NDArray[np.int64]


@dataclass
class Trial:
    """A network in training. What it is shown at a step follows from (seed, step) alone. `diverged`: the loss left the
    real numbers and the training was broken off before that step changed the weights."""

    model: nn.Module
    preprocessing: Preprocessing
    setting: Setting
    seed: int
    samples: int
    device: torch.device
    diverged: bool = False

    @property
    def steps(self) -> int:
        """As many as show `samples` images, at least one."""
        return max(1, round(self.samples / self.setting.batch))

    def train(self, images: Images) -> Iterator[int]:
        """Take the steps; yields how many were taken."""
        optimizer = adamw(self.model, self.setting)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_cosine(step, self.steps))
        order = shown(images.fit, self.setting, self.steps, self.seed)
        self.model.train()
        for step, index in enumerate(order):
            chosen = torch.from_numpy(index)
            rng = np.random.default_rng([self.seed, step, 1])
            batch = shifted(images.pixels[chosen], self.setting.shift, rng)
            inputs = normalise(batch.to(self.device), self.preprocessing)
            loss = self._loss(inputs, images.labels[chosen].to(self.device), step)
            if not math.isfinite(float(loss.detach())):
                self.diverged = True
                return
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            yield step + 1

    def _loss(self, inputs: Tensor, labels: Tensor, step: int) -> Tensor:
        """The cross-entropy of a step. Dropout draws from (seed, step), so that who else is trained changes nothing."""
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(int(np.random.SeedSequence([self.seed, step, 2]).generate_state(1)[0]))
            return nn.functional.cross_entropy(self.model(inputs), labels)

    def top1(self, images: Images, room: Room | None = None) -> float:
        """The share of the judged images that are classified correctly; an answer that is no number is wrong. `room`
        is that of `predict`."""
        self.model.eval()
        right = 0
        for start in range(0, len(images.judge), EVALUATION_BATCH):
            chosen = torch.from_numpy(images.judge[start : start + EVALUATION_BATCH])
            inputs = normalise(images.pixels[chosen].to(self.device), self.preprocessing)
            logits = predict(self.model, inputs, room)
            answers = torch.isfinite(logits).all(dim=1)
            right += int((answers & (logits.argmax(dim=1) == images.labels[chosen])).sum())
        return right / len(images.judge)


def adamw(model: nn.Module, setting: Setting) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); norms and biases, the parameters of one dimension, are not decayed."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": setting.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=setting.learning_rate)


def warm_cosine(step: int, steps: int) -> float:
    """The share of the peak learning rate: a linear warm-up, then a cosine towards zero (Loshchilov, Hutter 2017)."""
    warm = max(1, round(WARMUP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def shown(fit: NDArray[np.int64], setting: Setting, steps: int, seed: int) -> NDArray[np.int64]:
    """Which images each step is shown, shape (steps, batch): epochs over the setting's share of `fit`, drawn by the
    seed. A larger share of the same trial holds the smaller one."""
    count = max(1, round(setting.data * len(fit)))
    chosen = np.random.default_rng([seed, 0, 3]).permutation(fit)[:count]
    order = sample_order(count, steps * setting.batch, seed)
    return np.asarray(chosen[order].reshape(steps, setting.batch))


def shifted(batch: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """A batch (uint8, (n, 3, h, w)), each image shifted by up to `share` of its side, edges repeated."""
    reach = round(share * batch.shape[-1])
    if reach == 0:
        return batch
    padded = nn.functional.pad(batch.float(), (reach,) * 4, mode="replicate").to(torch.uint8)
    top, left = rng.integers(0, 2 * reach + 1, size=(2, len(batch)))
    rows = torch.from_numpy(top)[:, None] + torch.arange(batch.shape[-2])
    columns = torch.from_numpy(left)[:, None] + torch.arange(batch.shape[-1])
    each = torch.arange(len(batch))[:, None, None]
    return padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()
