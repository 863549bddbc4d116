"""The runs of a folder, found by looking. A run is known by its place below the folder, and by nothing else: what is
not on the shelf cannot be asked for."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from netversus.browse.read_only import ReadOnlyFiles
from netversus.errors import RunFolderError
from netversus.files import Files, is_remote, open_files
from netversus.records import Done, Failed
from netversus.store import RunStore

DEEPEST = 3  # folders below the one that was named
MOST = 2_000  # runs


def key_of(name: str) -> str:
    """A run's name in an address: readable, of letters, digits and -._ only, and different for different names."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
    return f"{plain}-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


class Standing(StrEnum):
    """Where a run on the shelf stands."""

    DONE = "done"
    RUNNING = "running"
    PLANNING = "planning"
    STOPPED = "stopped"
    NOT_ENDED = "not ended"  # whether somebody is at work cannot be told
    INCOMPLETE = "incomplete"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True, slots=True)
class Entry:
    """A run on the shelf, in a line: its name is where it lies below the folder. `wrong` says why it cannot be read;
    all else is then empty."""

    name: str
    contenders: tuple[str, ...] = ()
    data: str = ""
    created: str = ""
    cells: int = 0
    done: int = 0
    failed: int = 0
    ended: int = 0
    busy: bool | None = None
    wrong: str = ""

    @property
    def key(self) -> str:
        """Its name in an address."""
        return key_of(self.name)

    @property
    def state(self) -> Standing:
        """Where it stands, in a word."""
        if self.wrong:
            return Standing.UNREADABLE
        if self.busy:
            return Standing.RUNNING if self.cells else Standing.PLANNING
        if not self.cells or self.ended < self.cells:
            return Standing.STOPPED if self.busy is False else Standing.NOT_ENDED
        return Standing.INCOMPLETE if self.failed else Standing.DONE


class Shelf:
    """The runs below a folder, or one run: a folder that is a run itself, or an address in an object store."""

    def __init__(self, place: str) -> None:
        self._remote = open_files(place) if is_remote(place) else None
        self.place = self._remote.place if self._remote else place  # an address is shown without its secrets
        if not self._remote and not Path(place).is_dir():
            raise RunFolderError(f"there is no folder {place}", hint="name the folder in which your runs lie")

    def entries(self) -> tuple[Entry, ...]:
        """Every run in a line, the newest first."""
        return tuple(_entry(name, files) for name, files in self._found().items())

    def open(self, key: str) -> tuple[str, RunStore]:
        """A run and its name, by its key.

        Raises:
            KeyError: it is not on the shelf.
            RunFolderError: it is damaged, or of another version.
        """
        name, files = next(((n, f) for n, f in self._found().items() if key_of(n) == key), ("", None))
        if files is None:
            raise KeyError(key)
        return name, RunStore.open(files)

    def _found(self) -> Mapping[str, Files]:
        if self._remote:
            return {self.place.rsplit("/", 1)[-1]: self._remote}
        top = Path(self.place)
        if (top / "run.json").is_file():
            return {top.resolve().name: ReadOnlyFiles(top)}
        runs = sorted(_runs(top, ""), key=lambda found: found[1], reverse=True)[:MOST]
        return {name: ReadOnlyFiles(top).below(name) for name, _ in runs}


def _runs(folder: Path, prefix: str, depth: int = 1) -> Iterator[tuple[str, float]]:
    """Names below a folder with the time at which each run was made. Links are passed by; a run holds no runs."""
    try:
        entries = [e for e in os.scandir(folder) if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
    except OSError:
        return  # one that may not be read holds nothing for us
    for entry in entries:
        name = f"{prefix}{entry.name}"
        try:
            yield name, Path(entry.path, "run.json").lstat().st_mtime
        except OSError:
            if depth < DEEPEST:
                yield from _runs(Path(entry.path), f"{name}/", depth + 1)


def _entry(name: str, files: Files) -> Entry:
    try:
        return _read_entry(name, RunStore.open(files))
    except RunFolderError as error:
        return Entry(name, wrong=str(error))


def _read_entry(name: str, store: RunStore) -> Entry:
    busy = store.files.busy()
    if not store.files.names("plans"):
        return Entry(name, created=store.created, busy=busy)
    plan = store.plan()
    outcomes = [store.outcome(cell) for cell in plan.cells]
    return Entry(
        name=name,
        contenders=tuple(card.name for card in plan.contenders),
        data=plan.data.name,
        created=store.created,
        cells=len(outcomes),
        done=sum(isinstance(outcome, Done) for outcome in outcomes),
        failed=sum(isinstance(outcome, Failed) for outcome in outcomes),
        ended=sum(outcome is not None for outcome in outcomes),
        busy=busy,
    )
