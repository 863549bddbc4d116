"""Checkpoints: written whole or not at all, the newest two kept, checked when they are read.

PyTorch writes an archive in which every record has its checksum, so that verifying costs nothing until it is needed.
"""

from __future__ import annotations

import json
import os
import pickle
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from netversus.errors import RunFolderError
from netversus.messages import noted, template

KEPT = 2
SHARE = 0.015  # of the time, spent on writing
LONGEST = 20  # times the usual interval, however slow the disk is


def _warn(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=3)


@dataclass
class Checkpoints:
    """A folder of checkpoints of one training. `config` is everything that must be the same to go on with it."""

    folder: Path
    config: Mapping[str, Any]
    warn: Callable[[str], None] = _warn

    def paths(self) -> list[Path]:
        """The checkpoints there are, the newest first."""
        return sorted(self.folder.glob("checkpoint-*.pt"), reverse=True)

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write the state after `step` steps, and remove what is older than the one before it.

        Raises:
            OSError: the disk is full, the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".checkpoint-*.tmp"):  # of a process that was killed while it wrote
            left.unlink()
        path = self.folder / f"checkpoint-{step:012d}.pt"
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                torch.save({"config": _canonical(self.config), "step": step, "state": dict(state)}, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync(self.folder)
        for old in self.paths()[KEPT:]:
            old.unlink()

    def newest(self, device: torch.device) -> dict[str, Any] | None:
        """The newest state that can be read, its tensors on `device`, or None. One that is damaged is named in a
        warning and passed over.

        Raises:
            RunFolderError: it was written under another configuration.
        """
        for path in self.paths():
            content = self._read(path, device)
            if content is not None:
                self._refuse_another(path, content["config"])
                return dict(content["state"])
        return None

    def _read(self, path: Path, device: torch.device) -> dict[str, Any] | None:
        try:
            _verify(path)
            with path.open("rb") as file:
                return dict(torch.load(file, map_location=device, weights_only=True))
        except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, KeyError, OSError, pickle.UnpicklingError) as e:
            what = (str(e).splitlines() or [type(e).__name__])[0]
            said = template("the checkpoint {file} is damaged ({what}): going back to the one before it")
            self.warn(noted(said, file=path, what=what))
            return None

    def _refuse_another(self, path: Path, before: str) -> None:
        if before != _canonical(self.config):
            then, now = json.loads(before), json.loads(_canonical(self.config))
            names = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
            told = ", ".join(f"{name} {then.get(name)} (now {now.get(name)})" for name in names[:3])
            raise RunFolderError(
                f"{path} belongs to a training with {told}", hint="ask for the same, or name a new folder"
            )


def _verify(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        wrong = archive.testzip()
    if wrong:
        raise zipfile.BadZipFile(f"the checksum of {wrong} is wrong")


def _canonical(config: Mapping[str, Any]) -> str:
    return json.dumps(dict(config), sort_keys=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass
class Pace:
    """When to write the next checkpoint: every so many seconds, and more rarely where writing is slow, so that it
    takes at most `SHARE` of the time."""

    seconds: float
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def due(self) -> bool:
        """Whether it is time."""
        wait = max(self.seconds, min(self._cost / SHARE, LONGEST * self.seconds))
        return time.monotonic() - self._last >= wait

    def keep(self, write: Callable[[], None]) -> None:
        """Write now, and remember how long it took."""
        begin = time.monotonic()
        write()
        self._last = time.monotonic()
        self._cost = self._last - begin
