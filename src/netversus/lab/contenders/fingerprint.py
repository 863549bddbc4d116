"""The identity of a file: its content. Loads no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from netversus.errors import WeightsError


def sha256(*paths: Path) -> str:
    """The digest of the contents of files, one after the other.

    Raises:
        WeightsError: one cannot be read.
    """
    state = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                while block := file.read(2**20):
                    state.update(block)
        except OSError as error:
            raise WeightsError(f"cannot read {path}: {error.strerror}") from None
    return state.hexdigest()
