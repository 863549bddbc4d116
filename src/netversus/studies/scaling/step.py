"""What one step of the study found."""

from __future__ import annotations

from dataclasses import dataclass, field

from netversus.records import Observations
from netversus.studies.scaling.grid import Point


@dataclass(frozen=True)
class Step:
    """What one step found: numbers, seconds an image of the reference ResNets by depth, remarks, points that were left
    out, how busy others kept the machine, and the machine's roof (see `roof.Machine`)."""

    observations: tuple[Observations, ...] = ()
    depths: dict[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: tuple[Point, ...] = ()
    busy: tuple[float, ...] = ()
    peaks: dict[str, float] = field(default_factory=dict)
    bandwidth: float | None = None
