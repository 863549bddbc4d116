"""Bytes of files that are too large to be held, by range: on this machine's disk, or behind an address through fsspec.

Nothing is copied to this machine. An address must carry no secret, for it is stored in the plan so that a run can be
resumed: user names, passwords and signed queries are refused, and credentials come from the environment.
"""

from __future__ import annotations

import glob
import json
import os
import posixpath
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from netversus.errors import DataError, MissingExtraError
from netversus.files import is_remote
from netversus.records import digest

RACY_NS: Final = 2_000_000_000
_PACKAGES: Final = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
_TRACES: Final = ("size", "etag", "lastmodified", "last_modified", "mtime", "generation", "updated", "created")
_TELLING: Final = frozenset(_TRACES) - {"size"}


class Place(ABC):
    """One file. `name` is how people write where it lies; `size` its bytes.

    `trace` changes when the file does, and is empty where nothing tells.
    """

    name: str
    size: int
    trace: str

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`; fewer where the file ends.

        Raises:
            DataError: it cannot be read.
        """
        try:
            return self._read(start, min(stop, self.size)) if start < min(stop, self.size) else b""
        except Exception as error:
            raise DataError(f"cannot read {self.name}: {_words(error)}") from error

    @abstractmethod
    def _read(self, start: int, stop: int) -> bytes: ...


class LocalPlace(Place):
    """A file of this machine. It is opened for each reading: a set may have more shards than a process has handles.

    Raises:
        DataError: there is none, or it is not a regular file.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        try:
            status = path.stat()
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
        if not path.is_file():  # reading a pipe would wait for ever
            raise DataError(f"{path} is not a regular file")
        self.size = status.st_size
        # A file written while we look may change again without its time changing: nothing is remembered of it.
        settled = time.time_ns() - status.st_mtime_ns > RACY_NS
        self.trace = f"{status.st_size} {status.st_mtime_ns}" if settled else ""

    def _read(self, start: int, stop: int) -> bytes:
        with self._path.open("rb", buffering=0) as file:
            return os.pread(file.fileno(), stop - start, start)


class RemotePlace(Place):
    """A file behind an address, read by requests for ranges.

    Raises:
        DataError: it is not there, the place cannot be reached, or does not tell how long the file is.
        MissingExtraError: what reads such addresses is not installed.
    """

    def __init__(self, address: str) -> None:
        self.name = address
        self.system, self._path = file_system(address)
        try:
            about = self.system.info(self._path)
        except Exception as error:
            raise DataError(f"cannot read {address}: {_words(error)}") from error
        if about.get("size") is None:
            raise DataError(f"cannot read {address} in parts: its length is not told")
        self.size = int(about["size"])
        self.trace = _trace(about)

    def _read(self, start: int, stop: int) -> bytes:
        return bytes(self.system.cat_file(self._path, start=start, end=stop))

    def open(self) -> Any:
        """A file object that asks for what is read and no more, for libraries that want one."""
        return self.system.open(self._path, "rb", cache_type="none")


def open_place(address: str) -> Place:
    """A file by its path or address."""
    return RemotePlace(address) if is_remote(address) else LocalPlace(Path(address).expanduser())


def trace_of(places: Iterable[Place]) -> str | None:
    """What changes when any of the files does; None where one of them does not tell."""
    known = [(place.name, place.trace) for place in places]
    return digest(known) if all(trace for _, trace in known) else None


def file_system(address: str) -> tuple[Any, str]:
    """What fsspec reads an address with, and the address as that wants it.

    Raises:
        MissingExtraError: a package is not installed.
        DataError: nothing is known that reads such addresses.
    """
    scheme = address.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(address)
    except ImportError:
        raise MissingExtraError(_PACKAGES.get(scheme, "fsspec"), "cloud", f"{scheme}://") from None
    except ValueError as error:
        raise DataError(f"cannot read {address}: {_words(error)}") from None
    return system, str(path)


def matching(pattern: str) -> list[str]:
    """The files that a pattern of paths or of one kind of address names, in order of name: braces are numbers and
    alternatives (`{000..009}`, `{a,b}`) that must be there, `*` stands for whatever is.

    Raises:
        DataError: nothing matches, or the address carries a secret.
        MissingExtraError: braces need a package.
    """
    refuse_secrets(pattern)
    found: dict[str, None] = {}
    for one in _expanded(pattern):
        whole = one if is_remote(one) else str(Path(one).expanduser().absolute())
        found.update(dict.fromkeys(_globbed(whole) if "*" in whole or "[" in whole else [whole]))
    if not found:
        raise DataError(f"no file matches {pattern}")
    return sorted(found)


def refuse_secrets(address: str) -> None:
    """An address goes into the plan and the report, so it may hold no secret.

    Raises:
        DataError: it names a user or has a query. The message does not repeat them.
    """
    if not is_remote(address):
        return
    scheme, _, rest = address.partition("://")
    host = rest.partition("/")[0]
    if "@" in host or "?" in rest:
        raise DataError(
            f"an address of data must hold no user, password or query, for a run keeps it; this one begins {scheme}://",
            hint="give credentials through the environment, as the store's own tools take them",
        )


def _expanded(pattern: str) -> list[str]:
    if "{" not in pattern:
        return [pattern]
    try:
        from braceexpand import UnbalancedBracesError, braceexpand  # type: ignore[attr-defined]
    except ImportError:
        raise MissingExtraError("braceexpand", "webdataset", "a pattern with braces") from None
    try:
        return list(braceexpand(pattern))
    except UnbalancedBracesError:
        raise DataError(f"a brace is left open in {pattern}") from None


def _globbed(pattern: str) -> list[str]:
    if not is_remote(pattern):
        return glob.glob(pattern)  # noqa: PTH207  a whole pattern, from the root on
    system, path = file_system(pattern)
    try:
        return [str(system.unstrip_protocol(name)) for name in system.glob(path)]
    except Exception as error:
        raise DataError(f"cannot list {pattern}: {_words(error)}") from error


def common_folder(names: list[str]) -> str:
    """The folder that holds all of the files, as the beginning of each name, with its last slash."""
    parts = [posixpath.dirname(name).split("/") for name in names]
    same = takewhile(lambda several: len(set(several)) == 1, zip(*parts, strict=False))
    return "".join(f"{several[0]}/" for several in same)


def _trace(about: Mapping[str, Any]) -> str:
    told = {str(key).lower(): str(value) for key, value in about.items() if str(key).lower() in _TRACES}
    return json.dumps(told, sort_keys=True) if _TELLING & set(told) else ""


def _words(error: BaseException) -> str:
    lines = str(getattr(error, "strerror", None) or error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


class Window:
    """A place as a file object that reads a little ahead, for a reader that looks at headers and passes over the rest.

    A single reading is bounded: a damaged or hostile file may announce a header of any length.
    """

    def __init__(self, place: Place, ahead: int, most: int) -> None:
        self._place = place
        self._ahead = ahead
        self._most = most
        self._at = 0
        self._start = 0
        self._held = b""

    def seek(self, to: int, whence: int = 0) -> int:
        """Go to a place; nothing is read."""
        self._at = {0: 0, 1: self._at, 2: self._place.size}[whence] + to
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def read(self, count: int = -1) -> bytes:
        """The next bytes.

        Raises:
            DataError: more are asked for than a header can have.
        """
        if count < 0 or count > self._most:
            raise DataError(f"a header of over {self._most >> 20} MiB")
        begin = self._at - self._start
        if begin < 0 or begin + count > len(self._held):
            self._start = self._at
            self._held = self._place.read(self._at, self._at + max(count, self._ahead))
            begin = 0
        content = self._held[begin : begin + count]
        self._at += len(content)
        return content
