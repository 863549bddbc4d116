"""The structure of a zip archive, read twice: from its directory and from each member's own header.

Readers disagree about which of the two they believe, and a file that says different things in them shows one content
to a scanner and another to the loader. Source: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.
"""

from __future__ import annotations

import bz2
import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from netversus.lab.artifacts.findings import MEBI, BrokenError, Budget, Findings, OutOfBudgetError, Verdict, printable
from netversus.messages import noted

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
END64, LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14
MOST_MEMBERS = 200_000
_ENCRYPTED = 0x2041  # bits 0, 6 and 13
_DESCRIPTOR = 0x8
_TAIL = 65_557  # the end record and the longest comment
_DESCRIPTOR_BYTES = {0, 12, 16, 20, 24}
_CHUNK = 4 * MEBI


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the directory describes it; `body` is where its bytes begin, `end` where they end."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int
    body: int

    @property
    def end(self) -> int:
        """Where its bytes end."""
        return self.body + self.packed


def has_directory(data: memoryview) -> bool:
    """Whether the file ends as a zip archive does: some readers ask no more."""
    return _end_record(data) is not None


def _end_record(data: memoryview) -> int | None:
    tail = max(0, len(data) - _TAIL)
    ending = bytes(data[tail:])
    at = ending.rfind(END)
    while at >= 0:
        if at + 22 <= len(ending):
            return tail + at
        at = ending.rfind(END, 0, at)
    return None


def members(data: memoryview, findings: Findings, where: str) -> list[Member]:
    """The members, in the order of the directory; whatever is odd about them is told.

    Raises:
        BrokenError: there is no directory that can be read.
    """
    found = list(_directory(data, findings, where))
    _names(found, findings, where)
    _layout(data, found, findings, where)
    return found


def _directory(data: memoryview, findings: Findings, where: str) -> Iterator[Member]:
    end = _end_record(data)
    if end is None:
        raise BrokenError(noted("the archive has no directory: it is cut off, or not whole"), len(data))
    disk, first, here, count, size, offset, comment = struct.unpack_from("<4H2LH", data, end + 4)
    if end + 22 + comment != len(data):
        findings.add(Verdict.SUSPICIOUS, noted("bytes follow the end of the archive"), where, end + 22 + comment)
    if disk or first or here != count:
        findings.add(Verdict.SUSPICIOUS, noted("the archive says that it is in several parts"), where, end)
    at = end - size
    wide = _end64(data, end)
    if wide is not None:
        told = (count, size, offset)
        count, size, offset, at = wide
        limits = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        if any(a not in {b, most} for a, b, most in zip(told, wide[:3], limits, strict=True)):
            findings.add(Verdict.HOSTILE, noted("the archive has two directories that differ"), where, end)
    if count > MOST_MEMBERS:
        raise OutOfBudgetError(noted("the archive claims {count} members", count=f"{count:,}"))
    if at != offset:
        findings.add(
            Verdict.SUSPICIOUS,
            noted("the directory lies at {at}, the archive says {offset}", at=f"{at:,}", offset=f"{offset:,}"),
            where,
            at,
        )
    # Readers that allow bytes before the archive count from where the directory truly is; others believe the archive.
    believed = 0 <= offset < len(data) and bytes(data[offset : offset + 4]) == CENTRAL
    shift = 0 if believed else at - offset
    at = offset if believed else at
    for _ in range(count):
        member, at = _entry(data, at, shift, findings, where)
        yield member
    if bytes(data[at : at + 4]) not in {END, END64}:
        findings.add(Verdict.SUSPICIOUS, noted("the directory holds more than it counts"), where, at)


def _end64(data: memoryview, end: int) -> tuple[int, int, int, int] | None:
    """Count, size, offset and true place of the directory by the 64-bit record, which torch writes always."""
    locator = end - 20
    if locator < 0 or bytes(data[locator : locator + 4]) != LOCATOR64:
        return None
    (place,) = struct.unpack_from("<Q", data, locator + 8)
    if bytes(data[place : place + 4]) != END64:
        place = locator - 56  # behind bytes that stand before the archive
    if place < 0 or place + 56 > len(data) or bytes(data[place : place + 4]) != END64:
        raise BrokenError(noted("the archive's 64-bit directory cannot be found"), locator)
    count, size, offset = struct.unpack_from("<3Q", data, place + 32)
    return count, size, offset, place - size


