"""What one step of the study found."""

from __future__ import annotations

from dataclasses import dataclass

from netversus.records import Observations


@dataclass(frozen=True)
class Step:
    """What one step found: numbers, remarks a line each, and how busy others kept the machine meanwhile."""

    observations: tuple[Observations, ...] = ()
    notes: tuple[str, ...] = ()
    busy: tuple[float, ...] = ()
    meters: tuple[str, ...] = ()
