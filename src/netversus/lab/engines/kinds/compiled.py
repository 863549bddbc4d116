"""torch.compile. It may take minutes to compile, so "auto" never tries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netversus.lab.engines.engine import Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    network = source.module().to(memory_format=torch.channels_last)
    # dynamic: one compilation for all batch sizes but one, instead of one for each
    return Ready(torch.compile(network, dynamic=True), channels_last=True)


ENGINES = (Engine("compile", "fp32 by torch.compile; compiling may take minutes", "fp32", _make),)
