"""ONNX: a graph of named operators. It runs none of Python's code; it may name files, and operators that a library
brings. Field numbers are those of `onnx/onnx.proto`."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath

from netversus.lab.artifacts.findings import BrokenError, Budget, Findings, Verdict, printable
from netversus.lab.artifacts.protobuf import BYTES, VARINT, fields, varint
from netversus.messages import noted

# ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, FunctionProto
IR_VERSION, PRODUCER, GRAPH, OPSETS, FUNCTIONS = 1, 2, 7, 8, 25
NODE, INITIALIZER, SPARSE = 1, 5, 15
OP_TYPE, ATTRIBUTE, DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_DIMS, _TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14
_FUNCTION_NODE, _FUNCTION_DOMAIN = 7, 10
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2}
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft",
            "com.microsoft.nchwc", "com.ms.internal.nhwc"}  # fmt: skip
_DEEP = 20


def is_onnx(data: memoryview) -> bool:
    """Whether the file is a message whose fields are those of an ONNX model, with a graph among them."""
    if len(data) < 8 or data[0] != IR_VERSION << 3 | VARINT:
        return False
    try:
        version, at = varint(data, 1)
        seen = set()
        while at < len(data):
            key, at = varint(data, at)
            number, wire = key >> 3, key & 7
            if not (number in range(1, 27) and wire in {VARINT, BYTES}):
                return False
            seen.add(number)
            if wire == VARINT:
                _, at = varint(data, at)
            else:
                size, at = varint(data, at)
                at += size
    except BrokenError:
        return False
    return version < 100 and at == len(data) and GRAPH in seen


class Graph:
    """One ONNX file."""

    def __init__(self, findings: Findings, budget: Budget, where: str, folder: Path | None) -> None:
        self.findings = findings
        self.budget = budget
        self.where = where
        self.folder = folder
        self.own_domains: set[str] = set()
        self.external: dict[str, Path] = {}

    def scan(self, data: memoryview) -> None:
        """Look at every node and tensor."""
        try:
            found = list(fields(data))
            functions = [body for number, body in found if number == FUNCTIONS and isinstance(body, memoryview)]
            for body in functions:
                self.own_domains.update(_texts(body, _FUNCTION_DOMAIN))
            for body in functions:
                self._nodes(body, _FUNCTION_NODE, 0)
            for number, graph in found:
                if number == GRAPH and isinstance(graph, memoryview):
                    self._graph(graph, 0)
        except (BrokenError, UnicodeDecodeError) as broken:
            self.findings.add(Verdict.DAMAGED, noted("the graph cannot be read: {what}", what=broken), self.where)

    def _graph(self, data: memoryview, depth: int) -> None:
        if depth > _DEEP:
            self.findings.add(Verdict.NOT_SCANNED, noted("graphs are nested deeper than is read here"), self.where)
            return
        self._nodes(data, NODE, depth)
        for number, body in fields(data):
            if number == INITIALIZER and isinstance(body, memoryview):
                self._tensor(body)
            elif number == SPARSE and isinstance(body, memoryview):
                for inner, part in fields(body):
                    if inner in {1, 2} and isinstance(part, memoryview):
                        self._tensor(part)

    def _nodes(self, data: memoryview, field: int, depth: int) -> None:
        for number, body in fields(data):
            if number == field and isinstance(body, memoryview):
                self.budget.step(1)
                self._node(body, depth)

    def _node(self, data: memoryview, depth: int) -> None:
        operator = next(_texts(data, OP_TYPE), "")
        domain = next(_texts(data, DOMAIN), "")
        if domain not in _DOMAINS | self.own_domains:
            what = noted(
                "the operator {domain}::{operator} needs a library of its author's",
                domain=printable(domain),
                operator=printable(operator),
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)
        if operator in {"PyOp", "PythonOp", "PyFunc"}:
            what = noted("the operator {domain}::{operator} calls Python", domain=printable(domain), operator=operator)
            self.findings.add(Verdict.HOSTILE, what, self.where)
        for number, body in fields(data):
            if number == ATTRIBUTE and isinstance(body, memoryview):
                self._attribute(body, depth)

    def _attribute(self, data: memoryview, depth: int) -> None:
        for number, body in fields(data):
            if not isinstance(body, memoryview):
                continue
            if number in {_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS}:
                self._tensor(body)
            elif number in {_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS}:
                self._graph(body, depth + 1)

    def _tensor(self, data: memoryview) -> None:
        self.budget.tick()
        dims, kind, location, raw = _shape(data)
        name = printable(next(_texts(data, _NAME), ""))
        if any(side < 0 or side >= 2**63 for side in dims):
            self.findings.add(
                Verdict.SUSPICIOUS,
                noted("tensor {name} has shape {shape}", name=repr(name), shape=tuple(dims)),
                self.where,
            )
            return
        claimed = prod(dims) * _ITEM_BYTES[kind] if kind in _ITEM_BYTES else None
        entries = [body for number, body in fields(data) if number == _EXTERNAL and isinstance(body, memoryview)]
        if location == 1 or entries:
            self._outside(name, entries, claimed)
        elif raw is not None and claimed is not None and raw != claimed:
            what = noted(
                "tensor {name} claims shape {shape}, {n} bytes, and holds {held}",
                name=repr(name),
                shape=tuple(dims),
                n=f"{claimed:,}",
                held=f"{raw:,}",
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)

    def _outside(self, name: str, entries: list[memoryview], claimed: int | None) -> None:
        """A tensor whose bytes lie in another file."""
        told: dict[str, str] = {}
        for entry in entries:
            key, value = next(_texts(entry, 1), ""), next(_texts(entry, 2), "")
            if key in told:
                self.findings.add(
                    Verdict.SUSPICIOUS,
                    noted("tensor {name} says twice where its {key} is", name=repr(name), key=key),
                    self.where,
                )
            told[key] = value
        location = told.get("location", "")
        plain = PurePosixPath(location.replace("\\", "/"))
        leads_out = plain.is_absolute() or bool(PureWindowsPath(location).drive) or ".." in plain.parts
        if leads_out or not location or "\0" in location:
            what = noted(
                "tensor {name} reads the file {file}, outside the model's own folder",
                name=repr(name),
                file=repr(printable(location)),
            )
            self.findings.add(Verdict.HOSTILE, what, self.where)
            return
        self._beside(name, location, told, claimed)

    def _beside(self, name: str, location: str, told: dict[str, str], claimed: int | None) -> None:
        if self.folder is None:
            self.findings.add(
                Verdict.NOT_SCANNED,
                noted("tensor {name} lies in {file}", name=repr(name), file=repr(printable(location))),
                self.where,
            )
            return
        path = self.folder / location
        if path.is_symlink() or not path.resolve().is_relative_to(self.folder.resolve()):
            what = noted(
                "tensor {name} reads {file}, a link to somewhere else", name=repr(name), file=repr(printable(location))
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)
            return
        if not path.is_file():
            what = noted(
                "tensor {name} lies in {file}, which is not there", name=repr(name), file=repr(printable(location))
            )
            self.findings.add(Verdict.DAMAGED, what, self.where)
            return
        self.external[location] = path
        offset, size = _count(told.get("offset", "0")), _count(told.get("length", str(claimed or 0)))
        if offset is None or size is None or offset + size > path.stat().st_size:
            what = noted(
                "tensor {name} reaches past the end of {file}", name=repr(name), file=repr(printable(location))
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)
        elif claimed is not None and size != claimed:
            what = noted(
                "tensor {name} claims {claimed} bytes and has {size} in {file}",
                name=repr(name),
                claimed=f"{claimed:,}",
                size=f"{size:,}",
                file=repr(printable(location)),
            )
            self.findings.add(Verdict.SUSPICIOUS, what, self.where)


def _texts(data: memoryview, wanted: int) -> Iterator[str]:
    for number, body in fields(data):
        if number == wanted and isinstance(body, memoryview):
            yield bytes(body).decode("utf-8")


def _shape(data: memoryview) -> tuple[list[int], int, int, int | None]:
    """Sides, element type, location (1: another file), bytes of raw data."""
    dims: list[int] = []
    kind = location = 0
    raw: int | None = None
    for number, body in fields(data):
        if number == _DIMS and isinstance(body, int):
            dims.append(body if body < 2**63 else body - 2**64)
        elif number == _DIMS and isinstance(body, memoryview):
            at = 0
            while at < len(body):
                side, at = varint(body, at)
                dims.append(side if side < 2**63 else side - 2**64)
        elif number == _TYPE and isinstance(body, int):
            kind = body
        elif number == _LOCATION and isinstance(body, int):
            location = body
        elif number == _RAW and isinstance(body, memoryview):
            raw = len(body)
    return dims, kind, location, raw


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
