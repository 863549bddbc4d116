"""What a file is, by its content alone, and who looks at it. A file may be several things at once: then each is
looked at, and that it is several is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netversus.lab.artifacts import arrays, keras, onnx, tars, zips
from netversus.lab.artifacts.claims import TensorClaim
from netversus.lab.artifacts.compressed import compression, unpacked
from netversus.lab.artifacts.findings import BrokenError, Budget, Findings, Verdict, printable
from netversus.lab.artifacts.machine import Machine, Scene
from netversus.lab.artifacts.pickles import check_claims, scan_pickle, tensors
from netversus.lab.artifacts.safetensors_header import is_safetensors, looks_like_safetensors, scan_safetensors
from netversus.lab.artifacts.script import scan_code
from netversus.messages import noted

_UNREAD = (
    (b"7z\xbc\xaf\x27\x1c", 0, noted("7z archive")),
    (b"Rar!\x1a\x07", 0, noted("RAR archive")),
    (b"\x28\xb5\x2f\xfd", 0, noted("Zstandard stream")),
    (b"\x04\x22\x4d\x18", 0, noted("LZ4 stream")),
    (b"MSCF", 0, noted("cabinet archive")),
    (b"xar!", 0, noted("xar archive")),
    (b"GGUF", 0, noted("GGUF model")),
    (b"TFL3", 4, noted("TensorFlow Lite model")),
    (b"PAR1", 0, noted("Parquet table")),
)
_PROGRAMS = (
    (b"\x7fELF", noted("a program or library for Linux")),
    (b"MZ", noted("a program or library for Windows")),
    (b"\xcf\xfa\xed\xfe", noted("a program or library for macOS")),
    (b"\xca\xfe\xba\xbe", noted("a program or library for macOS or Java")),
    (b"#!", noted("a script")),
)
_HDF5_PLACES = (0, 512, 1024, 2048, 4096)
_SOURCE = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".sh", ".js")
_SIMPLE_PICKLE = 2**20  # bytes: a longer file without any magic number is not tried as a pickle of protocol 0 or 1


@dataclass
class Content:
    """What a scan found besides evidence: the outermost format in words, tensors by name, other files it needs."""

    format: str = ""
    tensors: dict[str, TensorClaim] = field(default_factory=dict)
    value: Any = None
    external: dict[str, Path] = field(default_factory=dict)


class Scanner:
    """One file, with all that is inside."""

    def __init__(self, findings: Findings, budget: Budget, folder: Path | None = None) -> None:
        self.findings = findings
        self.budget = budget
        self.folder = folder
        self.depth = 0

    def scan(self, data: memoryview, where: str = "") -> Content:
        """Look at a file or at what lies in one."""
        found = Content()
        kinds = self._kinds(data)
        if len(kinds) > 1:
            what = noted("it is several things at once: {kinds}; readers disagree about which", kinds=", ".join(kinds))
            self.findings.add(Verdict.HOSTILE, what, where)
        for kind in kinds:
            self._as(kind, data, where, found)
        found.format = " and ".join(kinds) if len(kinds) != 1 else (found.format or kinds[0])
        if not kinds:
            self._unknown(data, where, found)
        return found

    # -- what it is -----------------------------------------------------------------------------------------------

    def _kinds(self, data: memoryview) -> list[str]:
        head = bytes(data[:4096])
        found = [*self._by_head(data, head)]
        if "zip" not in found and zips.has_directory(data) and self._truly_zip(data):
            found.append("zip")
        return found

    def _by_head(self, data: memoryview, head: bytes) -> Iterator[str]:
        if head[:4] == zips.LOCAL or (head[:4] == zips.END and zips.has_directory(data)):
            yield "zip"
        if any(bytes(data[place : place + 8]) == keras.HDF5 for place in _HDF5_PLACES):
            yield "HDF5"
        if tars.is_tar(data):
            yield "tar"
        if head[:6] == arrays.MAGIC:
            yield "npy"
        if is_safetensors(head, len(data)) or looks_like_safetensors(head):
            yield "safetensors"
        elif head[:1] == b"\x80" and len(head) > 1 and head[1] <= 5:
            yield "pickle"
        elif packed := compression(head):
            yield packed
        elif onnx.is_onnx(data):
            yield "ONNX"
        elif self._old_pickle(data):
            yield "pickle"

    @staticmethod
    def _truly_zip(data: memoryview) -> bool:
        """Whether what looks like the end of an archive leads to a directory."""
        try:
            return bool(zips.members(data, Findings(), ""))
        except BrokenError:
            return False

    def _old_pickle(self, data: memoryview) -> bool:
        """Protocols 0 and 1 have no magic number: whether a machine could follow it, or imports before it breaks."""
        if not data or len(data) > _SIMPLE_PICKLE or not _begins_like_pickle(bytes(data[:64])):
            return False
        trial = Findings()
        try:
            Machine(data, Scene(trial, self.budget)).run(0)
        except BrokenError:
            return bool(trial.globals)
        return True

    # -- who looks at it ------------------------------------------------------------------------------------------

    def _as(self, kind: str, data: memoryview, where: str, found: Content) -> None:
        match kind:
            case "zip":
                from netversus.lab.artifacts.archives import Archive

                Archive(self, data, where, found).scan()
            case "tar":
                self._tar(data, where, found)
            case "HDF5":
                keras.scan_hdf5(data, self.findings, where)
            case "npy":
                arrays.scan_array(data, Scene(self.findings, self.budget, where, inner=self.inner(where)))
            case "safetensors":
                found.tensors = scan_safetensors(data, self.findings, where)
            case "pickle":
                self._pickle(data, where, found)
            case "ONNX":
                graph = onnx.Graph(self.findings, self.budget, where, self.folder if self.depth == 0 else None)
                graph.scan(data)
                found.external.update(graph.external)
            case _:
                self._compressed(kind, data, where, found)

    def _pickle(self, data: memoryview, where: str, found: Content) -> None:
        kind, value = scan_pickle(data, self.findings, self.budget, where, self.inner(where))
        found.format, found.value = kind, value
        found.tensors = tensors(value)
        check_claims(found.tensors, self.findings, where)

    def _compressed(self, kind: str, data: memoryview, where: str, found: Content) -> None:
        if not self._deeper(where):
            return
        body = unpacked(data, kind, self.findings, self.budget, where)
        if body is not None:
            inside = self.scan(body, f"{where}{'/' if where else ''}{kind}")
            found.format = f"{inside.format or 'unknown content'} in {kind}"
        self.depth -= 1

    def _tar(self, data: memoryview, where: str, found: Content) -> None:
        held = tars.members(data, self.findings, self.budget, where)
        if {"storages", "tensors", "pickle"} <= set(held):
            found.format = "torch, oldest (tar)"
            tars.OldTorch(held, self.findings, self.budget, where, self.inner(where)).scan()
            what = noted("torch opens this format only by unpickling without any check, which is never done here")
            self.findings.add(Verdict.CLEAN, what, where)
            held = {name: body for name, body in held.items() if name not in {"storages", "tensors", "pickle"}}
        for name, body in held.items():
            self.member(name, body, where)

    def member(self, name: str, body: memoryview, where: str) -> None:
        """Look at what lies in an archive."""
        place = f"{where}{'/' if where else ''}{name}"
        if name.lower().endswith(_SOURCE):
            self.findings.add(Verdict.SUSPICIOUS, noted("it holds code beside the weights"), place)
            return
        if not len(body) or not self._deeper(place):
            return
        kinds = self._kinds(body)
        if kinds:
            self.scan(body, place)
        elif not _is_text(bytes(body[:4096])) or _program(bytes(body[:16])):
            self._unknown(body, place, Content())
        self.depth -= 1

    def code(self, body: memoryview, where: str) -> None:
        """TorchScript's source."""
        scan_code(body, self.findings, where)

    def _deeper(self, where: str) -> bool:
        if self.depth >= self.budget.depth:
            self.findings.add(Verdict.NOT_SCANNED, noted("it is nested more than {n} deep", n=self.budget.depth), where)
            return False
        self.depth += 1
        return True

    def inner(self, where: str) -> Any:
        """Bytes within a pickle: looked at if they are a pickle or an archive themselves."""

        def look(body: bytes, what: str) -> None:
            pickled = body[:1] == b"\x80" and body[1] <= 5 and body.rstrip(b"\0")[-1:] == b"."
            if not pickled and body[:4] != zips.LOCAL:
                return
            place = f"{where}{', ' if where else ''}{what}"
            if not self._deeper(place):
                return
            before = self.findings.counts.copy()
            self.scan(memoryview(body), place)
            self.depth -= 1
            if self.findings.counts != before:
                self.findings.add(Verdict.SUSPICIOUS, noted("a file hidden in bytes of the pickle"), place)

        return look

    def _unknown(self, data: memoryview, where: str, found: Content) -> None:
        head = bytes(data[:64])
        if program := _program(head):
            found.format = program
            self.findings.add(Verdict.SUSPICIOUS, noted("it is {program}, not weights", program=program), where)
            return
        unread = next((name for magic, at, name in _UNREAD if head[at : at + len(magic)] == magic), "")
        found.format = unread or "unknown"
        if unread:
            what = noted("a {unread} is not read here", unread=unread)
        else:
            shown = printable(head[:12].decode("latin-1"))
            what = noted("it is no format that is known here: it begins with {name}", name=repr(shown))
        self.findings.add(Verdict.NOT_SCANNED, what, where)


def _begins_like_pickle(head: bytes) -> bool:
    """The first opcodes that protocols 0 and 1 can begin with."""
    return head[:1] in {b"(", b"]", b"}", b")", b"c", b"i", b"I", b"L", b"F", b"S", b"V", b"N", b"K", b"J", b"M", b"U",
                        b"T", b"X", b"G", b"P", b"l", b"d", b"\x88", b"\x89", b"\x8a", b"\x8c", b"\x95", b"C", b"B",
                        b"\x8f", b"\x8e", b"\x8d", b"\x96", b"\x82", b"\x83", b"\x84"}  # fmt: skip


def _program(head: bytes) -> str:
    return next((name for magic, name in _PROGRAMS if head.startswith(magic)), "")


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character cut in two
    return b"\0" not in head
