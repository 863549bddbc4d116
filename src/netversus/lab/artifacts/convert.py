"""A safe pickle checkpoint rewritten as safetensors: the numbers are copied by the claims of the walked pickle, and
nothing of it is executed. Needs no torch."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import as_strided

from netversus.errors import UnsafeFileError, WeightsError
from netversus.lab.artifacts.claims import ITEM_BYTES, TensorClaim, lack
from netversus.lab.artifacts.findings import Verdict, printable
from netversus.lab.artifacts.safetensors_header import DTYPES
from netversus.lab.artifacts.scan import TORCH_FORMATS, Scan
from netversus.lab.artifacts.state import state_of

_CODES = {dtype: code for code, dtype in DTYPES.items()}


def convert(found: Scan, out: Path) -> int:
    """Write the state dict of a clean torch file as safetensors. Returns the number of tensors.

    Tensors that share a storage are written each for itself, since the format has no sharing.

    Raises:
        UnsafeFileError: the file is not clean.
        WeightsError: it is no torch file, holds no state dict, or a tensor that safetensors cannot hold; or `out`
            cannot be written.
    """
    if found.verdict is not Verdict.CLEAN:
        first = found.findings[0].what if found.findings else ""
        raise UnsafeFileError(f"{found.path} is {found.verdict} and was not converted: {first}")
    if found.format not in TORCH_FORMATS:
        raise WeightsError(f"{found.path} is {found.format}; what is converted is torch's own formats")
    state = state_of(found)
    if not state:
        raise WeightsError(f"{found.path} holds no state dict", hint="nothing was written")
    for name, claim in state.items():
        _convertible(name, claim, found)
    # The widest elements first: every tensor then lies at a multiple of its element's size, as the format asks.
    order = sorted(state, key=lambda name: (-ITEM_BYTES[state[name].dtype], name))
    source = np.memmap(found.path, dtype=np.uint8, mode="r")
    try:
        _write(out, {name: state[name] for name in order}, source)
    except OSError as error:
        raise WeightsError(f"cannot write {out}: {error.strerror}") from None
    return len(state)


def _convertible(name: str, claim: TensorClaim, found: Scan) -> None:
    storage = claim.storage
    if claim.layout != "dense" or claim.dtype not in _CODES:
        what = claim.layout if claim.layout != "dense" else f"of type {claim.dtype}"
        raise WeightsError(f"{found.path}: tensor {printable(name)!r} is {what}, which safetensors does not hold")
    if storage is None or storage.start is None or storage.held != storage.nbytes or lack(claim):
        raise WeightsError(f"{found.path}: the numbers of tensor {printable(name)!r} are not found in the file")


def _write(out: Path, state: Mapping[str, TensorClaim], source: np.memmap) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, claim in state.items():
        size = claim.numel * ITEM_BYTES[claim.dtype]
        header[name] = {"dtype": _CODES[claim.dtype], "shape": list(claim.shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    half = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with half.open("xb") as file:
            file.write(struct.pack("<Q", len(text)))
            file.write(text)
            for claim in state.values():
                file.write(_numbers(claim, source))
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, out)
    finally:
        half.unlink(missing_ok=True)


def _numbers(claim: TensorClaim, source: np.memmap) -> memoryview | bytes:
    """A tensor's elements in C order, as bytes: what they mean as numbers does not matter here."""
    if not claim.numel or claim.storage is None or claim.storage.start is None:
        return b""
    size = ITEM_BYTES[claim.dtype]
    begin = claim.storage.start
    stored = source[begin : begin + claim.storage.nbytes]
    elements = stored[claim.offset * size :]
    whole = np.frombuffer(elements[: len(elements) // size * size], dtype=f"V{size}")
    view = as_strided(whole, claim.shape, tuple(step * size for step in claim.stride), writeable=False)
    return np.ascontiguousarray(view).tobytes()
