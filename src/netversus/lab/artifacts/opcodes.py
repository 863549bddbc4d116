"""The opcodes of a pickle, decoded as CPython's unpickler decodes them. Source: `Modules/_pickle.c`, protocols 0 to 5.

Only the argument is read here; what an opcode does to the stack is `machine`'s.
"""

from __future__ import annotations

import codecs
import pickletools
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from netversus.lab.artifacts.findings import BrokenError
from netversus.messages import noted

LONGEST_NUMBER = 2**16  # bytes; no model has such an integer, and reading one takes the square of its length

NAMES: Mapping[int, str] = MappingProxyType({ord(op.code): op.name for op in pickletools.opcodes})
"""Opcode byte -> name."""


class UnreadNumber:
    """An integer too long to be read: it is on the stack, and equals nothing."""


def _fixed(form: str) -> Callable[[memoryview, int], tuple[Any, int]]:
    reader = struct.Struct(form)

    def read(data: memoryview, at: int) -> tuple[Any, int]:
        if at + reader.size > len(data):
            raise BrokenError(noted("the pickle ends within an opcode"), at)
        return reader.unpack_from(data, at)[0], at + reader.size

    return read


def _counted(form: str, decode: Callable[[bytes], Any]) -> Callable[[memoryview, int], tuple[Any, int]]:
    length = _fixed(form)

    def read(data: memoryview, at: int) -> tuple[Any, int]:
        size, start = length(data, at)
        if size < 0 or start + size > len(data):
            raise BrokenError(
                noted("the pickle claims {size} bytes where it has {n}", size=f"{size:,}", n=f"{len(data) - start:,}"),
                at,
            )
        try:
            return decode(bytes(data[start : start + size])), start + size
        except ValueError as error:
            raise BrokenError(noted("text that cannot be decoded: {error}", error=error), at) from None

    return read


def line(data: memoryview, at: int) -> tuple[bytes, int]:
    """Bytes up to the line's end, and where the next begin."""
    window = 4096
    start = at
    while True:
        found = bytes(data[start : start + window]).find(b"\n")
        if found >= 0:
            return bytes(data[at : start + found]), start + found + 1
        start += window
        if start >= len(data):
            raise BrokenError(noted("the pickle ends within a line"), at)
        window *= 2


def _lines(decode: Callable[[bytes], Any]) -> Callable[[memoryview, int], tuple[Any, int]]:
    def read(data: memoryview, at: int) -> tuple[Any, int]:
        text, end = line(data, at)
        try:
            return decode(text), end
        except (ValueError, UnicodeError) as error:
            raise BrokenError(noted("a line that cannot be decoded: {error}", error=error), at) from None

    return read


def _two_lines(data: memoryview, at: int) -> tuple[tuple[str, str], int]:
    module, second = _lines(_utf8)(data, at)
    name, end = _lines(_utf8)(data, second)
    return (module, name), end


def _utf8(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


def _long(body: bytes) -> Any:
    return UnreadNumber() if len(body) > LONGEST_NUMBER else int.from_bytes(body, "little", signed=True)


def _decimal(text: bytes) -> Any:
    if len(text) > 4000:
        return UnreadNumber()
    return int(text.strip().removesuffix(b"L"), 0)


def _int(text: bytes) -> Any:
    return {b"00": False, b"01": True}[text.strip()] if text.strip() in {b"00", b"01"} else _decimal(text)


def _string(text: bytes) -> bytes:
    body = text.strip()
    if len(body) < 2 or body[:1] != body[-1:] or body[:1] not in {b"'", b'"'}:
        raise ValueError(noted("a string without quotes"))
    return codecs.escape_decode(body[1:-1])[0]


def _nothing(_data: memoryview, at: int) -> tuple[None, int]:
    return None, at


_BYTES: Callable[[bytes], bytes] = bytes
_READERS: Mapping[str, Callable[[memoryview, int], tuple[Any, int]]] = MappingProxyType(
    {
        "INT": _lines(_int),
        "LONG": _lines(_decimal),
        "FLOAT": _lines(float),
        "STRING": _lines(_string),
        "UNICODE": _lines(lambda text: text.decode("raw-unicode-escape")),
        "GET": _lines(_decimal),
        "PUT": _lines(_decimal),
        "PERSID": _lines(lambda text: text.decode("ascii")),
        "GLOBAL": _two_lines,
        "INST": _two_lines,
        "BININT": _fixed("<i"),
        "BININT1": _fixed("<B"),
        "BININT2": _fixed("<H"),
        "BINFLOAT": _fixed(">d"),
        "BINGET": _fixed("<B"),
        "LONG_BINGET": _fixed("<I"),
        "BINPUT": _fixed("<B"),
        "LONG_BINPUT": _fixed("<I"),
        "PROTO": _fixed("<B"),
        "FRAME": _fixed("<Q"),
        "EXT1": _fixed("<B"),
        "EXT2": _fixed("<H"),
        "EXT4": _fixed("<i"),
        "LONG1": _counted("<B", _long),
        "LONG4": _counted("<i", _long),
        "BINSTRING": _counted("<i", _BYTES),
        "SHORT_BINSTRING": _counted("<B", _BYTES),
        "BINBYTES": _counted("<I", _BYTES),
        "SHORT_BINBYTES": _counted("<B", _BYTES),
        "BINBYTES8": _counted("<Q", _BYTES),
        "BYTEARRAY8": _counted("<Q", _BYTES),
        "BINUNICODE": _counted("<I", _utf8),
        "SHORT_BINUNICODE": _counted("<B", _utf8),
        "BINUNICODE8": _counted("<Q", _utf8),
    }
)


def argument(name: str, data: memoryview, at: int) -> tuple[Any, int]:
    """The argument of the opcode `name` that stands at `at`, and where the next opcode begins.

    Raises:
        BrokenError: the pickle ends within it, or it cannot be decoded.
    """
    return _READERS.get(name, _nothing)(data, at)
