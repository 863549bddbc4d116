"""Find the files of an image folder: one subfolder a class. What is not taken is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from netversus.errors import DataError
from netversus.lab.data.decode import SUFFIXES
from netversus.lab.data.names import escape
from netversus.records import SkippedFile

SYSTEM_NAMES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
IMAGE_SUFFIXES = frozenset(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an image. `id` is its escaped path below the root of the data."""

    path: Path
    id: str
    class_name: str


@dataclass
class Walk:
    """What lies in the class folders below `root`.

    `classes` are all the subfolders' escaped names, empty ones too; `skipped` might have been images; `ignored`
    are hidden entries, and files beside the class folders that are no images.
    """

    root: Path
    classes: set[str] = field(default_factory=set)
    skipped: list[SkippedFile] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def visit(self, side: Path) -> list[Candidate]:
        """The candidates of one side of the data, `root` itself or a subfolder such as train, in order of id."""
        found: list[Candidate] = []
        for entry in self._entries(side):
            if entry.is_symlink():
                self._skip(entry, self._why_not_follow(entry) or "a link beside the class folders")
            elif entry.is_dir():
                self.classes.add(escape(entry.name))
                files = self._files(Path(entry.path))
                found += [Candidate(path, self.id_of(path), escape(entry.name)) for path in files]
            elif Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
                self._skip(entry, "outside every class folder")
            else:
                self.ignored.append(self.id_of(Path(entry.path)))
        found.sort(key=lambda candidate: candidate.id)
        return found

    def id_of(self, path: Path) -> str:
        """The escaped path below the root."""
        return escape(str(path.relative_to(self.root)))

    def _files(self, folder: Path) -> Iterator[Path]:
        """Every file below a class folder. A stack, not recursion: a folder may be deeper than Python's stack."""
        folders = [folder]
        while folders:
            for entry in self._entries(folders.pop()):
                if entry.is_symlink():
                    if reason := self._why_not_follow(entry):
                        self._skip(entry, reason)
                    else:
                        yield Path(entry.path)
                elif entry.is_dir():
                    folders.append(Path(entry.path))
                else:
                    yield Path(entry.path)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            if folder == self.root:
                raise DataError(f"cannot list the folder {folder}: {error.strerror}") from None
            self.skipped.append(SkippedFile(self.id_of(folder), f"cannot be listed: {error.strerror}"))
            return []
        hidden = [entry for entry in listed if is_hidden(entry.name)]
        self.ignored += [self.id_of(Path(entry.path)) for entry in hidden]
        return [entry for entry in listed if not is_hidden(entry.name)]

    def _why_not_follow(self, entry: os.DirEntry[str]) -> str:
        """Why a symbolic link is refused; empty when it leads to a file inside the root."""
        try:
            target = Path(entry.path).resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
            return "a link that leads nowhere"
        if not target.is_relative_to(self.root):
            return "a link that leads outside the folder"
        return "a link to a folder" if target.is_dir() else ""

    def _skip(self, entry: os.DirEntry[str], reason: str) -> None:
        self.skipped.append(SkippedFile(self.id_of(Path(entry.path)), reason))


def is_hidden(name: str) -> bool:
    """Whether a name is hidden or the operating system's own."""
    return name.startswith(".") or name in SYSTEM_NAMES
