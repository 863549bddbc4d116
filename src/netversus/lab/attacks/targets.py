"""Attacks that aim at several wrong classes: all in work at once, with the outcome of one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.losses import rivals
from netversus.lab.attacks.rows import Rows, in_turns
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.verify import verify
from netversus.lab.attacks.victim import Victim, chunk_for

Begin = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Rows]
"""(images, labels, targets, keys, ranks) -> the state of those rows."""


@dataclass
class _Tries:
    """The tries of n images towards `ranks` classes each, likeliest first: try i is image i % n towards rank i // n.

    `found` is the lowest rank that misled an image so far, `ranks` where none did; `first` the rank to begin with.
    """

    found: Tensor
    first: Tensor
    candidates: Tensor
    ranks: int

    def needless(self, one: int) -> bool:
        """Whether a try cannot matter any more: a likelier class has misled the image, or is known not to."""
        image, rank = one % len(self.found), one // len(self.found)
        return rank < int(self.first[image]) or rank > int(self.found[image])

    def ended(self, tries: list[int], rows: Rows) -> None:
        """Keep what misleads; where nothing does, what was tried last."""
        for place, one in enumerate(tries):
            image, rank = one % len(self.found), one // len(self.found)
            misled = bool(rows["misled"][place])
            if misled or int(self.found[image]) == self.ranks:
                self.candidates[image] = rows["best"][place]
            if misled:
                self.found[image] = min(int(self.found[image]), rank)


def towards_each(
    victim: Victim,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    budget: Budget,
    keys: Tensor,
    *,
    begin: Begin,
    step: Callable[[Rows], Tensor],
) -> Tensor:
    """The candidate of the likeliest class that misleads each image, as if one class were tried after the other.

    A try is dropped when a likelier class has succeeded, never for a less likely one: so what is found does not depend
    on which tries happen to be in work together. What the search takes for a success and `verify` does not, is
    searched on towards the less likely classes.

    Args:
        victim: as every attack has it.
        images: likewise.
        labels: likewise.
        threat: likewise.
        budget: likewise.
        keys: likewise.
        begin: the state of some tries, with "best", a candidate, and "misled", whether it misleads the search.
        step: see `rows.in_turns`.
    """
    n = len(images)
    targets = rivals(victim.exact(images).to(images.device), labels, budget.targets)
    ranks = targets.shape[1]
    tries = _Tries(torch.full((n,), ranks), torch.zeros(n, dtype=torch.int64), images.clone(), ranks)

    def state(some: Tensor) -> Rows:
        image, rank = (some % n).to(images.device), (some // n).to(images.device)
        return begin(images[image], labels[image], targets[image, rank], keys[image], rank)

    while True:
        in_turns(ranks * n, state, step, tries.ended, tries.needless, chunk_for(*images.shape[-2:]))
        misled = (tries.found < ranks).nonzero()[:, 0]
        taken = verify(victim, images[misled], tries.candidates[misled], labels[misled], threat)
        again = misled[~taken]
        # All that is settled is never begun again; what was no success after all goes on with the next class.
        tries.first[:] = ranks
        tries.first[again] = tries.found[again] + 1
        tries.found[again] = ranks
        if not bool((tries.first < ranks).any()):
            return tries.candidates
