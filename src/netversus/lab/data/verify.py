"""Look at every file once: hash it, decode it whole, and remember the result until the file changes.

The memory lies in `$NETVERSUS_CACHE`, or `$XDG_CACHE_HOME/netversus`, or `~/.cache/netversus`. It saves time and
nothing else: where it cannot be read or written, files are looked at again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import PIL

from netversus.errors import DataError
from netversus.lab.data.cache import cache_folder
from netversus.lab.data.decode import decode

VERSION = 1  # raised when `decode` judges files differently
LARGEST_FILE = 512 * 2**20
THREADS = min(8, os.cpu_count() or 1)
RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells cheaply whether a file is still the same."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of one file. `reason` says why it cannot be used and is empty when it can; `notes` say what
    is unusual. `lasting`: the finding follows from the content, so that it may be remembered."""

    stamp: Stamp
    sha256: str = ""
    reason: str = ""
    notes: tuple[str, ...] = ()
    lasting: bool = True


def verify(paths: Sequence[Path], *, megapixels: float, memory: Path | None = None) -> list[Verified]:
    """The finding for each path, in order. `memory` is the file of earlier findings, from `memory_file`."""
    known = _recall(memory)
    # Here and not in the threads: the warning filters belong to the whole process.
    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.simplefilter("ignore")
        found = list(pool.map(lambda path: _verified(path, megapixels, known.get(str(path))), paths))
    if any(known.get(str(path)) is not one for path, one in zip(paths, found, strict=True)):
        _remember(memory, zip(paths, found, strict=True))
    return found


def stamp(path: Path) -> Stamp:
    """The file's stamp.

    Raises:
        OSError: it cannot be looked at.
    """
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns)


def memory_file(root: Path, megapixels: float) -> Path:
    """Where the findings for the files under `root` are remembered."""
    key = json.dumps([VERSION, PIL.__version__, megapixels, str(root)])
    return cache_folder() / f"files-{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _verified(path: Path, megapixels: float, known: Verified | None) -> Verified:
    try:
        status = path.stat()
        now = Stamp(status.st_size, status.st_mtime_ns)
        if known is not None and known.stamp == now:
            return known
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            return Verified(now, reason="not a regular file", lasting=False)
        if now.size > LARGEST_FILE:
            return Verified(now, reason=f"too large: over {LARGEST_FILE >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        return Verified(Stamp(-1, -1), reason=f"cannot be read: {error.strerror}", lasting=False)
    sha256 = hashlib.sha256(content).hexdigest()
    # A file written while we look may change again without its time changing: look again next time.
    lasting = time.time_ns() - now.mtime_ns > RACY_NS
    try:
        notes = decode(content, suffix=path.suffix, megapixels=megapixels).notes
    except DataError as error:
        return Verified(now, sha256, reason=str(error), lasting=lasting)
    return Verified(now, sha256, notes=notes, lasting=lasting)


def _recall(memory: Path | None) -> dict[str, Verified]:
    """What is remembered; nothing where the memory is missing, unreadable or damaged."""
    if memory is None:
        return {}
    try:
        stored = json.loads(memory.read_bytes())
        return {
            str(path): Verified(
                Stamp(int(size), int(mtime_ns)), str(sha256), str(reason), tuple(str(note) for note in notes)
            )
            for path, (size, mtime_ns, sha256, reason, notes) in stored.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _remember(memory: Path | None, found: Iterable[tuple[Path, Verified]]) -> None:
    if memory is None:
        return
    rows = {
        str(path): [one.stamp.size, one.stamp.mtime_ns, one.sha256, one.reason, one.notes]
        for path, one in found
        if one.lasting
    }
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=memory.parent) as folder:
            fresh = Path(folder, memory.name)
            fresh.write_text(json.dumps(rows))
            os.replace(fresh, memory)
