"""The network as it is: what every other engine is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CPU, CUDA, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source) -> Ready:
    from netversus.lab.engines.prepared import Ready

    return Ready(source.original)


ENGINES = (Engine("eager", "the network as it is, in fp32", "fp32", _make, automatic=CPU | CUDA),)
