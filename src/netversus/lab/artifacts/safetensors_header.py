"""safetensors: a length, a JSON header, and bytes that the header divides among the tensors without gap or overlap.

Source: the format's description at github.com/huggingface/safetensors. Stricter than its reader: a header of at most
16 MiB, no key twice.
"""

from __future__ import annotations

import json
import struct
from math import prod
from typing import Any

from netversus.lab.artifacts.claims import ITEM_BYTES, TensorClaim
from netversus.lab.artifacts.findings import MEBI, Findings, Verdict, printable
from netversus.messages import noted

HEADER_CAP = 16 * MEBI  # the format allows 100 MB, the largest published vision models need under 1 MB
DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32",
    "I16": "int16", "I8": "int8", "U8": "uint8", "U16": "uint16", "U32": "uint32", "U64": "uint64", "BOOL": "bool",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu",
}  # fmt: skip
_MOST_SIDES = 64


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file of `size` bytes begins as safetensors does: the length of a header that fits, then an object."""
    if len(head) < 10 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return bool(2 <= length <= min(HEADER_CAP, size - 8))


def looks_like_safetensors(head: bytes) -> bool:
    """Whether the beginning is one that no other format has, however wrong the length."""
    return len(head) >= 10 and head[8:9] == b"{" and head[9:10] in b'"} \t\r\n' and head[6:8] == b"\0\0"


class _TwiceError(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _TwiceError(noted("a name stands in it twice"))
    return found


def scan_safetensors(data: memoryview, findings: Findings, where: str) -> dict[str, TensorClaim]:
    """The tensors that the header describes; whatever is wrong with it is told."""
    (length,) = struct.unpack_from("<Q", data, 0)
    if length > HEADER_CAP:
        findings.add(
            Verdict.SUSPICIOUS,
            noted("a header of {n} bytes, more than the {limit} read here", n=f"{length:,}", limit=f"{HEADER_CAP:,}"),
            where,
        )
        return {}
    if length > len(data) - 8:
        findings.add(
            Verdict.DAMAGED,
            noted("the header claims {n} bytes, the file holds {held}", n=f"{length:,}", held=f"{len(data) - 8:,}"),
            where,
        )
        return {}
    try:
        header = json.loads(bytes(data[8 : 8 + length]).decode("utf-8"), object_pairs_hook=_once)
    except _TwiceError as error:
        findings.add(Verdict.SUSPICIOUS, noted("the header is ambiguous: {error}", error=error), where, 8)
        return {}
    except (ValueError, RecursionError) as error:
        findings.add(Verdict.DAMAGED, noted("the header is no JSON: {error}", error=printable(str(error))), where, 8)
        return {}
    if not isinstance(header, dict):
        findings.add(Verdict.DAMAGED, noted("the header is no object"), where, 8)
        return {}
    _metadata(header.pop("__metadata__", {}), findings, where)
    return _tensors(header, len(data) - 8 - length, findings, where)


def _metadata(found: Any, findings: Findings, where: str) -> None:
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        findings.add(Verdict.SUSPICIOUS, noted("its metadata are not text alone, as the format has it"), where, 8)


def _tensors(header: dict[str, Any], held: int, findings: Findings, where: str) -> dict[str, TensorClaim]:
    found: dict[str, TensorClaim] = {}
    spans: list[tuple[int, int, str]] = []
    for name, entry in header.items():
        try:
            claim, begin, end = _entry(entry)
        except (TypeError, ValueError, KeyError) as error:
            findings.add(
                Verdict.DAMAGED,
                noted("tensor {name}: {error}", name=repr(printable(name)), error=printable(str(error))),
                where,
                8,
            )
            continue
        if end - begin != claim.numel * ITEM_BYTES[claim.dtype]:
            what = noted(
                "tensor {name} claims shape {shape} of {dtype} in {n} bytes",
                name=repr(printable(name)),
                shape=claim.shape,
                dtype=claim.dtype,
                n=f"{end - begin:,}",
            )
            findings.add(Verdict.SUSPICIOUS, what, where, 8)
        found[name] = claim
        spans.append((begin, end, name))
    _divided(spans, held, findings, where)
    return found


def _entry(entry: Any) -> tuple[TensorClaim, int, int]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(noted("its entry is not dtype, shape and data_offsets"))
    if entry["dtype"] not in DTYPES:
        raise ValueError(noted("elements of type {given} are not read here", given=repr(entry["dtype"])))
    numbers = [*entry["shape"], *entry["data_offsets"]]
    if not all(type(each) is int and 0 <= each < 2**63 for each in numbers) or len(entry["data_offsets"]) != 2:
        raise ValueError(noted("its shape or offsets are no counts"))
    if len(entry["shape"]) > _MOST_SIDES or prod(entry["shape"]) >= 2**63:
        raise ValueError(noted("its shape is beyond all bounds"))
    begin, end = entry["data_offsets"]
    return TensorClaim(DTYPES[entry["dtype"]], tuple(entry["shape"])), begin, end


def _divided(spans: list[tuple[int, int, str]], held: int, findings: Findings, where: str) -> None:
    at = 0
    for begin, end, name in sorted(spans):
        if begin > end or end > held:
            findings.add(
                Verdict.DAMAGED, noted("tensor {name} reaches past the file's end", name=repr(printable(name))), where
            )
        elif begin < at:
            findings.add(Verdict.SUSPICIOUS, noted("tensor {name} overlaps another", name=repr(printable(name))), where)
        elif begin > at:
            findings.add(
                Verdict.SUSPICIOUS,
                noted("{n} bytes before {name} belong to none", n=f"{begin - at:,}", name=repr(printable(name))),
                where,
            )
        at = max(at, end)
    if at < held:
        findings.add(
            Verdict.SUSPICIOUS, noted("{n} bytes after the last tensor belong to none", n=f"{held - at:,}"), where
        )
