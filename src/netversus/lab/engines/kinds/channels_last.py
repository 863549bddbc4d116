"""The network with its images stored pixel by pixel, as most fast convolutions want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CPU, CUDA, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    return Ready(source.module().to(memory_format=torch.channels_last), channels_last=True)


ENGINES = (Engine("channels-last", "fp32, stored pixel by pixel", "fp32", _make, automatic=CPU | CUDA),)
