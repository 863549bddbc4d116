"""How many members an attacker names who may hardly ever be wrong. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netversus.statistics.distributions import beta

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Named:
    """At a bound on the false positives: the share of the members that is named, in [0, 1]; how many of how many
    non-members are named too; and how high their true share could be (one-sided 95 %, Clopper-Pearson)."""

    members: float
    wrong: int
    others: int
    highest: float


def named_at(scores: Array, member: Array, bound: float) -> Named | None:
    """What is named when at most a share `bound` of the non-members may be, rounded down to whole images; None where
    there are no members or no others. `scores` and `member` (1 or 0) have shape (n,).

    With fewer than 1 / bound non-members none may be named, and the bound itself cannot be checked: `highest` tells.
    """
    inside, outside = scores[member == 1], np.sort(scores[member == 0])[::-1]
    if not len(inside) or not len(outside):
        return None
    allowed = min(int(bound * len(outside)), len(outside) - 1)
    threshold = outside[allowed]  # what is above it is named: at most `allowed` of the others
    wrong = int((outside > threshold).sum())
    highest = float(beta.ppf(0.95, wrong + 1, len(outside) - wrong))
    return Named(float((inside > threshold).mean()), wrong, len(outside), highest)
