"""Learning rates over a training: timm's and torch's schedules, always scaled to the number of steps."""

from __future__ import annotations

from typing import Any

import torch
from timm.scheduler import CosineLRScheduler, StepLRScheduler
from torch.optim.lr_scheduler import OneCycleLR

from netversus.lab.training.recipe import Recipe


class Schedule:
    """Sets the rate of an optimiser before each step. What is to be remembered lies in `state`.

    cosine    linear warm-up, then a cosine to zero (Loshchilov and Hutter 2017)
    step      linear warm-up, then a drop by `step_factor` after every `step_at` of the steps (He et al. 2016)
    onecycle  up to the peak during the warm-up and down to nearly nothing, the momentum against it (Smith 2018)
    constant  linear warm-up, then the peak
    """

    def __init__(self, optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> None:
        self._cycle: OneCycleLR | None = None
        self._timm: Any = None
        if recipe.schedule == "onecycle":
            self._cycle = _one_cycle(optimizer, recipe, steps)
        else:
            self._timm = _timm(optimizer, recipe, steps)

    def before(self, step: int) -> None:
        """Set the rates for the step of this number, the first being 0."""
        if self._timm is not None:
            self._timm.step_update(step)
        elif self._cycle is not None and step > 0:
            self._cycle.step()

    def state(self) -> dict[str, Any]:
        """What the next step depends on; a function of the step's number alone needs nothing."""
        if self._cycle is None:
            return {}
        return {key: value for key, value in self._cycle.state_dict().items() if not callable(value)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        if self._cycle is not None:
            self._cycle.load_state_dict(state)


def _timm(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> Any:
    """A schedule that is a function of the step's number. The first step of a warm-up has a rate above zero."""
    warm = max(0, min(steps - 1, round(recipe.warmup * steps)) - 1)
    common = {
        "warmup_t": warm,
        "warmup_lr_init": recipe.learning_rate / (warm + 1) if warm else 0.0,
        "t_in_epochs": False,
        "initialize": True,
    }
    if recipe.schedule == "cosine":
        return CosineLRScheduler(optimizer, t_initial=max(2, steps - warm), warmup_prefix=True, **common)
    if recipe.schedule == "constant":
        return StepLRScheduler(optimizer, decay_t=steps + 1, **common)
    decay = max(1, round(recipe.step_at * steps))
    return StepLRScheduler(optimizer, decay_t=decay, decay_rate=recipe.step_factor, **common)


def _one_cycle(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> OneCycleLR:
    moves = any("momentum" in group or "betas" in group for group in optimizer.param_groups)
    return OneCycleLR(
        optimizer,
        max_lr=recipe.learning_rate,
        total_steps=steps + 1,
        pct_start=max(recipe.warmup, 1.5 / (steps + 1)),
        cycle_momentum=moves,
    )
