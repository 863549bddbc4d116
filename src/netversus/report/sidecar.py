"""The folder beside a page that would be too large with its pictures within."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

from netversus.quantities import amount
from netversus.report.gallery import format_of

LIMIT = 10 * 2**20
"""Bytes of a page with everything within; beyond them its pictures lie in a folder beside it."""


class Sidecar:
    """Collects the pictures of a page; `folder` is the name of the folder that will hold `files`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.files: dict[str, bytes] = {}

    def address(self, content: bytes) -> str:
        """Where the page finds a picture; the same picture is kept once."""
        name = f"{sha256(content).hexdigest()[:16]}.{format_of(content) or 'bin'}"
        self.files[name] = content
        return f"{quote(self.folder)}/{name}"

    @property
    def size_text(self) -> str:
        """The size of all files, in words."""
        return amount(sum(map(len, self.files.values())), "bytes")

    @property
    def limit_text(self) -> str:
        """The limit, in words."""
        return amount(LIMIT, "bytes")
