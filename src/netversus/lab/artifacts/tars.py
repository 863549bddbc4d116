"""torch's oldest format, a tar of the files `storages`, `tensors` and `pickle`, and tars in general."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import PurePosixPath
from typing import Any

from netversus.lab.artifacts import names
from netversus.lab.artifacts.claims import ITEM_BYTES, STORAGES
from netversus.lab.artifacts.findings import BrokenError, Budget, Findings, Verdict, printable
from netversus.lab.artifacts.machine import Machine, Scene
from netversus.lab.artifacts.pickles import Inner
from netversus.lab.artifacts.values import GlobalRef, Instance, show

MOST_MEMBERS = 10_000


def is_tar(data: memoryview) -> bool:
    """Whether the first block is a tar header: its checksum fits, whatever its name looks like."""
    if len(data) < 512:
        return False
    head = bytes(data[:512])
    try:
        stated = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return False
    blank = head[:148] + b" " * 8 + head[156:]
    return stated in {sum(blank), sum(byte - 256 * (byte > 127) for byte in blank)} and any(head)


def members(data: memoryview, findings: Findings, budget: Budget, where: str) -> dict[str, memoryview]:
    """The regular files; whatever else there is, is told."""
    found: dict[str, memoryview] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for count, member in enumerate(archive):
                budget.tick()
                if count > MOST_MEMBERS:
                    findings.add(Verdict.NOT_SCANNED, f"it has more than {MOST_MEMBERS:,} members", where)
                    break
                _member(member, found, data, findings, where)
    except (tarfile.TarError, ValueError, OSError, UnicodeError) as error:
        findings.add(Verdict.DAMAGED, f"the tar cannot be read to its end: {printable(str(error))}", where)
    return found


def _member(
    member: tarfile.TarInfo, found: dict[str, memoryview], data: memoryview, findings: Findings, where: str
) -> None:
    shown = printable(member.name)
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        findings.add(Verdict.HOSTILE, f"member {shown!r} leads out of the archive", where, member.offset)
    if member.isdir():
        return
    if not member.isreg() or member.sparse is not None:
        findings.add(Verdict.HOSTILE, f"member {shown!r} is a link, a device or sparse", where, member.offset)
        return
    if member.name in found:
        findings.add(Verdict.HOSTILE, f"two members are named {shown!r}", where, member.offset)
    end = member.offset_data + member.size
    if end > len(data):
        findings.add(Verdict.DAMAGED, f"member {shown!r} ends past the end of the file", where, member.offset)
    found[member.name] = data[member.offset_data : end]


class OldTorch:
    """The three files of torch's oldest format, of which each is several pickles with raw bytes between them."""

    def __init__(
        self, found: dict[str, memoryview], findings: Findings, budget: Budget, where: str, inner: Inner
    ) -> None:
        self.found = found
        self.findings = findings
        self.budget = budget
        self.where = where
        self.inner = inner

    def scan(self) -> None:
        """Follow all of them."""
        for name, walk in (("storages", self._storages), ("tensors", self._tensors), ("pickle", self._object)):
            try:
                walk(self.found[name])
            except BrokenError as broken:
                where = f"{self.where}{'/' if self.where else ''}{name}"
                self.findings.add(Verdict.DAMAGED, f"it cannot be followed: {broken.what}", where, broken.at)

    def _scene(self, name: str) -> Scene:
        where = f"{self.where}{'/' if self.where else ''}{name}"
        return Scene(self.findings, self.budget, where, inner=self.inner)

    def _storages(self, data: memoryview) -> None:
        scene = self._scene("storages")
        count, at = Machine(data, scene).run(0)
        for _ in range(_counted(count, at)):
            entry, at = Machine(data, scene).run(at)
            size = _item_bytes(entry, at)
            at = _past(data, at, 8, size)
        _, at = Machine(data, scene).run(at)
        self._end(data, at, scene)

    def _tensors(self, data: memoryview) -> None:
        scene = self._scene("tensors")
        count, at = Machine(data, scene).run(0)
        for _ in range(_counted(count, at)):
            _, at = Machine(data, scene).run(at)
            if at + 8 > len(data):
                raise BrokenError("a tensor ends early", at)
            (sides,) = struct.unpack_from("<i", data, at)
            if not 0 <= sides <= 64 or at + 16 + 16 * sides > len(data):
                raise BrokenError(f"a tensor of {sides} sides", at)
            at += 16 + 16 * sides
        self._end(data, at, scene)

    def _object(self, data: memoryview) -> None:
        scene = self._scene("pickle")
        scene.persistent = lambda given, at: self._known(given, at, scene)
        _, at = Machine(data, scene).run(0)
        self._end(data, at, scene)

    @staticmethod
    def _known(given: Any, at: int, scene: Scene) -> Instance:
        """A tensor's number; a tuple would name a class with its source code."""
        if not isinstance(given, str | int):
            scene.tell(Verdict.SUSPICIOUS, f"a persistent id that is no tensor: {show(given)}", at)
        return Instance("tensor")

    @staticmethod
    def _end(data: memoryview, at: int, scene: Scene) -> None:
        if at < len(data):
            scene.tell(Verdict.SUSPICIOUS, f"{len(data) - at:,} bytes follow the end", at)


def _counted(count: Any, at: int) -> int:
    if not isinstance(count, int) or not 0 <= count <= 10**7:
        raise BrokenError(f"a count that is {show(count)}", at)
    return count


def _item_bytes(entry: Any, at: int) -> int:
    fits = isinstance(entry, tuple) and len(entry) == 3 and isinstance(entry[2], GlobalRef)
    if not fits or entry[2].whole not in names.STORAGE_CLASSES or entry[2].name not in STORAGES:
        raise BrokenError(f"a storage described by {show(entry)}", at)
    return ITEM_BYTES[STORAGES[entry[2].name]]


def _past(data: memoryview, at: int, width: int, size: int) -> int:
    if at + width > len(data):
        raise BrokenError("a storage ends early", at)
    count = int.from_bytes(data[at : at + width], "little", signed=True)
    end = at + width + count * size
    if count < 0 or end > len(data):
        raise BrokenError(f"a storage claims {count:,} elements", at)
    return end
