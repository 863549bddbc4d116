"""What was measured already, a file a step, written whole before any of it is yielded.

So a block that was interrupted half-way through its yielding is not measured again for one contender and kept for
another: their timings would no longer be of the same moment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

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


_STEP = TypeAdapter(Step)


@dataclass(frozen=True)
class Kept:
    """A folder of steps by name."""

    folder: Path

    def put(self, name: str, step: Step) -> Step:
        """Keep a step: its file is there whole or not at all."""
        temporary = self.folder / f".{name}.tmp"
        temporary.write_bytes(_STEP.dump_json(step))
        os.replace(temporary, self._path(name))
        return step

    def get(self, name: str) -> Step | None:
        """A step, or None where it is not kept, or was damaged by a power cut."""
        try:
            return _STEP.validate_json(self._path(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _path(self, name: str) -> Path:
        return self.folder / f"step-{name}.json"
