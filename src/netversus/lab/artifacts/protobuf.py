"""Protocol buffers' wire format, one message at a time, nothing copied. Source: protobuf.dev, Encoding."""

from __future__ import annotations

from collections.abc import Iterator

from netversus.lab.artifacts.findings import BrokenError
from netversus.messages import noted

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next field begins.

    Raises:
        BrokenError: it does not end.
    """
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
    raise BrokenError(noted("a number that does not end"), at)


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers with their values: numbers, or the bytes of text and of messages within.

    Raises:
        BrokenError: it is no message.
    """
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise BrokenError(noted("a field without a number"), at)
        if wire == VARINT:
            value, at = varint(data, at)
            yield number, value
            continue
        if wire == BYTES:
            size, at = varint(data, at)
        elif wire in {FIXED64, FIXED32}:
            size = 8 if wire == FIXED64 else 4
        else:
            raise BrokenError(noted("a field of wire type {n}", n=wire), at)
        if at + size > len(data):
            raise BrokenError(noted("a field reaches past the end"), at)
        yield number, data[at : at + size]
        at += size
