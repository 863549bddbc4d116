"""What was measured already, a file a step: how a process hands on what it measured, and how a killed one goes on.

A step is written whole before any of it is yielded. So a block that was interrupted half-way through its yielding is
not measured again for one contender and kept for another: their timings would no longer be of the same moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from netversus.records import Artifact, Observations, digest


@dataclass(frozen=True)
class Step:
    """What one step found: numbers, remarks a line each, and how busy others kept the machine meanwhile."""

    observations: tuple[Observations, ...] = ()
    notes: tuple[str, ...] = ()
    busy: tuple[float, ...] = ()
    meters: tuple[str, ...] = ()


_STEP = TypeAdapter(Step)


@dataclass(frozen=True)
class Kept:
    """A folder of steps by name."""

    folder: Path

    def put(self, name: str, step: Step) -> None:
        """Keep a step: its file is there whole or not at all."""
        temporary = self.folder / f".{name}.tmp"
        temporary.write_bytes(_STEP.dump_json(step))
        os.replace(temporary, self._path(name))

    def get(self, name: str) -> Step | None:
        """A step, or None where it is not kept, or was damaged by a power cut."""
        try:
            return _STEP.validate_json(self._path(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def all(self, names: Sequence[str]) -> Iterator[Step]:
        """Those of the steps that are kept, in order."""
        return (step for name in names if (step := self.get(name)) is not None)

    def put_artifact(self, artifact: Artifact) -> None:
        """Keep what a contender's engine recorded, so that every process runs the same one."""
        self._artifact_path(artifact.contender, artifact.name).write_bytes(artifact.content)

    def artifact(self, contender: str, name: str) -> bytes | None:
        """What was recorded, or None."""
        path = self._artifact_path(contender, name)
        return path.read_bytes() if path.is_file() else None

    def _artifact_path(self, contender: str, name: str) -> Path:
        return self.folder / f"of-{digest(contender)[:16]}-{name}"

    def _path(self, name: str) -> Path:
        return self.folder / f"step-{name}.json"
