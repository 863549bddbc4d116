"""What is attacked how, and how it is called in the run folder. Loads no torch; for measuring and for showing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netversus.studies.adversarial import LEVELS, SMALL_SIDE, AdversarialOptions

PROTOCOL, CHECKS, PICTURES, CAPTIONS = "protocol.json", "checks.json", "examples.png", "examples.json"
UNDER = "right_under"
SMOOTHED, ABSTAINED = "smoothed_top1", "smoothing_abstained"
L2_FACTOR = 16.0  # of the curve's eps: the length of a change of one level in 256 pixels


@dataclass(frozen=True, slots=True)
class Protocol:
    """A contender's own: eps follows from the size of its images. All distances are in 255ths of the pixel range."""

    norm: str
    eps: float
    curve: tuple[float, ...]
    attacks: tuple[str, ...]
    steps: int
    targets: int
    queries: int
    sigma: float
    copies: int

    @property
    def distances(self) -> tuple[float, ...]:
        """Every eps that is tried, from the smallest on."""
        return tuple(sorted({*self.curve, self.eps}))

    def dumped(self) -> bytes:
        """As JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()


def protocol(options: AdversarialOptions, side: int) -> Protocol:
    """What the options ask for on images of `side` pixels."""
    factor = L2_FACTOR if options.norm == "l2" else 1.0
    return Protocol(
        norm=options.norm,
        eps=default_eps(options.norm, side) if options.eps is None else options.eps,
        curve=tuple(sorted({factor * float(each) for each in options.curve.split(",") if each.strip()})),
        attacks=tuple(each.strip() for each in options.attacks.split(",")),
        steps=options.steps,
        targets=options.targets,
        queries=options.queries,
        sigma=options.smoothing_sigma,
        copies=options.smoothing_copies,
    )


def loaded(content: bytes | None) -> Protocol | None:
    """From JSON; None where there is none."""
    if content is None:
        return None
    told: dict[str, Any] = json.loads(content)
    return Protocol(**told | {"curve": tuple(told["curve"]), "attacks": tuple(told["attacks"])})


def default_eps(norm: str, side: int) -> float:
    """RobustBench's: 4/255 on images like ImageNet's, 8/255 on small ones; 0.5 in l2."""
    if norm == "l2":
        return 128.0
    return 4.0 if side >= SMALL_SIDE else 8.0


def right_at(eps: float) -> str:
    """The metric: still right at this eps."""
    return f"right_at_{eps:g}"


def right_after(attack: str) -> str:
    """The metric: still right after this attack and those before it, at the protocol's eps."""
    return f"right_after_{attack}"


def metrics(settings: Protocol) -> Sequence[str]:
    """What is observed of each image under attack."""
    return (
        "clean_top1",
        "robust_top1",
        "smallest_eps",
        *(right_at(eps) for eps in settings.distances),
        *(right_after(attack) for attack in settings.attacks),
    )


def under(unit: str, source: str) -> str:
    """The unit of an image that was changed to mislead `source`."""
    return f"{unit} from {source}"


def fraction(levels: float) -> float:
    """A distance in 255ths, as one in pixels of [0, 1]."""
    return levels / LEVELS


def norm_text(norm: str) -> str:
    """A norm as it is said."""
    return "l2" if norm == "l2" else "l-inf"
