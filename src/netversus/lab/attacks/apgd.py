"""Auto-PGD (Croce and Hein 2020, algorithm 1): momentum, and a step length that is halved where progress stalls."""

from __future__ import annotations

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.draws import like
from netversus.lab.attacks.losses import cross_entropy, targeted_ratio
from netversus.lab.attacks.rows import Rows, advance
from netversus.lab.attacks.targets import towards_each
from netversus.lab.attacks.threat import Threat, per_row
from netversus.lab.attacks.victim import Victim, chunk_for

# The paper's constants (section 3.2): the first window, how much each is shorter than the last, the shortest, all as
# shares of the steps; which share of a window's steps must rise; momentum; the first step in eps.
FIRST_WINDOW, SHORTENING, SHORTEST_WINDOW = 0.22, 0.03, 0.06
RISING, MOMENTUM, FIRST_STRIDE = 0.75, 0.75, 2.0
_TURN = 2


def apgd_ce(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """Auto-PGD on the cross-entropy: the first wrong point of each image, or, where none was found or `to_the_end`,
    that of the highest loss."""
    if not len(images):
        return images.clone()
    climber = _Climber(victim, threat, budget, images.device)
    state = climber.begin(images, labels, None, like(images, keys, _TURN))
    return advance(state, climber.step, chunk_for(*images.shape[-2:]))["best"]


def apgd_t(victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor) -> Tensor:
    """Auto-PGD on the targeted difference of logits ratio, towards each of the likeliest wrong classes."""
    if not len(images):
        return images.clone()
    climber = _Climber(victim, threat, budget, images.device)

    def begin(clean: Tensor, truth: Tensor, targets: Tensor, own: Tensor, ranks: Tensor) -> Rows:
        return climber.begin(clean, truth, targets, like(clean, own, _TURN + 1 + ranks))

    return towards_each(victim, images, labels, threat, budget, keys, begin=begin, step=climber.step)


def windows(steps: int) -> tuple[int, ...]:
    """How many steps lie between two looks at the step length."""
    window, shorter = max(1, int(FIRST_WINDOW * steps)), max(1, int(SHORTENING * steps))
    shortest = max(1, int(SHORTEST_WINDOW * steps))
    found: list[int] = []
    while sum(found) + window <= steps:
        found.append(window)
        window = max(window - shorter, shortest)
    return tuple(found)


class _Climber:
    """The steps of Auto-PGD, on rows that may each be at another step."""

    def __init__(self, victim: Victim, threat: Threat, budget: Budget, device: torch.device) -> None:
        self.victim, self.threat, self.budget = victim, threat, budget
        self.window_at = torch.zeros(budget.steps + 1, dtype=torch.int64, device=device)  # 0: no look at that step
        place = 0
        for window in windows(budget.steps):
            place += window
            self.window_at[place] = window

    def begin(self, images: Tensor, labels: Tensor, targets: Tensor | None, draws: Tensor) -> Rows:
        """The state before the first pass."""
        n, device = len(images), images.device
        start = self.threat.start(images, draws)
        lowest = torch.full((n,), -torch.inf, device=device)
        state: Rows = {
            "clean": images,
            "labels": labels,
            "x": start,
            "before": start.clone(),
            "best": start.clone(),
            "best_gradient": torch.zeros_like(images),
            "best_loss": lowest,
            "last_loss": lowest.clone(),
            "looked_loss": lowest.clone(),
            "stride": torch.full((n,), FIRST_STRIDE * self.threat.eps, device=device),
            "rises": torch.zeros(n, dtype=torch.int64, device=device),
            "halved": torch.ones(n, dtype=torch.bool, device=device),
            "misled": torch.zeros(n, dtype=torch.bool, device=device),
            "taken": torch.zeros(n, dtype=torch.int64, device=device),
        }
        return state if targets is None else state | {"targets": targets}

    def step(self, rows: Rows) -> Tensor:
        """Look at where each row is, then move it."""
        loss = targeted_ratio(rows["targets"]) if "targets" in rows else cross_entropy
        gradient, logits, losses = self.victim.gradient(rows["x"], rows["labels"], loss)
        wrong = (logits.argmax(1) != rows["labels"]) & (not self.budget.to_the_end)
        better = losses > rows["best_loss"]
        rows["best"] = torch.where(per_row(better | wrong), rows["x"], rows["best"])
        rows["misled"] = wrong
        rows["best_gradient"] = torch.where(per_row(better), gradient, rows["best_gradient"])
        rows["best_loss"] = torch.maximum(losses, rows["best_loss"])
        rows["rises"] = rows["rises"] + (losses > rows["last_loss"]).long() * (rows["taken"] > 0).long()
        rows["last_loss"] = losses
        first = rows["taken"] == 0
        rows["looked_loss"] = torch.where(first, losses, rows["looked_loss"])
        done = wrong | (rows["taken"] == self.budget.steps)
        gradient = self._halved(rows, gradient)
        self._move(rows, gradient)
        rows["taken"] = rows["taken"] + 1
        return done

    def _halved(self, rows: Rows, gradient: Tensor) -> Tensor:
        """Where a window ends without progress: half the stride, from the best point on."""
        window = self.window_at[rows["taken"]]
        look = window > 0
        stalls = rows["rises"] <= RISING * window
        stuck = ~rows["halved"] & (rows["looked_loss"] >= rows["best_loss"])
        halve = look & (stalls | stuck)
        rows["stride"] = torch.where(halve, rows["stride"] / 2, rows["stride"])
        rows["x"] = torch.where(per_row(halve), rows["best"], rows["x"])
        rows["halved"] = torch.where(look, halve, rows["halved"])
        rows["looked_loss"] = torch.where(look, rows["best_loss"], rows["looked_loss"])
        rows["rises"] = torch.where(look, torch.zeros_like(rows["rises"]), rows["rises"])
        return torch.where(per_row(halve), rows["best_gradient"], gradient)

    def _move(self, rows: Rows, gradient: Tensor) -> None:
        """A step along the gradient, and three quarters of the way there with a quarter of the last change."""
        x, clean = rows["x"], rows["clean"]
        ahead = self.threat.project(x + per_row(rows["stride"]) * self.threat.steepest(gradient), clean)
        share = torch.where(rows["taken"] == 0, 1.0, MOMENTUM)
        drift = x - rows["before"]
        mixed = x + per_row(share) * (ahead - x) + per_row(1 - share) * drift
        rows["before"] = x
        rows["x"] = self.threat.project(mixed, clean)
