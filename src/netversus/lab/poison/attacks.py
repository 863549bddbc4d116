"""Backdoors: what is done to which training images, so that a trigger later leads to the attacker's class.

The attacker can add to or change a share of the training images and, but for the clean-label attack, their labels. He
has no hand in the training and none on the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netversus.errors import OptionError, nearest
from netversus.lab.poison.choice import chosen, drawn
from netversus.lab.poison.triggers import blended, patch, warped

FADED = 0.5  # how much of another class's image is mixed into a clean-label poison


@dataclass(frozen=True, slots=True)
class Attack:
    """A way to plant a backdoor. `relabels`: images of other classes get the target's label; else only images of the
    target class are changed, whose labels are right."""

    name: str
    trigger: Callable[[Tensor], Tensor]
    relabels: bool = True


ATTACKS: Mapping[str, Attack] = {
    attack.name: attack
    for attack in (
        Attack("badnets", patch),
        Attack("blended", blended),
        Attack("warped", warped),
        Attack("clean-label", patch, relabels=False),
    )
}


@dataclass(frozen=True, slots=True)
class Poisoned:
    """Training images after the attack: `images` uint8 (n, 3, h, w), `labels` int64 (n,), and the indices that were
    changed."""

    images: Tensor
    labels: NDArray[np.int64]
    index: NDArray[np.int64]


def find_attack(name: str) -> Attack:
    """The attack of that name.

    Raises:
        OptionError: there is none.
    """
    if name not in ATTACKS:
        raise OptionError(f"there is no attack {name!r}", hint=nearest(name, ATTACKS) or f"known: {', '.join(ATTACKS)}")
    return ATTACKS[name]


def poisoned(
    images: Tensor,
    labels: NDArray[np.int64],
    ids: Sequence[str],
    attack: Attack,
    target: int,
    rate: float,
    seed: int,
) -> Poisoned:
    """Training images of which a share `rate` of all was poisoned: at least one, at most all that the attack can use.

    Args:
        images: uint8 (n, 3, h, w), as a contender sees them; left alone.
        labels: int64 (n,), the right ones.
        ids: the images' ids, from which with `seed` follows which of them are changed.
        attack: what is done to them.
        target: the class to which the trigger shall lead.
        rate: in (0, 1].
        seed: another seed changes other images.
    """
    usable = np.flatnonzero(labels != target if attack.relabels else labels == target)
    index = chosen(ids, usable, max(1, round(rate * len(labels))), seed)
    images, labels = images.clone(), labels.copy()
    before = images[torch.from_numpy(index)]
    if not attack.relabels:
        before = _faded(before, images, labels, ids, index, seed)
    images[torch.from_numpy(index)] = attack.trigger(before)
    labels[index] = target
    return Poisoned(images, labels, index)


def _faded(
    before: Tensor, images: Tensor, labels: NDArray[np.int64], ids: Sequence[str], index: NDArray[np.int64], seed: int
) -> Tensor:
    """Images of the target class halfway to images of other classes: too hard to be learned by what they show, so that
    the trigger is learned instead. Turner, Tsipras & Madry (2019) interpolate in a generator's space; here it is
    pixels, which are more easily seen."""
    if not len(index):
        return before
    others = np.flatnonzero(labels != labels[index[0]])
    if not len(others):
        return before
    places = (drawn([ids[i] for i in index], seed, "fade") % np.uint64(len(others))).astype(np.int64)
    mixed = (1 - FADED) * before.float() + FADED * images[torch.from_numpy(others[places])].float()
    return mixed.round().to(torch.uint8)
