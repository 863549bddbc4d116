"""The points at which a contender is measured, axis by axis. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor

from netversus.messages import noted
from netversus.studies.scaling import ScalingOptions

STEP = 32
"""Sides are multiples of it: networks halve their maps five times."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How a network is run: images at once on each device or in each process, their side in px, threads (0: as many as
    there are), processes of one thread each that run it at the same time (0: this one alone)."""

    batch: int
    side: int
    threads: int = 0
    devices: int = 1
    processes: int = 0

    @property
    def images(self) -> int:
        """Images in one call."""
        return self.batch * self.devices * max(1, self.processes)


@dataclass(frozen=True, slots=True)
class Point:
    """A place on an axis, the same for all contenders. On "resolution" `size` is the multiple of a contender's side."""

    axis: str
    size: float

    def __str__(self) -> str:
        """In words, for a remark."""
        size = f"{self.size:g}"
        return {
            "resolution": noted("{n} times the resolution", n=size),
            "batch": noted("Batch {n}", n=size),
            "threads": noted("{n} threads", n=size),
            "devices": noted("{n} devices", n=size),
            "processes": noted("{n} processes", n=size),
            "depth": f"ResNet-{size}",
        }[self.axis]


def side_of(crop: int, factor: float) -> int:
    """A multiple of a contender's own side, to the nearest 32 px and at least that; its own side as it is."""
    return crop if factor == 1 else max(STEP, STEP * floor(crop * factor / STEP + 0.5))


def setups(
    options: ScalingOptions,
    crop: int,
    *,
    threads: Sequence[int] = (),
    devices: Sequence[int] = (),
    processes: Sequence[int] = (),
) -> Mapping[Point, Setup]:
    """How a contender is run at each point, small ones first. A side that two factors lead to is kept once."""
    found: dict[Point, Setup] = {}
    sides: set[int] = set()
    for factor in sorted(options.resolution):
        side = side_of(crop, factor)
        if side not in sides:
            sides.add(side)
            found[Point("resolution", factor)] = Setup(options.at_once, side)
    found |= {Point("batch", size): Setup(size, crop) for size in sorted(set(options.batch))}
    found |= {Point("threads", count): Setup(options.at_once, crop, threads=count) for count in threads}
    found |= {Point("devices", count): Setup(options.at_once, crop, devices=count) for count in devices}
    found |= {Point("processes", count): Setup(options.at_once, crop, processes=count) for count in processes}
    return found


def doubled(most: int) -> tuple[int, ...]:
    """1, 2, 4, ... and `most` itself."""
    return tuple(sorted({most, *(1 << power for power in range(most.bit_length()) if 1 << power < most)}))


def unit(axis: str, setup: Setup, block: int) -> str:
    """The unit of an observation: "resolution-0224/block-003"."""
    sizes = {
        "resolution": setup.side,
        "batch": setup.batch,
        "threads": setup.threads,
        "devices": setup.devices,
        "processes": setup.processes,
    }
    return f"{axis}-{sizes[axis]:04d}/{block_name(block)}"


def read(one: str) -> tuple[int, str]:
    """The size and the block of a unit of `unit`: 224 and "block-003"."""
    place, _, block = one.partition("/")
    return int(place.rpartition("-")[2]), block


def block_name(block: int) -> str:
    """A timing block as a unit."""
    return f"block-{block:03d}"
