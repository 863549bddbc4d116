"""The roofline: what a machine's arithmetic and memory allow at most. Loads no torch.

Williams, Waterman & Patterson, "Roofline: an insightful visual performance model", CACM 52 (2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BYTES = {"fp32": 4, "tf32": 4, "bf16": 2}
"""Bytes of a number in memory, by precision."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured of a machine: floating-point operations a second by precision, bytes a second."""

    peaks: Mapping[str, float]
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What one image asks of a machine: operations (a multiply-add is two), and the numbers that go to and from memory
    when every layer reads its input and writes its output once: `moved` for each image, `weights` for each batch."""

    flops: int
    moved: int
    weights: int

    def intensity(self, batch: int, precision: str) -> float:
        """Operations a byte."""
        return self.flops * batch / (BYTES[precision] * (self.moved * batch + self.weights))


def roof(machine: Machine, counted: Counted, batch: int, precision: str) -> float:
    """Operations a second that cannot be exceeded: min(peak, intensity x bandwidth)."""
    return min(machine.peaks[precision], counted.intensity(batch, precision) * machine.bandwidth)


def bound_by_memory(machine: Machine, counted: Counted, batch: int, precision: str) -> bool:
    """Whether memory, and not arithmetic, is the limit."""
    return counted.intensity(batch, precision) * machine.bandwidth < machine.peaks[precision]
