"""What was found for some images of one contender, as it is kept while the cell is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from netversus.files import write_atomic
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import cascade, run_attack
from netversus.lab.attacks.threat import Threat, per_row
from netversus.lab.attacks.verify import SLACK
from netversus.lab.attacks.victim import Victim
from netversus.studies.adversarial.protocol import Protocol, fraction

CURVE_ATTACKS = ("fgsm", "apgd-ce", "apgd-t")
CURVE_PART, CURVE_TARGETS = 5, 2  # a fifth of the steps, towards two wrong classes
HALVINGS = 6


@dataclass(frozen=True, slots=True)
class Found:
    """Of n images: `clean`, whether they are right as they are, bool (n,); `smallest`, the smallest distance of a
    verified example in pixels of [0, 1], 0 where the image is wrong already, infinite where none was found, float64
    (n,); `example`, the nearest, and `transfer`, made to mislead other contenders, float32 (n, 3, h, w); `after`, which
    are right after each attack at eps, bool (n, attacks)."""

    clean: Tensor
    smallest: Tensor
    example: Tensor
    transfer: Tensor
    after: Tensor

    def right_at(self, eps: float) -> Tensor:
        """Which images no example turned within eps, bool (n,)."""
        return self.smallest > eps + SLACK

    def save(self, path: Path) -> None:
        """Write it whole, or not at all."""
        write_atomic(path, safetensors.torch.save({name: getattr(self, name).contiguous() for name in self.__slots__}))

    @classmethod
    def load(cls, path: Path) -> Found:
        """Read what `save` wrote."""
        return cls(**safetensors.torch.load(path.read_bytes()))


@dataclass(frozen=True, slots=True)
class Search:
    """One contender under the protocol."""

    victim: Victim
    protocol: Protocol
    budget: Budget
    transfer_steps: int

    def threat(self, levels: float) -> Threat:
        """Changes of up to so many 255ths."""
        return Threat("l2" if self.protocol.norm == "l2" else "linf", fraction(levels))

    def find(self, images: Tensor, labels: Tensor, keys: Tensor) -> Found:
        """From the smallest eps up, each on what is still right: what lies within a smaller eps lies within a larger.

        Args:
            images: float32 in [0, 1], shape (n, 3, h, w).
            labels: int64, shape (n,).
            keys: int64, shape (n,), see `draws.keys_of`.
        """
        logits = self.victim.exact(images)
        self.victim.average_if_random(images, logits)
        clean = logits.argmax(1) == labels
        smallest = torch.where(clean, torch.inf, 0.0).double()
        example, after = images.clone(), torch.empty(0)
        for levels in self.protocol.distances:
            whole = levels == self.protocol.eps
            alive = (smallest > fraction(levels) + SLACK).nonzero()[:, 0]
            attacks = self.protocol.attacks if whole else CURVE_ATTACKS
            stands = torch.zeros(len(images), len(attacks), dtype=torch.bool)
            if len(alive):
                result = cascade(
                    self.victim,
                    images[alive],
                    labels[alive],
                    self.threat(levels),
                    self.budget if whole else self._short(),
                    keys[alive],
                    attacks=attacks,
                )
                stands[alive] = torch.stack([result.right_after(attack) for attack in attacks], dim=1)
                turned = alive[~result.right]
                example[turned] = self._shortened(images[turned], result.candidates[~result.right], labels[turned])
                smallest[turned] = self.threat(levels).distance(example[turned], images[turned])
            if whole:
                after = stands
        transfer = self._to_mislead_others(images, labels, keys)
        return Found(clean, smallest, example, transfer, after)

    def _short(self) -> Budget:
        return replace(
            self.budget,
            steps=max(1, self.budget.steps // CURVE_PART),
            targets=min(CURVE_TARGETS, self.budget.targets),
        )

    def _shortened(self, images: Tensor, examples: Tensor, labels: Tensor) -> Tensor:
        """The examples drawn towards their images, by halving, as long as the contender itself is still wrong."""
        if not len(images):
            return examples
        low, high = torch.zeros(len(images)), torch.ones(len(images))
        best = examples.clone()
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            # between two points of [0, 1]; the clamp takes away the rounding
            tried = (images + per_row(middle) * (examples - images)).clamp(0.0, 1.0)
            wrong = self.victim.exact(tried).argmax(1) != labels
            best = torch.where(per_row(wrong), tried, best)
            low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
        return best

    def _to_mislead_others(self, images: Tensor, labels: Tensor, keys: Tensor) -> Tensor:
        """PGD to the end: what has only just crossed this contender's boundary misleads nobody else."""
        budget = Budget(short_steps=self.transfer_steps, to_the_end=True)
        return run_attack("pgd", self.victim, images, labels, self.threat(self.protocol.eps), budget, keys).cpu()
