"""The settings of the trials: a balanced design of two levels, whole or a regular fraction of it. Loads no torch.

With every factor at its two levels equally often, and every two factors at their four combinations equally often, what
one factor does is not mixed up with what another does (Box, Hunter and Hunter 2005, "Statistics for Experimenters",
chapter 6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from netversus.messages import template
from netversus.studies.factors import FactorsOptions

LEARNING_RATE, WEIGHT_DECAY = template("learning rate"), template("weight decay")
AUGMENTATION, BATCH = template("augmentation"), template("batch")
DATA, ARCHITECTURE = template("data"), template("architecture")
FACTORS = (LEARNING_RATE, WEIGHT_DECAY, AUGMENTATION, BATCH, DATA)
GROUPS: Mapping[str, tuple[str, ...]] = {
    template("the data set"): (DATA,),
    template("the architecture"): (ARCHITECTURE,),
    template("the hyper-parameters"): (LEARNING_RATE, WEIGHT_DECAY, AUGMENTATION, BATCH),
}
_MANY_TRIALS = 1000  # more than a design has: the seeds of two runs' seeds do not meet


@dataclass(frozen=True, slots=True)
class Setting:
    """One trial. `number` is its place in the whole design, so that it is the same trial in every fraction. `shift` is
    the largest shift as a share of the image's side, `data` the share of the train split."""

    number: int
    learning_rate: float
    weight_decay: float
    shift: float
    batch: int
    data: float

    @property
    def unit(self) -> str:
        """The trial's unit id: its levels, which `levels` reads again."""
        values = (self.learning_rate, self.weight_decay, self.shift, self.batch, self.data)
        return ", ".join(f"{name} {value:g}" for name, value in zip(FACTORS, values, strict=True))

    def seed(self, run: int) -> int:
        """The trial's own seed, under a seed of the run: of the initialisation, the choice of images, and the order."""
        return _MANY_TRIALS * run + self.number


def levels(unit: str) -> Mapping[str, str]:
    """The levels that a unit id names, by factor."""
    return dict(part.rsplit(" ", 1) for part in unit.split(", "))


def design(options: FactorsOptions) -> tuple[Setting, ...]:
    """The settings: all 32; the half of resolution V, whose pairs of factors are clear of each other; or the quarter
    of resolution III, whose factors are clear of each other only (generators E = ABCD; D = AB and E = AC)."""
    return tuple(
        Setting(
            number=number,
            learning_rate=(options.learning_rate_low, options.learning_rate_high)[a],
            weight_decay=(options.weight_decay_low, options.weight_decay_high)[b],
            shift=(options.shift_low, options.shift_high)[c],
            batch=(options.batch_low, options.batch_high)[d],
            data=(options.data_low, options.data_high)[e],
        )
        for number, (a, b, c, d, e) in enumerate(product((0, 1), repeat=len(FACTORS)))
        if _chosen(options.trials, a, b, c, d, e)
    )


def _chosen(trials: int, a: int, b: int, c: int, d: int, e: int) -> bool:
    """Whether a combination belongs to the fraction of a size. (0 and 1 stand for −1 and +1: a product is a parity.)"""
    if trials == 16:
        return e == (a + b + c + d) % 2
    if trials == 8:
        return d == (a + b + 1) % 2 and e == (a + c + 1) % 2
    return True
