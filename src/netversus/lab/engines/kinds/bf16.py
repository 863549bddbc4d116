"""The whole network in bf16, stored pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CPU, CUDA, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    network = source.module().to(torch.bfloat16).to(memory_format=torch.channels_last)
    return Ready(network, torch.bfloat16, channels_last=True)


ENGINES = (Engine("bf16", "all in bf16, stored pixel by pixel", "bf16", _make, automatic=CPU | CUDA),)
