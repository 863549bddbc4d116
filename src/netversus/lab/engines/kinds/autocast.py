"""bf16 by torch.autocast: weights stay in fp32 and are cast at every call.

On a CPU that is slower than "bf16" and no closer to fp32. It is there to be compared with: "auto" does not try it on
a CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netversus.lab.engines.engine import CUDA, Engine

if TYPE_CHECKING:
    from netversus.lab.engines.prepared import Ready
    from netversus.lab.engines.source import Source


def _make(source: Source) -> Ready:
    import torch

    from netversus.lab.engines.prepared import Ready

    network = source.module()
    # Not a function around it: the network keeps its weights and the names of its layers for those who ask for them.
    casting = torch.autocast(source.device.type, torch.bfloat16)
    network.forward = casting(network.forward)
    return Ready(network)


ENGINES = (Engine("autocast", "bf16 by torch.autocast, weights cast at every call", "bf16", _make, automatic=CUDA),)
