"""What a file claims of its tensors, and whether what it holds bears that out. Plain numbers: no tensor is built.

A stride of zero lets a file of 1.6 kB claim 10^12 elements; a storage may claim more than its member holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType

from netversus.messages import noted

ITEM_BYTES: Mapping[str, int] = MappingProxyType(
    {
        "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2,
        "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
        "bool": 1, "complex32": 4, "complex64": 8, "complex128": 16,
        "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
        "qint8": 1, "quint8": 1, "qint32": 4,
    }
)  # fmt: skip
"""Torch's dtypes -> bytes of an element. Dtypes of less than a byte are not read here."""

STORAGES: Mapping[str, str] = MappingProxyType(
    {
        "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
        "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
        "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
        "ComplexDoubleStorage": "complex128", "QInt8Storage": "qint8", "QUInt8Storage": "quint8",
        "QInt32Storage": "qint32", "UntypedStorage": "uint8",
    }
)  # fmt: skip
"""Torch's storage classes -> the dtype of their elements."""


@dataclass(eq=False, slots=True)
class StorageClaim:
    """A storage as a pickle names it: `key`, dtype and number of elements. `start` and `held` (bytes) say where in the
    file it lies, once that is found."""

    key: str
    dtype: str
    numel: int
    at: int
    start: int | None = None
    held: int | None = None

    @property
    def nbytes(self) -> int:
        """How many bytes it claims."""
        return self.numel * ITEM_BYTES[self.dtype]


@dataclass(eq=False, slots=True)
class TensorClaim:
    """A tensor as a pickle or a header describes it. `storage` is None where the format has none (safetensors, meta);
    `offset` and `stride` count elements."""

    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...] = ()
    offset: int = 0
    storage: StorageClaim | None = None
    layout: str = "dense"
    parts: tuple[TensorClaim, ...] = field(default=())

    @property
    def numel(self) -> int:
        """The number of elements that the shape claims."""
        return prod(self.shape)


def lack(claim: TensorClaim) -> str:
    """What is wrong with a tensor's claim on its storage; empty where nothing is."""
    if any(side < 0 for side in claim.shape) or any(step < 0 for step in claim.stride) or claim.offset < 0:
        return noted(
            "shape {shape} with stride {stride} and offset {offset} has a negative number",
            shape=claim.shape,
            stride=claim.stride,
            offset=claim.offset,
        )
    if claim.storage is None:
        return ""
    if len(claim.stride) != len(claim.shape):
        return noted("shape {shape} has {n} strides", shape=claim.shape, n=len(claim.stride))
    size, have = ITEM_BYTES.get(claim.dtype, 1), claim.storage.nbytes
    if claim.numel and (claim.offset + _last(claim.shape, claim.stride) + 1) * size > have:
        return noted(
            "shape {shape} with stride {stride} reaches past its storage of {n} bytes",
            shape=claim.shape,
            stride=claim.stride,
            n=f"{have:,}",
        )
    if claim.numel * size > have:
        return noted(
            "claims shape {shape}, which its storage of {n} bytes does not hold", shape=claim.shape, n=f"{have:,}"
        )
    return ""


def _last(shape: Sequence[int], stride: Sequence[int]) -> int:
    """The index of the last element, from the offset."""
    return sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
