"""Batch norms folded into the convolutions before them, images stored pixel by pixel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CPU, CUDA, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source, *, bf16: bool) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    dtype = torch.bfloat16 if bf16 else torch.float32
    network = source.graph().to(dtype).to(memory_format=torch.channels_last)
    return Ready(network, dtype, channels_last=True)


ENGINES = (
    Engine(
        "folded",
        "fp32, batch norms folded, stored pixel by pixel",
        "fp32",
        partial(_make, bf16=False),
        automatic=CPU | CUDA,
    ),
    Engine(
        "folded-bf16",
        "bf16, batch norms folded, stored pixel by pixel",
        "bf16",
        partial(_make, bf16=True),
        automatic=CPU | CUDA,
    ),
)
