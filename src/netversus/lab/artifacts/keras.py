"""Keras models: a JSON configuration that names the classes to build. Lambda layers carry code, and a configuration may
name any module (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2025-9906, CVE-2025-12058)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from netversus.lab.artifacts.findings import Findings, Verdict, printable
from netversus.messages import noted

HDF5 = b"\x89HDF\r\n\x1a\n"
_OWN = re.compile(
    r"(keras|keras\.src|tensorflow\.keras|tf_keras|tf_keras\.src)"
    r"(\.(layers|models|optimizers|losses|metrics|initializers|regularizers|constraints|activations|random|dtype_policies"
    r"|engine|ops|saving|backend|legacy)[\w.]*)?"
)
_CODE_LAYER = re.compile(rb'"class_name"\s*:\s*"(Lambda|TFOpLambda|SlicingOpLambda|__lambda__)"')
_MODULE = re.compile(rb'"module"\s*:\s*"([\w.]{1,100})"')
_CODE_CLASSES = {"Lambda", "TFOpLambda", "SlicingOpLambda", "__lambda__"}
_FILE_LAYERS = {"StringLookup", "IntegerLookup", "TextVectorization"}
_DEEP = 200


def scan_config(body: memoryview, findings: Findings, where: str) -> None:
    """The configuration of a .keras archive."""
    try:
        config = json.loads(bytes(body).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        findings.add(
            Verdict.DAMAGED, noted("the configuration is no JSON: {error}", error=printable(str(error))), where
        )
        return
    for entry in _entries(config, findings, where):
        _entry(entry, findings, where)


def _entries(config: Any, findings: Findings, where: str) -> Iterator[dict[str, Any]]:
    waiting = [(config, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _DEEP:
            findings.add(Verdict.NOT_SCANNED, noted("the configuration is nested deeper than is read here"), where)
            continue
        if isinstance(value, dict):
            if "class_name" in value or "module" in value:
                yield value
            waiting.extend((each, depth + 1) for each in value.values())
        elif isinstance(value, list):
            waiting.extend((each, depth + 1) for each in value)


def _entry(entry: dict[str, Any], findings: Findings, where: str) -> None:
    name, module = str(entry.get("class_name")), entry.get("module")
    if name in _CODE_CLASSES:
        findings.add(
            Verdict.HOSTILE, noted("a layer {name} holds code that loading or calling the model runs", name=name), where
        )
    if module is not None and not _OWN.fullmatch(str(module)):
        in_python = str(module).partition(".")[0] in {"os", "builtins", "subprocess", "sys", "shutil", "importlib"}
        kind = Verdict.HOSTILE if in_python or str(module).startswith("keras.") else Verdict.SUSPICIOUS
        what = noted(
            "it makes {module}.{name}, which is not of Keras's layers",
            module=printable(str(module)),
            name=printable(name),
        )
        findings.add(kind, what, where)
    registered = entry.get("registered_name")
    if isinstance(registered, str) and ">" in registered and not registered.startswith("keras"):
        findings.add(
            Verdict.SUSPICIOUS, noted("it needs the author's own class {name}", name=printable(registered)), where
        )
    inner = entry.get("config")
    if name in _FILE_LAYERS and isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
        what = noted(
            "a layer {name} reads the file or address {address} when it is loaded",
            name=name,
            address=repr(printable(inner["vocabulary"])),
        )
        findings.add(Verdict.HOSTILE, what, where)


def scan_hdf5(data: memoryview, findings: Findings, where: str) -> None:
    """HDF5 is not taken apart here: code that stands in it in plain text is told, and the rest is not scanned."""
    text = data.obj if isinstance(data.obj, bytes) and len(data.obj) == len(data) else bytes(data)
    for found in _CODE_LAYER.finditer(text):
        what = noted("a layer {name} holds code that loading the model runs", name=found[1].decode())
        findings.add(Verdict.HOSTILE, what, where, found.start())
    for found in _MODULE.finditer(text):
        module = found[1].decode()
        if not _OWN.fullmatch(module):
            what = noted("it makes something of the module {module}, which is not Keras's", module=module)
            findings.add(Verdict.SUSPICIOUS, what, where, found.start())
    findings.add(
        Verdict.NOT_SCANNED, noted("HDF5 is not taken apart here; only code in plain text was looked for"), where
    )
