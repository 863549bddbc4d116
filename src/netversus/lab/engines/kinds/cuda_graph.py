"""The folded network recorded as CUDA graphs, one a batch size: see `netversus.lab.engines.replay`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CUDA, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source, *, bf16: bool) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.replay import Replayed

    dtype = torch.bfloat16 if bf16 else torch.float32
    network = source.graph().to(dtype).to(memory_format=torch.channels_last)
    return Ready(Replayed(network), dtype, channels_last=True)


ENGINES = (
    Engine(
        "cuda-graph",
        "fp32, batch norms folded, replayed as a CUDA graph",
        "fp32",
        partial(_make, bf16=False),
        devices=CUDA,
        automatic=CUDA,
    ),
    Engine(
        "cuda-graph-bf16",
        "bf16, batch norms folded, replayed as a CUDA graph",
        "bf16",
        partial(_make, bf16=True),
        devices=CUDA,
        automatic=CUDA,
    ),
)
