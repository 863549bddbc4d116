"""Single compressed streams, as joblib writes them: zlib, gzip, bz2, xz, lzma."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from netversus.lab.artifacts.findings import Budget, Findings, Verdict
from netversus.lab.artifacts.zips import inflated
from netversus.messages import noted

_UNPACKERS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "zlib": zlib.decompressobj,
        "gzip": lambda: zlib.decompressobj(31),
        "bz2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE),
    }
)
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"ZF0x", "joblib zfile"),
)
_JOBLIB_OLD = 21  # bytes: "ZF" and the length in hexadecimal, before joblib 0.10


def compression(head: bytes) -> str:
    """How a file is compressed, by its first bytes; empty where it is not, or not in a way that is read here."""
    for magic, kind in _MAGIC:
        if head.startswith(magic) and len(head) >= 13:
            return kind
    # Other windows than 32 kB are not zlib's for joblib either, and "(S" begins an old pickle.
    if len(head) > 2 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0:
        return "zlib"
    return ""


def unpacked(data: memoryview, kind: str, findings: Findings, budget: Budget, where: str) -> memoryview | None:
    """What the stream holds; None where it cannot be read, which is told. Bytes after it are told.

    Raises:
        OutOfBudgetError: it grows past the budget.
    """
    body = data[_JOBLIB_OLD:] if kind == "joblib zfile" else data
    unpacker = _UNPACKERS["zlib" if kind == "joblib zfile" else kind]()
    try:
        content = inflated(body, unpacker, budget)
    except (zlib.error, OSError, EOFError, lzma.LZMAError, ValueError) as error:
        findings.add(
            Verdict.DAMAGED, noted("the {kind} stream cannot be unpacked: {error}", kind=kind, error=error), where
        )
        return None
    if rest := _left(unpacker, body):
        findings.add(
            Verdict.SUSPICIOUS, noted("{n} bytes or more follow the {kind} stream", n=f"{rest:,}", kind=kind), where
        )
    return memoryview(content)


def _left(unpacker: Any, body: memoryview) -> int:
    """Bytes of the last chunk that the stream did not need, or the length past it."""
    unused = len(unpacker.unused_data)
    return unused if unused < len(body) else 0
