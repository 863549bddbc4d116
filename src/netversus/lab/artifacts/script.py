"""The code in a TorchScript archive: a small language of torch's own, compiled and run when the model is loaded and
called. It reaches no Python, but some of its operators touch files, processes and the network."""

from __future__ import annotations

import re

from netversus.lab.artifacts.findings import Findings, Verdict, printable
from netversus.messages import noted

_CALLED = re.compile(r"\b(?:ops|torch)\.([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?\s*\(")
_LIBRARIES = {"aten", "prim", "quantized", "torchvision", "prims", "sparse", "mkldnn", "mkldnn_prepacked", "onednn",
              "_quantized", "static_runtime", "inductor", "torch"}  # fmt: skip
_TOUCHES = {"save", "load", "from_file", "save_to_file", "rpc_async", "rpc_sync", "rpc_remote", "fork", "_open_device"}


def scan_code(body: memoryview, findings: Findings, where: str) -> None:
    """One source file of the archive."""
    try:
        text = bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        findings.add(Verdict.NOT_SCANNED, noted("its code is no text"), where)
        return
    for found in _CALLED.finditer(text):
        library, operator = (found[1], found[2]) if found[2] else ("aten", found[1])
        if operator in _TOUCHES:
            what = noted(
                "its code calls {library}.{operator}, which touches files or processes",
                library=library,
                operator=operator,
            )
            findings.add(Verdict.HOSTILE, what, where, found.start())
        elif found[0].startswith("ops.") and library not in _LIBRARIES:
            what = noted(
                "its code calls {library}.{operator}, of a library of its author's",
                library=printable(library),
                operator=printable(operator),
            )
            findings.add(Verdict.SUSPICIOUS, what, where, found.start())
    for word in ("__import__", "importlib", "subprocess", "os.system", "eval(", "exec("):
        if (at := text.find(word)) >= 0:
            findings.add(
                Verdict.HOSTILE, noted("its code holds {word}, which is not of TorchScript", word=repr(word)), where, at
            )
