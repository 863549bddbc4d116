"""Where a run lies: whole files by name, on this machine's disk or in an object store. Loads no torch.

path/to/run                     a folder of this machine, or of a shared file system
s3://bucket/run, gs://...       an object store, through fsspec (extra `netversus[cloud]`)
"""

from __future__ import annotations

from pathlib import Path

from netversus.files.base import Files
from netversus.files.local import LocalFiles, write_atomic

__all__ = ["Files", "LocalFiles", "is_remote", "open_files", "write_atomic"]


def is_remote(place: str | Path) -> bool:
    """Whether a place is an address of an object store, and not a folder."""
    return isinstance(place, str) and "://" in place and not place.startswith("file://")


def open_files(place: str | Path) -> Files:
    """The files at a place; nothing is made there yet.

    Raises:
        MissingExtraError: an object store needs an optional package.
        RunFolderError: an address that no file system of fsspec knows.
    """
    if is_remote(place):
        from netversus.files.objects import ObjectFiles

        return ObjectFiles(str(place))
    return LocalFiles(Path(str(place).removeprefix("file://")))
