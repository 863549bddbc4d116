"""Signs that attacks failed for another reason than that there is nothing to be found (Athalye et al. 2018; Carlini et
al. 2019; the checks of AutoAttack). Each is computed on a few images that the victim gets right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import run_attack
from netversus.lab.attacks.draws import like
from netversus.lab.attacks.losses import cross_entropy
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.verify import verify
from netversus.lab.attacks.victim import Victim, chunk_for

LARGE = {"linf": 0.5, "l2": 0.5}
"""A change that turns any image grey, in pixels; for l2 of every pixel."""
LARGE_STEPS = 50
_PROBABILITIES = 1e-4  # how near to 1 the outputs' sum must lie to look like probabilities
_NO_GAIN = 1e-6
_TURN = 7


@dataclass(frozen=True, slots=True)
class Symptoms:
    """Counts of `images` that the victim gets right.

    `changed_at_zero`: answers that an attack with eps 0 changed. `right_at_eps`: still right under APGD at each eps of
    `curve` (in 255ths of the pixel range), each run for itself; `lost_by_larger`: broken at one eps, not at the next.
    `right_at_large`: still right where everything may turn grey. `right_by_steps`: still right after a quarter, half
    and all of the steps. `no_gradient`: images whose gradient is 0 everywhere; `zero_share`: the share of pixels whose
    gradient is 0. `loss_stuck`: images whose loss APGD could not raise. `random_outputs`: images that were not given
    the same logits twice. `probabilities`: whether the outputs look like probabilities. `square_alone`: images that
    Square turned with a tenth of its queries and APGD did not.
    """

    images: int
    changed_at_zero: int
    curve: tuple[float, ...]
    right_at_eps: tuple[int, ...]
    lost_by_larger: int
    right_at_large: int
    steps: tuple[int, ...]
    right_by_steps: tuple[int, ...]
    no_gradient: int
    zero_share: float
    loss_stuck: int
    random_outputs: int
    probabilities: bool
    square_alone: int

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def symptoms(
    victim: Victim,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    budget: Budget,
    keys: Tensor,
    *,
    curve: Sequence[float],
) -> Symptoms:
    """Look for each sign on the images that the victim gets right; the arguments are those of `cascade`."""
    logits = victim.exact(images)
    victim.average_if_random(images, logits)
    right = logits.argmax(1) == labels
    images, labels, keys, logits = images[right], labels[right], keys[right], logits[right]
    trial = _Trial(victim, images, labels, threat, replace(budget, bfloat16=False, to_the_end=False), keys)
    at_eps = [trial.right("apgd-ce", threat=Threat(threat.norm, eps / 255)) for eps in curve]
    steps = tuple(dict.fromkeys(max(1, budget.steps // part) for part in (4, 2, 1)))
    by_steps = [trial.right("apgd-ce", steps=count) for count in steps]
    by_square = trial.right("square", queries=max(1, budget.queries // 10))
    return Symptoms(
        images=len(images),
        changed_at_zero=trial.changed_at_zero(),
        curve=tuple(curve),
        right_at_eps=tuple(int(each.sum()) for each in at_eps),
        lost_by_larger=sum(int((larger & ~smaller).sum()) for smaller, larger in pairwise(at_eps)),
        right_at_large=int(trial.right("pgd", threat=_large(threat, images), short_steps=LARGE_STEPS).sum()),
        steps=steps,
        right_by_steps=tuple(int(each.sum()) for each in by_steps),
        **trial.gradients(),
        loss_stuck=trial.loss_stuck(),
        random_outputs=_differing(victim, images, logits),
        probabilities=_probabilities(logits),
        square_alone=int((by_steps[-1] & ~by_square).sum()),
    )


def _large(threat: Threat, images: Tensor) -> Threat:
    pixels = images[0].numel() if len(images) else 1
    return Threat(threat.norm, LARGE[threat.norm] * (1.0 if threat.norm == "linf" else pixels**0.5))


@dataclass(frozen=True)
class _Trial:
    victim: Victim
    images: Tensor
    labels: Tensor
    threat: Threat
    budget: Budget
    keys: Tensor

    def right(self, name: str, *, threat: Threat | None = None, **budget: int) -> Tensor:
        """Which images are still right after one attack."""
        threat = threat or self.threat
        found = self._found(name, threat, replace(self.budget, **budget))  # type: ignore[arg-type]
        return ~verify(self.victim, self.images, found, self.labels, threat)

    def _found(self, name: str, threat: Threat, budget: Budget) -> Tensor:
        if not len(self.images):
            return self.images
        return run_attack(name, self.victim, self.images, self.labels, threat, budget, self.keys).cpu()

    def changed_at_zero(self) -> int:
        """Answers that an attack without any room changed."""
        return int((~self.right("pgd", threat=Threat(self.threat.norm, 0.0))).sum())

    def gradients(self) -> dict[str, Any]:
        """Where the gradient of the cross-entropy, near the images, is 0."""
        whole, zeros, seen = 0, 0, 0
        for gradient in self._gradients():
            zero = gradient.flatten(1) == 0
            whole += int(zero.all(1).sum())
            zeros, seen = zeros + int(zero.sum()), seen + zero.numel()
        return {"no_gradient": whole, "zero_share": zeros / seen if seen else 0.0}

    def _gradients(self) -> list[Tensor]:
        """At a random point of each image's ball: exactly at a clean image a kink may lie."""
        if not len(self.images):
            return []
        nearby = self.threat.start(self.images, like(self.images, self.keys, _TURN)).to(self.victim.device)
        labels, chunk = self.labels.to(self.victim.device), chunk_for(*self.images.shape[-2:])
        return [
            self.victim.gradient(some, truth, cross_entropy)[0]
            for some, truth in zip(torch.split(nearby, chunk), torch.split(labels, chunk), strict=True)
        ]

    def loss_stuck(self) -> int:
        """Images whose cross-entropy the whole of APGD did not raise."""
        if not len(self.images):
            return 0
        found = self._found("apgd-ce", self.threat, replace(self.budget, to_the_end=True))
        before, after = (cross_entropy(self.victim.exact(each).double(), self.labels) for each in (self.images, found))
        return int((after <= before + _NO_GAIN).sum())


def _differing(victim: Victim, images: Tensor, logits: Tensor) -> int:
    """Images that are not given the same logits twice."""
    return int(victim.differing(images, logits).sum()) if len(images) else 0


def _probabilities(logits: Tensor) -> bool:
    """Whether every row lies in [0, 1] and sums to 1: then the softmax was applied, and gradients fade."""
    if not len(logits):
        return False
    inside = bool((logits >= 0).all()) and bool((logits <= 1).all())
    return inside and bool(((logits.sum(1) - 1).abs() < _PROBABILITIES).all())
