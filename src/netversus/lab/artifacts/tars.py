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
from netversus.messages import noted

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
                    findings.add(
                        Verdict.NOT_SCANNED, noted("it has more than {n} members", n=f"{MOST_MEMBERS:,}"), where
                    )
                    break
                _member(member, found, data, findings, where)
    except (tarfile.TarError, ValueError, OSError, UnicodeError) as error:
        findings.add(
            Verdict.DAMAGED, noted("the tar cannot be read to its end: {error}", error=printable(str(error))), where
        )
    return found


def _member(
    member: tarfile.TarInfo, found: dict[str, memoryview], data: memoryview, findings: Findings, where: str
) -> None:
    shown = printable(member.name)
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        findings.add(
            Verdict.HOSTILE, noted("member {name} leads out of the archive", name=repr(shown)), where, member.offset
        )
    if member.isdir():
        return
    if not member.isreg() or member.sparse is not None:
        findings.add(
            Verdict.HOSTILE,
            noted("member {name} is a link, a device or sparse", name=repr(shown)),
            where,
            member.offset,
        )
        return
    if member.name in found:
        findings.add(Verdict.HOSTILE, noted("two members are named {name}", name=repr(shown)), where, member.offset)
    end = member.offset_data + member.size
    if end > len(data):
        findings.add(
            Verdict.DAMAGED,
            noted("member {name} ends past the end of the file", name=repr(shown)),
            where,
            member.offset,
        )
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
                self.findings.add(
                    Verdict.DAMAGED, noted("it cannot be followed: {what}", what=broken.what), where, broken.at
                )

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
                raise BrokenError(noted("a tensor ends early"), at)
            (sides,) = struct.unpack_from("<i", data, at)
            if not 0 <= sides <= 64 or at + 16 + 16 * sides > len(data):
                raise BrokenError(noted("a tensor of {n} sides", n=sides), at)
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
            scene.tell(Verdict.SUSPICIOUS, noted("a persistent id that is no tensor: {given}", given=show(given)), at)
        return Instance("tensor")

    @staticmethod
    def _end(data: memoryview, at: int, scene: Scene) -> None:
        if at < len(data):
            scene.tell(Verdict.SUSPICIOUS, noted("{n} bytes follow the end", n=f"{len(data) - at:,}"), at)


def _counted(count: Any, at: int) -> int:
    if not isinstance(count, int) or not 0 <= count <= 10**7:
        raise BrokenError(noted("a count that is {count}", count=show(count)), at)
    return count


def _item_bytes(entry: Any, at: int) -> int:
    fits = isinstance(entry, tuple) and len(entry) == 3 and isinstance(entry[2], GlobalRef)
    if not fits or entry[2].whole not in names.STORAGE_CLASSES or entry[2].name not in STORAGES:
        raise BrokenError(noted("a storage described by {given}", given=show(entry)), at)
    return ITEM_BYTES[STORAGES[entry[2].name]]


def _past(data: memoryview, at: int, width: int, size: int) -> int:
    if at + width > len(data):
        raise BrokenError(noted("a storage ends early"), at)
    count = int.from_bytes(data[at : at + width], "little", signed=True)
    end = at + width + count * size
    if count < 0 or end > len(data):
        raise BrokenError(noted("a storage claims {count} elements", count=f"{count:,}"), at)
    return end
