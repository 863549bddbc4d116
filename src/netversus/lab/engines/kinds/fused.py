"""oneDNN's post-ops with packed weights: see `netversus.lab.engines.onednn`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CPU, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source, *, bf16: bool) -> Ready:
    import torch

    from netversus.lab.engines.onednn import check, pack
    from netversus.lab.engines.prepared import Ready

    dtype = torch.bfloat16 if bf16 else torch.float32
    check(dtype)
    example = source.example.to(dtype, memory_format=torch.channels_last)
    return Ready(pack(source.graph().to(dtype), example), dtype, channels_last=True)


ENGINES = (
    Engine(
        "fused",
        "fp32, batch norms folded, activations and sums done by oneDNN's convolutions",
        "fp32",
        partial(_make, bf16=False),
        devices=CPU,
        automatic=CPU,
    ),
    Engine(
        "fused-bf16",
        "bf16, batch norms folded, activations and sums done by oneDNN's convolutions",
        "bf16",
        partial(_make, bf16=True),
        devices=CPU,
        automatic=CPU,
    ),
)
