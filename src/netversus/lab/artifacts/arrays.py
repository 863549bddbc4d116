"""NumPy's .npy: a short header, then raw numbers, or a pickle where the array holds objects."""

from __future__ import annotations

import ast
import re
from math import prod
from typing import Any

from netversus.lab.artifacts.findings import BrokenError, Verdict, printable
from netversus.lab.artifacts.machine import Scene
from netversus.lab.artifacts.pickles import scan_stream
from netversus.messages import noted

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # bytes: numpy's own bound
_SIMPLE = re.compile(r"[<>|=]([biufcSUVmM?])(\d+)(\[[\w]+\])?")
_OBJECT = re.compile(r"[<>|=]?O\d*")


def scan_array(data: memoryview, scene: Scene) -> None:
    """Look at one array, and at what follows it."""
    try:
        header, at = _header(data)
        descr, shape = header["descr"], header["shape"]
    except (BrokenError, KeyError, ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        scene.tell(
            Verdict.DAMAGED, noted("the header of the array cannot be read: {error}", error=printable(str(error))), 0
        )
        return
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        scene.tell(Verdict.DAMAGED, noted("the array's shape is {shape}", shape=printable(repr(shape))), 0)
        return
    if _has_objects(descr):
        _objects(data, at, scene)
        return
    size = _item_bytes(descr)
    if size is None:
        scene.tell(
            Verdict.NOT_SCANNED, noted("elements of type {descr} are not read here", descr=printable(repr(descr))), 0
        )
        return
    _raw(data, at, shape, size, scene)


def _header(data: memoryview) -> tuple[dict[str, Any], int]:
    major = data[6] if len(data) > 10 else 0
    width = {1: 2, 2: 4, 3: 4}.get(major)
    if width is None:
        raise BrokenError(noted("version {n}", n=major))
    size = int.from_bytes(data[8 : 8 + width], "little")
    at = 8 + width + size
    if size > LONGEST_HEADER or at > len(data):
        raise BrokenError(noted("a header of {size} bytes", size=f"{size:,}"))
    found = ast.literal_eval(bytes(data[8 + width : at]).decode("utf-8" if major == 3 else "latin-1").strip())
    if not isinstance(found, dict) or set(found) != {"descr", "fortran_order", "shape"}:
        raise BrokenError(noted("not the three entries that it should hold"))
    return found, at


def _has_objects(descr: Any) -> bool:
    if isinstance(descr, str):
        return bool(_OBJECT.fullmatch(descr))
    return isinstance(descr, list | tuple) and any(_has_objects(each) for each in descr if not isinstance(each, int))


def _item_bytes(descr: Any) -> int | None:
    """Bytes of an element; None for what is not read here."""
    if isinstance(descr, str):
        found = _SIMPLE.fullmatch(descr)
        return int(found[2]) * (4 if found[1] == "U" else 1) if found else None
    if not isinstance(descr, list):
        return None
    total = 0
    for field in descr:
        if not isinstance(field, tuple) or len(field) not in {2, 3} or (inner := _item_bytes(field[1])) is None:
            return None
        total += inner * (prod(field[2]) if len(field) == 3 and isinstance(field[2], tuple) else 1)
    return total


def _objects(data: memoryview, at: int, scene: Scene) -> None:
    _, end = scan_stream(data, at, scene)
    scene.tell(Verdict.CLEAN, noted("an array of objects: opening it needs unpickling"), at)
    if end is not None and end < len(data):
        scene.tell(Verdict.SUSPICIOUS, noted("{n} bytes follow the pickle of the array", n=f"{len(data) - end:,}"), end)
        scan_stream(data, end, scene, told_broken=False)


def _raw(data: memoryview, at: int, shape: tuple[int, ...], size: int, scene: Scene) -> None:
    claimed, have = prod(shape) * size, len(data) - at
    if claimed > have:
        scene.tell(
            Verdict.DAMAGED,
            noted("the array claims {claimed} bytes, the file holds {n}", claimed=f"{claimed:,}", n=f"{have:,}"),
            at,
        )
    elif claimed < have:
        scene.tell(Verdict.SUSPICIOUS, noted("{n} bytes follow the array", n=f"{have - claimed:,}"), at + claimed)
        scan_stream(data, at + claimed, scene, told_broken=False)
