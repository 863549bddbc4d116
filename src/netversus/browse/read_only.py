"""The files of a folder for those who only look: nothing is written, and no symbolic link is followed.

A link in a folder that is shown to others would show what it points to. Each part of a name is opened by itself, below
the one before and without following: what is exchanged in between is refused by the system, not by a check that came
too early.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netversus.errors import RunFolderError
from netversus.files import LocalFiles

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not hold the reader


class ReadOnlyFiles(LocalFiles):
    """Files below a folder, which itself may be reached through links: the user named it."""

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            FileNotFoundError: there is none, or a link stands in its place.
        """
        *folders, last = _parts(name)
        with _opened(self.folder, folders) as below:
            handle = _without_link(last, _FILE, below)
            with os.fdopen(handle, "rb") as file:
                return file.read()

    def exists(self, name: str) -> bool:
        """Whether there is a file, not a link to one."""
        try:
            *folders, last = _parts(name)
            with _opened(self.folder, folders) as below:
                os.close(_without_link(last, _FILE, below))
        except OSError:
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """The files of a folder, without links."""
        try:
            with _opened(self.folder, _parts(folder)) as below, os.scandir(below) as entries:
                kept = (entry for entry in entries if not entry.name.startswith("."))
                return sorted(entry.name for entry in kept if entry.is_file(follow_symlinks=False))
        except FileNotFoundError:
            return []

    def below(self, folder: str) -> ReadOnlyFiles:
        """The files of a folder. It is opened anew, part by part, with every file."""
        return _Below(self, folder)

    def write(self, name: str, content: bytes) -> None:  # noqa: ARG002
        """Refused."""
        raise RunFolderError(f"{self.place}/{name} is only looked at, not written")

    def create(self, name: str, content: bytes) -> bool:
        """Refused."""
        self.write(name, content)
        return False

    def scratch(self) -> Path:
        """Refused: it would be made."""
        raise RunFolderError(f"{self.place} is only looked at, not written")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Refused: who looks does not work."""
        raise RunFolderError(f"{self.place} is only looked at, not worked on")
        yield


class _Below(ReadOnlyFiles):
    """A folder within the one that was named."""

    def __init__(self, top: ReadOnlyFiles, folder: str) -> None:
        super().__init__(top.folder / folder)
        self._top, self._within = top, folder

    def read(self, name: str) -> bytes:
        return self._top.read(f"{self._within}/{name}")

    def exists(self, name: str) -> bool:
        return self._top.exists(f"{self._within}/{name}")

    def names(self, folder: str) -> list[str]:
        return self._top.names(f"{self._within}/{folder}" if folder else self._within)

    def below(self, folder: str) -> ReadOnlyFiles:
        return _Below(self._top, f"{self._within}/{folder}")


def _parts(name: str) -> list[str]:
    """A name in its parts; one that climbs is no name of a file below."""
    parts = [part for part in name.split("/") if part]
    if name.startswith("/") or any(part in (".", "..") or "\0" in part for part in parts):
        raise FileNotFoundError(f"no file below this folder is named {name!r}")
    return parts


@contextmanager
def _opened(folder: Path, parts: list[str]) -> Iterator[int]:
    """A folder below another, opened part by part."""
    handle = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)
    try:
        for part in parts:
            inner = _without_link(part, _FOLDER, handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _without_link(part: str, flags: int, below: int) -> int:
    try:
        handle = os.open(part, flags, dir_fd=below)
    except NotADirectoryError as error:
        raise FileNotFoundError(error.errno, error.strerror, part) from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise FileNotFoundError(error.errno, "a link, which is not followed", part) from None
    if not flags & os.O_DIRECTORY and not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileNotFoundError(errno.ENOENT, "no plain file", part)
    return handle
