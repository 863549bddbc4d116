"""Files that are pickles: one stream, torch's old format (streams and raw storages in turn), or several by trickery."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from netversus.lab.artifacts import names
from netversus.lab.artifacts.calls import RefusedError, numbers
from netversus.lab.artifacts.claims import STORAGES, StorageClaim, TensorClaim, lack
from netversus.lab.artifacts.findings import BrokenError, Budget, Findings, Verdict, printable
from netversus.lab.artifacts.machine import Machine, Scene
from netversus.lab.artifacts.values import Bag, GlobalRef, Instance, Pairs, get, show
from netversus.messages import noted

MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
_SIMPLE_DTYPE = re.compile(r"[<>|=]?([biufcSUmM])(\d+)")
_OBJECT_DTYPE = re.compile(r"[|=<>]?O(8|4)?")
# What stands at the end of some files and is no second pickle: padding.
_PADDING = re.compile(rb"\0*")

Inner = Callable[[bytes, str], None]


class Storages:
    """The storages that the pickles of one file name, by key."""

    def __init__(self, findings: Findings, where: str) -> None:
        self.findings = findings
        self.where = where
        self.by_key: dict[str, StorageClaim] = {}

    def persistent(self, given: Any, at: int) -> Any:
        """What `("storage", class, key, location, elements[, view])` stands for."""
        if not isinstance(given, tuple) or len(given) not in {5, 6} or given[0] != "storage":
            what = noted("a persistent id that is no storage: {given}", given=printable(show(given)))
            self.findings.add(Verdict.SUSPICIOUS, what, self.where, at)
            return Instance("persistent id")
        kind, key, _, count = given[1:5]
        dtype = self._dtype(kind)
        sound = isinstance(key, str) and isinstance(count, int) and count >= 0 and not isinstance(count, bool)
        if dtype is None or not sound or (len(given) == 6 and given[5] is not None and not _is_view(given[5])):
            what = noted(
                "a storage of {kind} with key {key} and {count} elements",
                kind=show(kind),
                key=show(key),
                count=show(count),
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where, at)
            return Instance("storage")
        known = self.by_key.setdefault(key, StorageClaim(key, dtype, count, at))
        if (known.dtype, known.numel) != (dtype, count):
            self.findings.add(
                Verdict.SUSPICIOUS, noted("storage {key} is claimed in two ways", key=repr(key)), self.where, at
            )
        if len(given) == 6 and given[5] is not None:
            return self._view(known, given[5], at)
        return known

    def _dtype(self, kind: Any) -> str | None:
        if not isinstance(kind, GlobalRef) or kind.whole not in names.STORAGE_CLASSES:
            return None
        return STORAGES.get(kind.name)

    def _view(self, root: StorageClaim, view: Any, at: int) -> StorageClaim:
        """A part of a storage, in torch's oldest files."""
        _, offset, size = view
        if offset < 0 or size < 0 or offset + size > root.numel:
            self.findings.add(
                Verdict.SUSPICIOUS, noted("a view reaches past storage {key}", key=repr(root.key)), self.where, at
            )
            size = 0
        return StorageClaim(root.key, root.dtype, size, at)


