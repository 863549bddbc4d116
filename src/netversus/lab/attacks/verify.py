"""What counts as an adversarial example: everything is computed anew, from the images alone.

No attack's own word is taken: not that it stayed within eps, not that its copy of the network was fooled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.victim import Victim

SLACK = 1e-6
"""By how much a distance may exceed eps: the rounding of float32, a four-thousandth of a grey level."""


def verify(victim: Victim, images: Tensor, candidates: Tensor, labels: Tensor, threat: Threat) -> Tensor:
    """Which candidates are adversarial examples: bool, shape (n,), on the CPU.

    Finite, in [0, 1], within eps of its image (in float64), and misclassified by the contender in float32 with its own
    preprocessing, as the accuracy study would show it.
    """
    images, candidates, labels = images.cpu(), candidates.cpu(), labels.cpu()
    allowed = allowed_within(images, candidates, threat)
    fooled = torch.zeros(len(images), dtype=torch.bool)
    if bool(allowed.any()):
        fooled[allowed] = victim.exact(candidates[allowed]).argmax(1) != labels[allowed]
    return fooled


def allowed_within(images: Tensor, candidates: Tensor, threat: Threat) -> Tensor:
    """Which candidates an attacker may hand in: bool, shape (n,)."""
    if candidates.shape != images.shape or candidates.dtype != torch.float32:
        return torch.zeros(len(images), dtype=torch.bool)
    flat = candidates.flatten(1)
    finite = torch.isfinite(flat).all(1)
    inside = (flat >= 0).all(1) & (flat <= 1).all(1)
    return finite & inside & (threat.distance(candidates, images) <= threat.eps + SLACK)
