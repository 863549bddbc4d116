"""What a run asks of the place where it lies: no more than both a disk and an object store can promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path


class Files(ABC):
    """Whole files by name ("cells/x/outcome.json"). A reader sees a file as it was written, or not at all.

    `place` is how people write where they lie; `address` is how another process, or another machine, finds them.
    """

    place: str
    address: str

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be read.
        """

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file, in the place of one of that name.

        Raises:
            OSError: the disk is full, the place cannot be written.
        """

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one of that name; of several who do so at once, one does. Returns whether this
        one did.

        Raises:
            OSError: the disk is full, the place cannot be written.
        """

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """The names of the files directly in a folder, sorted; none where there is no such folder."""

    @abstractmethod
    def empty(self) -> bool:
        """Whether there is nothing at the place yet."""

    @abstractmethod
    def below(self, folder: str) -> Files:
        """The files of a folder, as a place of their own."""

    @abstractmethod
    def local(self, name: str) -> Path:
        """A file's content as a path on this machine, for libraries that open paths: the file itself, or a copy."""

    @abstractmethod
    def scratch(self) -> Path:
        """A folder of this machine that goes with the place and survives the end of the process."""

    @abstractmethod
    def held(self) -> AbstractContextManager[None]:
        """Hold the place for this process.

        Raises:
            RunFolderError: another process holds it, or it cannot be written.
        """

    @abstractmethod
    def busy(self) -> bool | None:
        """Whether a process holds the place, as far as reading alone can tell; None where it cannot."""
