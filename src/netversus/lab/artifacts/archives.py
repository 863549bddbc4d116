"""Zip archives: torch's format, TorchScript, NumPy's npz, Keras's, and any other."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from netversus.lab.artifacts import keras, zips
from netversus.lab.artifacts.findings import BrokenError, Verdict, printable
from netversus.lab.artifacts.machine import Scene
from netversus.lab.artifacts.pickles import Storages, check_claims, scan_stream, tensors
from netversus.lab.artifacts.zips import Member
from netversus.messages import noted

if TYPE_CHECKING:
    from netversus.lab.artifacts.kinds import Content, Scanner

_STORAGE = re.compile(r"data/[^/]+|constants/\d+")
_PLAIN = {"version", "byteorder", ".data/serialization_id", ".format_version", ".storage_alignment", "model.json"}


class Archive:
    """One zip archive."""

    def __init__(self, scanner: Scanner, data: memoryview, where: str, found: Content) -> None:
        self.scanner = scanner
        self.findings = scanner.findings
        self.budget = scanner.budget
        self.data = data
        self.where = where
        self.found = found
        self.bodies: dict[str, memoryview] = {}
        self.starts: dict[str, int] = {}  # where the bytes of members that are stored as they are begin

    def scan(self) -> None:
        """Look at its structure, then at every member."""
        try:
            held = zips.members(self.data, self.findings, self.where)
        except BrokenError as broken:
            self.findings.add(Verdict.DAMAGED, broken.what, self.where, broken.at)
            self._carved()
            return
        for member in held:
            if member.name.endswith("/") and not member.size:
                continue
            body = zips.content(self.data, member, self.findings, self.budget, self.where)
            if body is not None:
                self.bodies[member.name] = body
                if member.method == zips.STORED:
                    self.starts[member.name] = member.body
        if held:
            self._by_kind(held)

    def _carved(self) -> None:
        """An archive without a directory: what begins as a pickle in it is followed, as some readers follow it."""
        at = 0
        whole = bytes(self.data[: 64 * 2**20])
        while (at := whole.find(zips.LOCAL, at)) >= 0:
            body = at + 30 + int.from_bytes(whole[at + 26 : at + 28], "little")
            body += int.from_bytes(whole[at + 28 : at + 30], "little")
            if whole[body : body + 1] == b"\x80":
                scene = Scene(self.findings, self.budget, self.where, persistent=lambda *_: None)
                scan_stream(self.data, body, scene, told_broken=False)
            at += 4

    def _by_kind(self, held: list[Member]) -> None:
        names = set(self.bodies)
        pickles = [name for name in names if PurePosixPath(name).name == "data.pkl"]
        if pickles:
            self._torch(held, pickles)
        elif "config.json" in names and any(name.endswith(".h5") for name in names):
            self._keras()
        else:
            arrays = all(name.endswith(".npy") for name in names)
            self.found.format = "npz" if arrays else "zip"
            for name, body in self.bodies.items():
                self.scanner.member(name, body, self.where)

    def _place(self, name: str) -> str:
        return f"{self.where}{'/' if self.where else ''}{name}"

    # -- torch ----------------------------------------------------------------------------------------------------

    def _torch(self, held: list[Member], pickles: list[str]) -> None:
        top = held[0].name.partition("/")[0]
        outside = [name for name in self.bodies if name.partition("/")[0] != top]
        if outside or len(pickles) > 1:
            what = noted(
                "torch reads the folder {folder}; {other} lies elsewhere",
                folder=repr(printable(top)),
                other=repr(printable((outside or pickles)[0])),
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)
        script = any(name.startswith(f"{top}/code/") or name == f"{top}/constants.pkl" for name in self.bodies)
        self.found.format = "TorchScript" if script else "torch"
        for member in held:
            if member.method != zips.STORED:
                what = noted("member {name} is compressed, which torch never does", name=repr(printable(member.name)))
                self.findings.add(Verdict.SUSPICIOUS, what, self.where)
        if script:
            what = noted("it holds a program of its own, in TorchScript, that loading and calling it runs")
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)
        claimed = self._pickles(pickles, top, script=script)
        for name, body in self.bodies.items():
            if name not in claimed:
                self._other(name, body, top, script=script)

    def _pickles(self, pickles: list[str], top: str, *, script: bool) -> set[str]:
        """Follow the pickles that torch itself reads. The members that are accounted for."""
        done: set[str] = set()
        others = (f"{top}/{each}" for each in ("constants.pkl", "bytecode.pkl", "attributes.pkl"))
        for name in sorted({*pickles, *others}):
            if name not in self.bodies:
                continue
            done.add(name)
            storages = Storages(self.findings, self._place(name))
            scene = Scene(
                self.findings,
                self.budget,
                self._place(name),
                script=script,
                persistent=storages.persistent,
                inner=self.scanner.inner(self._place(name)),
            )
            body = self.bodies[name]
            value, end = scan_stream(body, 0, scene)
            if end is not None and end < len(body):
                scene.tell(
                    Verdict.SUSPICIOUS, noted("{n} bytes follow the end of the pickle", n=f"{len(body) - end:,}"), end
                )
                scan_stream(body, end, scene, told_broken=False)
            folder = "constants" if name.endswith("constants.pkl") else "data"
            done |= self._held(storages, f"{name.rpartition('/')[0]}/{folder}", name)
            found = tensors(value)
            check_claims(found, self.findings, self._place(name))
            if name == f"{top}/data.pkl":
                self.found.tensors, self.found.value = found, value
        return done

    def _held(self, storages: Storages, folder: str, pickle: str) -> set[str]:
        """Compare each storage that the pickle names with the member that holds it."""
        done = set()
        for key, claim in storages.by_key.items():
            name = f"{folder}/{key}"
            body = self.bodies.get(name)
            if body is None:
                what = noted("storage {key}, which the pickle names, is not in the archive", key=repr(printable(key)))
                self.findings.add(Verdict.DAMAGED, what, self._place(pickle))
                continue
            done.add(name)
            if len(body) != claim.nbytes:
                claimed = noted(
                    "{n} bytes ({count} of {dtype})", n=f"{claim.nbytes:,}", count=f"{claim.numel:,}", dtype=claim.dtype
                )
                what = noted("the pickle claims {claimed}, it holds {n}", claimed=claimed, n=f"{len(body):,}")
                self.findings.add(Verdict.SUSPICIOUS, what, self._place(name))
            claim.held = len(body)
            claim.start = self.starts.get(name)
        return done

    def _other(self, name: str, body: memoryview, top: str, *, script: bool) -> None:
        inside = name.removeprefix(f"{top}/")
        place = self._place(name)
        if script and inside.startswith("code/") and inside.endswith(".py"):
            self.scanner.code(body, place)
        elif script and inside.endswith(".debug_pkl"):
            scan_stream(body, 0, Scene(self.findings, self.budget, place, script=True))
        elif _STORAGE.fullmatch(inside):
            what = noted("{n} bytes lie among the storages, and nothing names them", n=f"{len(body):,}")
            self.findings.add(Verdict.SUSPICIOUS, what, place)
            self.scanner.member(name, body, self.where)
        elif inside not in _PLAIN or len(body) > 4096:
            self._foreign(name, body, place)

    def _foreign(self, name: str, body: memoryview, place: str) -> None:
        """A member that torch does not write by itself."""
        if bytes(body[:4]) == zips.LOCAL:
            self.findings.add(Verdict.SUSPICIOUS, noted("an archive in the archive"), place)
        self.scanner.member(name, body, self.where)

    # -- Keras ----------------------------------------------------------------------------------------------------

    def _keras(self) -> None:
        self.found.format = "Keras"
        for name, body in self.bodies.items():
            if name == "config.json":
                keras.scan_config(body, self.findings, self._place(name))
            elif name.endswith(".h5"):
                what = noted("its weights are in HDF5, which is not taken apart here")
                self.findings.add(Verdict.NOT_SCANNED, what, self._place(name))
            elif name != "metadata.json":
                self.scanner.member(name, body, self.where)
