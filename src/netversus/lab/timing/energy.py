"""The energy that work takes, where the machine can tell: RAPL for processors, NVML for NVIDIA's accelerators.

Both count what the whole chip draws, whoever made it work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class Meter:
    """A counter of energy. `joules()` only ever grows, but for a counter that begins again at `wraps` joules."""

    name: str
    joules: Callable[[], float]
    wraps: float = float("inf")

    def spent(self, before: float, after: float) -> float:
        """Joules between two readings, at most one of which was before the counter began again."""
        return after - before if after >= before else after + self.wraps - before


def find_meters(device: torch.device, powercap: Path = POWERCAP) -> tuple[Meter, ...]:
    """The meters of what the contenders run on: the processors' packages that may be read, and the accelerator."""
    found = [meter for zone in sorted(powercap.glob("intel-rapl:*")) if (meter := _package(zone))]
    if device.type == "cuda" and (meter := _accelerator(device)):
        found.append(meter)
    return tuple(found)


def joules(meters: Sequence[Meter], work: Callable[[], object]) -> float:
    """What the work took, by all the meters together."""
    before = [meter.joules() for meter in meters]
    work()
    return sum(meter.spent(then, meter.joules()) for meter, then in zip(meters, before, strict=True))


def _package(zone: Path) -> Meter | None:
    """A processor package; not its parts, which it counts already. Most systems let only root read it."""
    counter = zone / "energy_uj"
    try:
        name = (zone / "name").read_text().strip()
        wraps = (int((zone / "max_energy_range_uj").read_text()) + 1) / 1e6
        int(counter.read_text())
    except (OSError, ValueError):
        return None
    if zone.name.count(":") != 1 or not name.startswith("package"):
        return None
    return Meter(f"RAPL {name}", lambda: int(counter.read_text()) / 1e6, wraps)


def _accelerator(device: torch.device) -> Meter | None:
    """The accelerator, found by its own identity: NVML numbers them otherwise than CUDA does."""
    with suppress(Exception):  # not installed, no driver, a card that does not tell: each has its own error
        pynvml = import_module("pynvml")
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return Meter("NVML", lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3)
    return None
