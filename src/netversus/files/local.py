"""Files on a disk. Every file is written under a temporary name, synced and renamed."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netversus.errors import RunFolderError
from netversus.files.base import Files

NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut.

    Raises:
        OSError: the disk is full, the folder cannot be written.
    """
    with _written_beside(path, content) as temporary:
        os.replace(temporary, path)
    _sync_folder(path.parent)


def create_atomic(path: Path, content: bytes) -> bool:
    """Write a file that is not there yet, whole or not at all; whether it was this call that wrote it.

    A link fails where there is a file already, on a shared file system too. Where a file system has no links, two that
    come at the same moment both write, and the later one stays.

    Raises:
        OSError: the disk is full, the folder cannot be written.
    """
    with _written_beside(path, content) as temporary:
        try:
            _link(temporary, path)
        except FileExistsError:
            return False
    _sync_folder(path.parent)
    return True


@contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """A whole file on its way to its name; whatever happens, nothing but that name is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _link(file: Path, path: Path) -> None:
    """Give a file a name that is free.

    Raises:
        FileExistsError: it is not.
    """
    try:
        os.link(file, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, "there is a file already", str(path)) from None
        os.replace(file, path)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


LOCKS = Path("/proc/locks")  # Linux lists there who holds what; trying a lock oneself could turn a writer away


class LocalFiles(Files):
    """A folder of this machine, or of a file system that several machines share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder)
        self.address = str(folder.absolute())

    def read(self, name: str) -> bytes:
        """A file's bytes. A pipe or a device, which could be read for ever, is refused: it may be a stranger's."""
        path = self.folder / name
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "not a regular file")
        return path.read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole."""
        write_atomic(self.folder / name, content)

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one."""
        return create_atomic(self.folder / name, content)

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return (self.folder / name).is_file()

    def names(self, folder: str) -> list[str]:
        """The files of a folder; what is still being written is none."""
        place = self.folder / folder
        if not place.is_dir():
            return []
        return sorted(path.name for path in place.iterdir() if path.is_file() and not path.name.startswith("."))

    def empty(self) -> bool:
        """Whether there is nothing yet."""
        return not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir()))

    def below(self, folder: str) -> LocalFiles:
        """The files of a folder."""
        return LocalFiles(self.folder / folder)

    def local(self, name: str) -> Path:
        """The file itself."""
        return self.folder / name

    def scratch(self) -> Path:
        """The folder `state` beside the files."""
        path = self.folder / "state"
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder. The system frees it when the process ends, however it ends."""
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunFolderError(f"cannot write the run folder {self.place}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunFolderError(f"another process is working on {self.place}", hint="wait for it to end") from None
            yield
        finally:
            os.close(handle)

    def busy(self) -> bool | None:
        """Whether a process of this machine holds the folder; one of another machine is not seen."""
        try:
            held = LOCKS.read_text(encoding="ascii")
        except OSError:
            return None
        try:
            file = (self.folder / "lock").lstat().st_ino
        except OSError:
            return False
        # The number of the file system is not compared: a layered one shows another here than there.
        rows = (line.split() for line in held.splitlines() if "->" not in line)
        return any(row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(file) for row in rows if len(row) > 5)
