"""One file, looked at whole: its verdict, the evidence, its digest, what it claims to hold."""

from __future__ import annotations

import hashlib
import mmap
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from netversus.errors import UnsafeFileError, WeightsError
from netversus.lab.artifacts.claims import TensorClaim
from netversus.lab.artifacts.findings import (
    SEVERITY,
    BrokenError,
    Budget,
    Finding,
    Findings,
    OutOfBudgetError,
    Verdict,
    printable,
)
from netversus.lab.artifacts.kinds import Content, Scanner
from netversus.messages import noted, template

TORCH_FORMATS = ("torch", "torch, legacy")
_BLOCK = 4 * 2**20
# What a name promises, where a reader that goes by names would act on it.
_ENDINGS = {
    ".safetensors": ("safetensors",),
    ".npy": ("npy",),
    ".npz": ("npz",),
    ".onnx": ("ONNX",),
    ".keras": ("Keras",),
    ".h5": ("HDF5",),
    ".pt": ("torch", "torch, legacy", "torch, oldest (tar)", "TorchScript"),
    ".pth": ("torch", "torch, legacy", "torch, oldest (tar)", "TorchScript"),
}

# A content that no format's name tells.
_CONTENT = {
    "empty": template("its name ends in {suffix}, its content is empty"),
    "unknown": template("its name ends in {suffix}, its content is unknown"),
    "unreadable": template("its name ends in {suffix}, its content is unreadable"),
}


@dataclass(frozen=True, slots=True)
class External:
    """Another file that this one reads its numbers from."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of one file. `sha256` is empty where it was not asked for; `globals` are the names that its
    pickles import, with how often; `value` is the skeleton of a pickle's content, for `state`."""

    path: Path
    verdict: Verdict
    format: str
    size: int
    sha256: str
    findings: tuple[Finding, ...]
    globals: Mapping[str, int]
    tensors: Mapping[str, TensorClaim]
    external: tuple[External, ...]
    seconds: float
    value: Any = field(default=None, repr=False)

    def with_finding(self, *more: Finding) -> Scan:
        """The same scan with more evidence, and the verdict that follows."""
        lines = tuple(sorted([*self.findings, *more], key=lambda line: -SEVERITY[line.kind]))
        verdict = max([self.verdict, *(line.kind for line in more)], key=lambda kind: SEVERITY[kind])
        return replace(self, findings=lines, verdict=verdict)

    @property
    def elements(self) -> int:
        """The elements of all tensors that it claims."""
        return sum(claim.numel for claim in self.tensors.values())

    def record(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "path": str(self.path),
            "verdict": str(self.verdict),
            "format": self.format,
            "bytes": self.size,
            "sha256": self.sha256,
            "tensors": len(self.tensors),
            "elements": self.elements,
            "globals": dict(sorted(self.globals.items())),
            "findings": [
                {"kind": str(line.kind), "what": line.what, "where": line.where, "at": line.at}
                for line in self.findings
            ],
            "external": [{"name": e.name, "sha256": e.sha256, "bytes": e.size} for e in self.external],
            "seconds": round(self.seconds, 4),
        }


def scan_file(path: Path, *, digest: bool = True, seconds: float = 60.0) -> Scan:
    """Look at a file without opening it as what it is.

    Args:
        path: a regular file; its content decides what it is.
        digest: whether its SHA-256 is wanted.
        seconds: after which it gives up, with the verdict "not scanned".

    Raises:
        WeightsError: it cannot be read, or is no regular file.
    """
    begin = time.perf_counter()
    findings, budget = Findings(), Budget(seconds)
    size = _size(path)
    content, sha = Content(), ""
    if size:
        data = _mapped(path)
        content = _scanned(data, findings, budget, path.parent)
        sha = _sha256(data) if digest else ""
    else:
        findings.add(Verdict.DAMAGED, noted("the file is empty"))
    _ending(path, content.format, findings)
    external = tuple(
        External(name, _sha256(_mapped(file)) if digest and file.stat().st_size else "", file.stat().st_size)
        for name, file in sorted(content.external.items())
    )
    return Scan(
        path=path,
        verdict=findings.verdict,
        format=content.format or "empty",
        size=size,
        sha256=sha,
        findings=findings.sorted(),
        globals=findings.globals,
        tensors=content.tensors,
        external=external,
        seconds=time.perf_counter() - begin,
        value=content.value,
    )