def _entry(data: memoryview, at: int, shift: int, findings: Findings, where: str) -> tuple[Member, int]:
    if at < 0 or at + 46 > len(data) or bytes(data[at : at + 4]) != CENTRAL:
        raise BrokenError(noted("the archive's directory breaks off"), at)
    made_by, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size, _, _, external, start = (
        struct.unpack_from("<6H3L5H2L", data, at + 4)
    )
    raw = bytes(data[at + 46 : at + 46 + name_size])
    extra = bytes(data[at + 46 + name_size : at + 46 + name_size + extra_size])
    size, packed, start = _wide(extra, size, packed, start)
    start += shift
    name = _decoded(raw)
    if made_by >> 8 == 3 and (external >> 16) & 0o170000 == 0o120000:
        findings.add(Verdict.HOSTILE, noted("member {name} is a link", name=repr(printable(name))), where, at)
    member = Member(name, flags, method, crc, packed, size, start, _own_header(data, start, raw, findings, where))
    _agree(data, member, findings, where)
    return member, at + 46 + name_size + extra_size + comment_size


def _wide(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """Sizes of more than 32 bits stand in an extra field, in this order."""
    at = 0
    values = [size, packed, start]
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            body = extra[at + 4 : at + 4 + length]
            for i, value in enumerate(values):
                if value == 0xFFFFFFFF and len(body) >= 8:
                    values[i] = int.from_bytes(body[:8], "little")
                    body = body[8:]
        at += 4 + length
    return values[0], values[1], values[2]


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _own_header(data: memoryview, start: int, name: bytes, findings: Findings, where: str) -> int:
    if start < 0 or start + 30 > len(data) or bytes(data[start : start + 4]) != LOCAL:
        raise BrokenError(
            noted("member {name} is not where the directory says", name=repr(printable(_decoded(name)))), start
        )
    name_size = int.from_bytes(data[start + 26 : start + 28], "little")
    extra_size = int.from_bytes(data[start + 28 : start + 30], "little")
    own = bytes(data[start + 30 : start + 30 + name_size])
    if own != name:
        what = noted(
            "a member is {name} in the directory and {own} in itself",
            name=repr(printable(_decoded(name))),
            own=repr(printable(_decoded(own))),
        )
        findings.add(Verdict.HOSTILE, what, where, start)
    return start + 30 + name_size + extra_size


def _agree(data: memoryview, member: Member, findings: Findings, where: str) -> None:
    """Whether the member's own header says what the directory says."""
    flags, method = struct.unpack_from("<2H", data, member.start + 6)
    crc, packed, size = struct.unpack_from("<3L", data, member.start + 14)
    shown = printable(member.name)
    if (flags | member.flags) & _ENCRYPTED:
        what = noted(
            "member {name} is marked as encrypted, which some readers believe and some do not", name=repr(shown)
        )
        findings.add(Verdict.SUSPICIOUS, what, where, member.start)
    if flags != member.flags:
        what = noted(
            "member {name} has flags {flags} in the directory and {own} in itself",
            name=repr(shown),
            flags=f"{member.flags:#x}",
            own=f"{flags:#x}",
        )
        findings.add(Verdict.SUSPICIOUS, what, where, member.start)
    if method != member.method:
        what = noted(
            "member {name} is packed by method {method} in the directory and {own} in itself",
            name=repr(shown),
            method=member.method,
            own=method,
        )
        findings.add(Verdict.HOSTILE, what, where, member.start)
    wide = 0xFFFFFFFF in {packed, size}
    stated = not flags & _DESCRIPTOR or any((crc, packed, size))
    if stated and not wide and (crc, packed, size) != (member.crc, member.packed, member.size):
        what = noted("member {name} has another size or checksum in the directory than in itself", name=repr(shown))
        findings.add(Verdict.HOSTILE, what, where, member.start)
    if member.end > len(data):
        raise BrokenError(noted("member {name} ends past the end of the file", name=repr(shown)), member.start)


def _names(found: list[Member], findings: Findings, where: str) -> None:
    seen: set[str] = set()
    for member in found:
        plain = PurePosixPath(member.name.replace("\\", "/"))
        if plain.is_absolute() or ".." in plain.parts or ":" in member.name[:3] or "\0" in member.name:
            findings.add(
                Verdict.HOSTILE,
                noted("member {name} leads out of the archive", name=repr(printable(member.name))),
                where,
            )
        key = str(plain).casefold()
        if key in seen:
            findings.add(
                Verdict.HOSTILE, noted("two members are named {name}", name=repr(printable(member.name))), where
            )
        seen.add(key)


def _layout(data: memoryview, found: list[Member], findings: Findings, where: str) -> None:
    """Members lie one after the other; between them there is room for a data descriptor and no more."""
    at = 0
    for member in sorted(found, key=lambda each: each.start):
        if member.start < at:
            what = noted("member {name} overlaps the one before it", name=repr(printable(member.name)))
            findings.add(Verdict.HOSTILE, what, where, member.start)
        elif member.start - at not in (_DESCRIPTOR_BYTES if at else {0}):
            what = noted("{n} bytes belong to no member", n=f"{member.start - at:,}")
            findings.add(Verdict.SUSPICIOUS, what, where, at)
        at = max(at, member.end)
    directory = bytes(data[at : at + 64]).find(CENTRAL) if found else 0
    if directory not in _DESCRIPTOR_BYTES:
        findings.add(
            Verdict.SUSPICIOUS, noted("bytes between the last member and the directory belong to none"), where, at
        )


def content(data: memoryview, member: Member, findings: Findings, budget: Budget, where: str) -> memoryview | None:
    """A member's bytes, without a copy where they are stored as they are; None where they cannot be read.

    A wrong checksum is told and the bytes are given nevertheless: a scanner that stops there is led past the rest.
    """
    packed = data[member.body : member.end]
    body = packed if member.method == STORED else _unpacked(packed, member, findings, budget, where)
    if body is None:
        return None
    if len(body) != member.size:
        what = noted(
            "member {name} holds {n} bytes, it says {size}",
            name=repr(printable(member.name)),
            n=f"{len(body):,}",
            size=f"{member.size:,}",
        )
        findings.add(Verdict.SUSPICIOUS, what, where)
    if _crc(body, budget) != member.crc:
        what = noted("member {name} does not have the checksum that it says", name=repr(printable(member.name)))
        findings.add(Verdict.DAMAGED, what, where, member.body)
    return body


def _crc(body: memoryview, budget: Budget) -> int:
    state = 0
    for at in range(0, len(body), _CHUNK):
        state = zlib.crc32(body[at : at + _CHUNK], state)
        budget.tick()
    return state


def _unpacked(packed: memoryview, member: Member, findings: Findings, budget: Budget, where: str) -> memoryview | None:
    shown = printable(member.name)
    try:
        match member.method:
            case 8:
                body = inflated(packed, zlib.decompressobj(-15), budget)
            case 12:
                body = inflated(packed, bz2.BZ2Decompressor(), budget)
            case 14:
                body = inflated(packed[4:], _zip_lzma(packed), budget)
            case _:
                what = noted(
                    "member {name} is packed by method {method}, which is not read here",
                    name=repr(shown),
                    method=member.method,
                )
                findings.add(Verdict.NOT_SCANNED, what, where)
                return None
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError, struct.error) as error:
        findings.add(
            Verdict.DAMAGED,
            noted("member {name} cannot be unpacked: {error}", name=repr(shown), error=error),
            where,
            member.body,
        )
        # A reader that ignores the method would find this.
        return packed
    return memoryview(body)


