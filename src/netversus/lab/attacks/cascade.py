"""The attacks, the cheap ones first, each on the images that no other has turned yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor

from netversus.errors import DataError, OptionError, nearest
from netversus.lab.attacks.apgd import apgd_ce, apgd_t
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.fab import fab_t
from netversus.lab.attacks.square import square
from netversus.lab.attacks.stepwise import fgsm, pgd
from netversus.lab.attacks.threat import Threat
from netversus.lab.attacks.verify import verify
from netversus.lab.attacks.victim import Victim, check_images, check_labels

Attack = Callable[[Victim, Tensor, Tensor, Threat, Budget, Tensor], Tensor]
_ATTACKS: dict[str, Attack] = {
    "fgsm": fgsm,
    "pgd": pgd,
    "apgd-ce": apgd_ce,
    "apgd-t": apgd_t,
    "fab-t": fab_t,
    "square": square,
}
ATTACKS = tuple(_ATTACKS)


@dataclass(frozen=True, slots=True)
class Cascade:
    """What a set of attacks found.

    `candidates` are the adversarial examples, or the image itself where none was found: float32 (n, 3, h, w).
    `broken_by` is the place in `attacks` of the one that turned an image, -1 where it was wrong before, and the number
    of attacks where it is still right: int64 (n,). `seconds` are each attack's.
    """

    attacks: tuple[str, ...]
    candidates: Tensor
    broken_by: Tensor
    seconds: tuple[float, ...]

    @property
    def right(self) -> Tensor:
        """Which images no attack turned: bool, shape (n,)."""
        return self.broken_by == len(self.attacks)

    def right_after(self, attack: str) -> Tensor:
        """Which images are right after this attack and those before it: bool, shape (n,)."""
        return self.broken_by > self.attacks.index(attack)


def run_attack(
    name: str, victim: Victim, images: Tensor, labels: Tensor, threat: Threat, budget: Budget, keys: Tensor
) -> Tensor:
    """One attack with all that belongs to it (every target, float32 after bfloat16): candidates, of the images' shape.
    Where none is verified, it is the last that was tried.

    Raises:
        OptionError: there is no such attack.
        DataError: images or labels that cannot be worked on.
        CellError: the victim's outputs or gradients are not finite, or there are none.
    """
    known(name)
    _checked(victim, images, labels)
    candidates = images.to(victim.device).clone()
    alive = torch.arange(len(images))
    for bfloat16 in (True, False) if budget.bfloat16 else (False,):
        if not len(alive):
            break
        clean, truth = images[alive].to(victim.device), labels[alive].to(victim.device)
        with _in(victim, bfloat16=bfloat16):
            found = _ATTACKS[name](victim, clean, truth, threat, budget, keys[alive].to(victim.device))
        candidates[alive.to(victim.device)] = found
        if bfloat16:
            alive = alive[~verify(victim, clean, found, truth, threat)]
    return candidates


def _checked(victim: Victim, images: Tensor, labels: Tensor) -> Tensor:
    """The logits of images and labels that can be worked on."""
    check_images(images, labels)
    if not len(images):
        raise DataError("there are no images to attack")
    logits = victim.exact(images)
    check_labels(labels, logits.shape[1])
    return logits


@contextmanager
def _in(victim: Victim, *, bfloat16: bool) -> Iterator[None]:
    before, victim.bfloat16 = victim.bfloat16, bfloat16
    try:
        yield
    finally:
        victim.bfloat16 = before


def cascade(
    victim: Victim,
    images: Tensor,
    labels: Tensor,
    threat: Threat,
    budget: Budget,
    keys: Tensor,
    *,
    attacks: Sequence[str] = ATTACKS,
) -> Cascade:
    """The attacks in order, on what is still right. Only verified examples count.

    Args:
        victim: who is attacked.
        images: float32 in [0, 1], shape (n, 3, h, w).
        labels: int64, shape (n,).
        threat: what may be done.
        budget: how much may be computed.
        keys: int64, shape (n,), see `draws.keys_of`.
        attacks: names from `ATTACKS`.

    Raises:
        OptionError, DataError, CellError: as `run_attack`.
    """
    for name in attacks:
        known(name)
    logits = _checked(victim, images, labels)
    broken_by = torch.where(logits.argmax(1) == labels.cpu(), len(attacks), -1)
    candidates, seconds = images.cpu().clone(), []
    for place, name in enumerate(attacks):
        began = perf_counter()
        alive = (broken_by == len(attacks)).nonzero()[:, 0]
        if len(alive):
            clean, truth = images.cpu()[alive], labels.cpu()[alive]
            found = run_attack(
                name, victim, clean, truth, threat, replace(budget, to_the_end=False), keys.cpu()[alive]
            ).cpu()
            fooled = verify(victim, clean, found, truth, threat)
            candidates[alive[fooled]] = found[fooled]
            broken_by[alive[fooled]] = place
        seconds.append(perf_counter() - began)
    return Cascade(tuple(attacks), candidates, broken_by, tuple(seconds))


def known(name: str) -> None:
    """Refuse an attack that does not exist.

    Raises:
        OptionError: naming the nearest.
    """
    if name not in ATTACKS:
        raise OptionError(f"there is no attack {name!r}", hint=nearest(name, ATTACKS) or f"known: {', '.join(ATTACKS)}")
