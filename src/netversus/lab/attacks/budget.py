"""How much an attacker may compute. The defaults are those of the AutoAttack standard set (Croce and Hein 2020)."""

from __future__ import annotations

from dataclasses import dataclass

from netversus.errors import OptionError


@dataclass(frozen=True, slots=True)
class Budget:
    """`steps` of APGD and FAB, each for every one of `targets` wrong classes; `queries` of Square; `short_steps` of
    PGD.

    With `to_the_end` an attack goes on where it could stop at the first wrong answer: for images that are to mislead
    another network too. `bfloat16` searches in bfloat16 first; what is found is verified in float32, and what is left
    is searched again in float32.

    Raises:
        OptionError: a number below 1.
    """

    steps: int = 100
    targets: int = 9
    queries: int = 5000
    short_steps: int = 10
    to_the_end: bool = False
    bfloat16: bool = False

    def __post_init__(self) -> None:
        for name in ("steps", "targets", "queries", "short_steps"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} of an attack must be 1 or more, got {getattr(self, name)}")