def _zip_lzma(packed: memoryview) -> lzma.LZMADecompressor:
    size = int.from_bytes(packed[2:4], "little")
    properties = bytes(packed[4 : 4 + size])
    filters = [lzma._decode_filter_properties(lzma.FILTER_LZMA1, properties)]  # type: ignore[attr-defined]  # noqa: SLF001
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)


def inflated(packed: memoryview, unpacker: object, budget: Budget) -> bytes:
    """What a compressed stream holds, read in bounded steps.

    Raises:
        OutOfBudgetError: it grows past the budget.
    """
    parts: list[bytes] = []
    at = 0
    pending = b""
    is_zlib = not hasattr(unpacker, "needs_input")
    while not unpacker.eof:  # type: ignore[attr-defined]
        if is_zlib:
            chunk = pending or bytes(packed[at : at + _CHUNK])
            at += 0 if pending else len(chunk)
        else:
            needs = unpacker.needs_input  # type: ignore[attr-defined]
            chunk = bytes(packed[at : at + _CHUNK]) if needs else b""
            at += len(chunk)
            if needs and not chunk:
                raise EOFError(noted("it ends early"))
        if is_zlib and not chunk:
            raise EOFError(noted("it ends early"))
        part = unpacker.decompress(chunk, _CHUNK)  # type: ignore[attr-defined]
        pending = unpacker.unconsumed_tail if is_zlib else b""  # type: ignore[attr-defined]
        budget.inflate(len(part))
        parts.append(part)
    return b"".join(parts)
