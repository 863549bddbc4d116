"""The trainings: a clean one, one for each backdoor and share of poison, one for each kind of wrong labels and share.

What came out of each is kept in a file of its own. Loads no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from netversus.studies.poisoning import PoisoningOptions, names, shares

CLEAN, BACKDOOR, NOISE = "clean", "backdoor", "noise"
DEFENCES = ("spectral", "clusters", "strip", "cleanse")
ORIGINAL = "original.png"


@dataclass(frozen=True, slots=True)
class Condition:
    """One training: its `kind`, by `what` (an attack, a kind of noise) and how large a share `rate` of the images."""

    kind: str
    what: str = ""
    rate: float = 0.0

    @property
    def name(self) -> str:
        """As it stands in unit ids and names of files."""
        return f"{self.what}-{self.rate:g}" if self.what else self.kind

    @property
    def file(self) -> str:
        """The artifact that keeps what came out of it."""
        return f"{self.name}.json"


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of a training.

    `changed`: how many train images were changed. `top1` is 1 or 0 for each test image, in their order; `success` maps
    an attack to 1 or 0 for each test image that is not of the attacker's class: of every attack for the clean training,
    which shows what a trigger does without poison. `anyway` is 1 or 0 for each of the same images without a trigger: a
    network that answers with the attacker's class whatever it sees is broken rather than backdoored. `found` and
    `accused` map a defence to the share of what is poisoned that it found, and the share of what is clean that it
    accused; a defence that cannot judge is in neither.
    """

    changed: int
    top1: tuple[int, ...]
    success: Mapping[str, tuple[int, ...]]
    anyway: tuple[int, ...]
    found: Mapping[str, float]
    accused: Mapping[str, float]

    def content(self) -> bytes:
        """As JSON."""
        return json.dumps(
            {
                "changed": self.changed,
                "top1": self.top1,
                "success": dict(self.success),
                "anyway": self.anyway,
                "found": dict(self.found),
                "accused": dict(self.accused),
            }
        ).encode()


def read_result(content: bytes) -> Result:
    """What `Result.content` wrote."""
    values = json.loads(content)
    success = {attack: tuple(each) for attack, each in values["success"].items()}
    top1, anyway = tuple(values["top1"]), tuple(values["anyway"])
    return Result(values["changed"], top1, success, anyway, values["found"], values["accused"])


def conditions(options: PoisoningOptions) -> tuple[Condition, ...]:
    """All trainings, the clean one first."""
    backdoors = (
        Condition(BACKDOOR, attack, rate) for attack in names(options.attacks) for rate in shares(options.rates)
    )
    noisy = (Condition(NOISE, kind, rate) for kind in names(options.noise) for rate in shares(options.noise_rates))
    return (Condition(CLEAN), *backdoors, *noisy)


def triggered_file(attack: str) -> str:
    """The picture of some test images with an attack's trigger."""
    return f"triggered-{attack}.png"
