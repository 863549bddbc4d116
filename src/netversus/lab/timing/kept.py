"""What was measured already, a file a step: how a process hands on what it measured, and how a killed one goes on.

A step is written whole before any of it is yielded. So a block that was interrupted half-way through its yielding is
not measured again for one contender and kept for another: their timings would no longer be of the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from netversus.files import write_atomic
from netversus.records import Artifact, digest

S = TypeVar("S")


class Kept(Generic[S]):
    """A folder of steps by name; `kind` is the record that a step is written as."""

    def __init__(self, folder: Path, kind: type[S]) -> None:
        self.folder = folder
        self._adapter = TypeAdapter(kind)

    def put(self, name: str, step: S) -> S:
        """Keep a step: its file is there whole or not at all. Returns the step."""
        write_atomic(self._path(name), self._adapter.dump_json(step))
        return step

    def get(self, name: str) -> S | None:
        """A step, or None where it is not kept, or cannot be read any more."""
        try:
            return self._adapter.validate_json(self._path(name).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def all(self, names: Sequence[str]) -> Iterator[S]:
        """Those of the steps that are kept, in order."""
        return (step for name in names if (step := self.get(name)) is not None)

    def put_artifact(self, artifact: Artifact) -> None:
        """Keep what a contender's engine recorded, so that every process runs the same one."""
        write_atomic(self._artifact_path(artifact.contender, artifact.name), artifact.content)

    def artifact(self, contender: str, name: str) -> bytes | None:
        """What was recorded, or None."""
        path = self._artifact_path(contender, name)
        return path.read_bytes() if path.is_file() else None

    def _artifact_path(self, contender: str, name: str) -> Path:
        return self.folder / f"of-{digest(contender)[:16]}-{name}"

    def _path(self, name: str) -> Path:
        return self.folder / f"step-{name}.json"