def vouched(path: Path) -> Scan:
    """The scan of a file that is clean.

    Raises:
        UnsafeFileError: it is hostile or suspicious.
        WeightsError: it is damaged, cannot be read, or is of a kind that is not scanned.
    """
    found = scan_file(path, digest=False)
    if found.verdict is Verdict.CLEAN:
        return found
    first = found.findings[0]
    if found.verdict in {Verdict.HOSTILE, Verdict.SUSPICIOUS}:
        raise UnsafeFileError(
            f"{path} is {found.verdict} and was not opened, it needs more than tensors or claims more than it holds: "
            f"{first.what}",
            hint="netversus scan tells all of it; ask its author for safetensors",
        )
    if not found.size:
        raise WeightsError(f"the weights {path} are an empty file", hint="download them again")
    if found.verdict is Verdict.DAMAGED:
        raise WeightsError(f"{path} is damaged: {first.what}", hint="download it again")
    raise WeightsError(
        f"{path} was not opened, because it cannot be vouched for: {first.what}",
        hint="a web page saved in place of the weights looks like that" if found.format == "unknown" else "",
    )


def _size(path: Path) -> int:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "it is a folder" if stat.S_ISDIR(found.st_mode) else "it is no regular file"
            raise WeightsError(f"cannot read the weights {printable(str(path), 500)}: {what}")
        with path.open("rb"):
            return found.st_size
    except OSError as error:
        raise WeightsError(f"cannot read the weights {printable(str(path), 500)}: {error.strerror}") from None
    except ValueError as error:  # a null byte in the name
        raise WeightsError(f"cannot read the weights {printable(str(path), 500)}: {error}") from None


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _scanned(data: memoryview, findings: Findings, budget: Budget, folder: Path) -> Content:
    """Whatever goes wrong, the answer is "not scanned" or "damaged", never "clean"."""
    scanner = Scanner(findings, budget, folder)
    try:
        return scanner.scan(data)
    except OutOfBudgetError as spent:
        findings.add(Verdict.NOT_SCANNED, str(spent))
    except BrokenError as broken:
        findings.add(Verdict.DAMAGED, broken.what, "", broken.at)
    except (MemoryError, RecursionError, OverflowError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        # A structure that nobody thought of. A scan that gave up must not look like one that found nothing.
        what = noted(
            "the scan could not go on: {error}: {words}", error=type(error).__name__, words=printable(str(error))
        )
        findings.add(Verdict.NOT_SCANNED, what)
    return Content(format="unreadable")


def _sha256(data: memoryview) -> str:
    state = hashlib.sha256()
    for at in range(0, len(data), _BLOCK):
        state.update(data[at : at + _BLOCK])
    return state.hexdigest()


def _ending(path: Path, kind: str, findings: Findings) -> None:
    """A name that promises another content is worth a remark: the content decides."""
    promised = _ENDINGS.get(path.suffix.lower())
    if promised and kind not in promised:
        findings.add(Verdict.CLEAN, _other_content(path.suffix, kind or "empty"))


def _other_content(suffix: str, kind: str) -> str:
    """The remark, so written that what is no format's name in it can be told in another language."""
    if kind in _CONTENT:
        return noted(_CONTENT[kind], suffix=suffix)
    first, several, last = kind.rpartition(" and ")
    if several:
        return noted(
            "its name ends in {suffix}, its content is {first} and {last}", suffix=suffix, first=first, last=last
        )
    inside, packed, stream = kind.partition(" in ")
    if packed:
        said = template("its name ends in {suffix}, its content is {inside} in {stream}")
        return noted(said, suffix=suffix, inside=inside, stream=stream)
    return noted("its name ends in {suffix}, its content is {kind}", suffix=suffix, kind=kind)