def _is_view(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(isinstance(each, int) for each in value[1:])


def scan_stream(data: memoryview, start: int, scene: Scene, *, told_broken: bool = True) -> tuple[Any, int | None]:
    """Follow one stream. The value and where it ends; None for the end where it broke, which is told."""
    try:
        return Machine(data, scene).run(start)
    except BrokenError as broken:
        if told_broken:
            scene.tell(
                Verdict.DAMAGED, noted("the pickle cannot be followed to its end: {what}", what=broken.what), broken.at
            )
        return None, None


def scan_pickle(data: memoryview, findings: Findings, budget: Budget, where: str, inner: Inner) -> tuple[str, Any]:
    """A file that begins as a pickle: its format in words, and its value."""
    storages = Storages(findings, where)
    raw = JoblibArrays(data, findings, budget, where, inner)
    scene = Scene(findings, budget, where, inner=inner, raw=raw.end)
    before = len(findings.lines)
    first, end = scan_stream(data, 0, scene)
    if end is None:
        return "pickle", first
    if first == MAGIC and isinstance(first, int):
        if len(findings.lines) != before or end > 64:
            findings.add(Verdict.SUSPICIOUS, noted("its magic number is computed, not written"), where, 0)
        return "torch, legacy", _legacy(data, end, storages, scene)
    _after(data, end, findings, budget, where, inner)
    return ("joblib" if raw.found else "pickle"), first


def _after(data: memoryview, end: int, findings: Findings, budget: Budget, where: str, inner: Inner) -> None:
    """What follows the first stream: whoever loads twice runs it."""
    while end < len(data):
        rest = len(data) - end
        if rest <= 512 and _PADDING.fullmatch(bytes(data[end:])):
            return
        findings.add(Verdict.SUSPICIOUS, noted("{n} bytes follow the end of the pickle", n=f"{rest:,}"), where, end)
        scene = Scene(findings, budget, where, inner=inner)
        _, found = scan_stream(data, end, scene, told_broken=False)
        if found is None:
            return
        end = found


def _legacy(data: memoryview, at: int, storages: Storages, scene: Scene) -> Any:
    """What torch wrote before 1.6: protocol, system, object, keys, then each storage's length and bytes."""
    protocol, end = scan_stream(data, at, scene)
    if end is None or protocol != LEGACY_PROTOCOL:
        scene.tell(
            Verdict.DAMAGED,
            noted("its protocol is {protocol}, expected {expected}", protocol=show(protocol), expected=LEGACY_PROTOCOL),
            at,
        )
        return None
    system, end = scan_stream(data, end, scene)
    if end is None:
        return None
    little = get(system, "little_endian", otherwise=True)
    scene.persistent = storages.persistent
    value, end = scan_stream(data, end, scene)
    scene.persistent = None
    if end is None:
        return None
    keys, end = scan_stream(data, end, scene)
    if end is None:
        return value
    if not isinstance(keys, list) or little is not True:
        scene.tell(Verdict.DAMAGED, noted("its list of storages cannot be read, or its numbers are big-endian"), end)
        return value
    _legacy_storages(data, end, keys, storages, scene)
    return value


def _legacy_storages(data: memoryview, at: int, keys: list[Any], storages: Storages, scene: Scene) -> None:
    unseen = set(storages.by_key)
    for key in keys:
        claim = storages.by_key.get(key) if isinstance(key, str) else None
        if claim is None or key not in unseen:
            scene.tell(
                Verdict.SUSPICIOUS, noted("it lists the storage {key}, which nothing names once", key=show(key)), at
            )
            return
        unseen.discard(key)
        if at + 8 > len(data):
            scene.tell(Verdict.DAMAGED, noted("storage {key} is missing", key=repr(key)), at)
            return
        (count,) = struct.unpack_from("<q", data, at)
        if count != claim.numel:
            what = noted(
                "storage {key} holds {count} elements where the pickle claims {claimed}",
                key=repr(key),
                count=f"{count:,}",
                claimed=f"{claim.numel:,}",
            )
            scene.tell(Verdict.SUSPICIOUS, what, at)
            return
        claim.start, claim.held = at + 8, min(claim.nbytes, len(data) - at - 8)
        at += 8 + claim.nbytes
        if at > len(data):
            scene.tell(Verdict.DAMAGED, noted("storage {key} ends early", key=repr(key)), len(data))
            return
    for key in sorted(unseen):
        scene.tell(Verdict.DAMAGED, noted("storage {key} is missing", key=repr(key)))
    if at < len(data) and not (len(data) - at <= 512 and _PADDING.fullmatch(bytes(data[at:]))):
        scene.tell(Verdict.SUSPICIOUS, noted("{n} bytes follow the last storage", n=f"{len(data) - at:,}"), at)


class JoblibArrays:
    """joblib writes arrays raw, in the middle of the pickle, behind the opcode that describes them."""

    def __init__(self, data: memoryview, findings: Findings, budget: Budget, where: str, inner: Inner) -> None:
        self.data = data
        self.findings = findings
        self.budget = budget
        self.where = where
        self.inner = inner
        self.found = 0

    def end(self, wrapper: Instance, at: int) -> int:
        """Where the array of `wrapper` that begins at `at` ends. An array of objects is a pickle, and followed."""
        self.found += 1
        state = wrapper.state
        dtype = get(state, "dtype")
        code = dtype.args[0] if isinstance(dtype, Instance) and dtype.kind == "numpy.dtype" and dtype.args else ""
        if _OBJECT_DTYPE.fullmatch(code):
            scene = Scene(self.findings, self.budget, self.where, inner=self.inner)
            return Machine(self.data, scene).run(at)[1]
        simple = _SIMPLE_DTYPE.fullmatch(code)
        if simple is None:
            raise BrokenError(noted("an array of {code} is not read here", code=repr(code)), at)
        size = int(simple[2]) * (4 if simple[1] == "U" else 1)
        return self._raw(state, size, at)

    def _raw(self, state: Any, size: int, at: int) -> int:
        try:
            shape = numbers(get(state, "shape"))
        except RefusedError as refused:
            raise BrokenError(noted("an array without a shape: {why}", why=refused), at) from None
        count = 1
        for side in shape:
            if side < 0:
                raise BrokenError(noted("an array of shape {shape}", shape=shape), at)
            count *= side
        if get(state, "numpy_array_alignment_bytes") is not None:
            if at >= len(self.data):
                raise BrokenError(noted("an array is missing"), at)
            at += 1 + self.data[at]
        if at + count * size > len(self.data):
            raise BrokenError(
                noted(
                    "an array claims {size} bytes where {n} are left",
                    size=f"{count * size:,}",
                    n=f"{len(self.data) - at:,}",
                ),
                at,
            )
        return at + count * size


def tensors(value: Any) -> dict[str, TensorClaim]:
    """Every tensor that a pickle's value reaches, under the names of the way to it."""
    found: dict[str, TensorClaim] = {}
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, TensorClaim):
            found.setdefault(name or "tensor", each)
            for i, part in enumerate(each.parts):
                found.setdefault(f"{name}.part{i}", part)
            continue
        if id(each) in seen:
            continue
        if isinstance(each, Pairs | list | tuple | Bag | Instance):
            seen.add(id(each))
            children = [(f"{name}.{key}" if name else key, child) for key, child in _children(each)]
            waiting.extend(reversed(children))  # the last is taken first, and the file's order is kept
    return found


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Pairs):
        yield from ((str(key) if isinstance(key, str | int) else "?", child) for key, child in value.items)
    elif isinstance(value, Instance):
        yield from (("state", value.state), ("arguments", value.args))
    else:
        items = value.items if isinstance(value, Bag) else value
        yield from ((str(i), child) for i, child in enumerate(items))


def check_claims(found: dict[str, TensorClaim], findings: Findings, where: str) -> None:
    """Tell of each tensor that claims more than its storage holds."""
    for name, claim in found.items():
        if wrong := lack(claim):
            findings.add(
                Verdict.SUSPICIOUS, noted("tensor {name} {wrong}", name=repr(printable(name)), wrong=wrong), where
            )
