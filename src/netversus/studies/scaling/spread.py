"""One network on several devices: each has its own copy and its own share of the images, fed by a thread of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn


def replicas(network: nn.Module, devices: Sequence[torch.device]) -> tuple[nn.Module, ...]:
    """The network, which lies on the first device, and a copy of it on each of the others."""
    return (network, *(copy.deepcopy(network).to(device) for device in devices[1:]))


def run_on_all(
    networks: Sequence[Callable[[Tensor], Tensor]], shares: Sequence[Tensor], pool: ThreadPoolExecutor
) -> tuple[Tensor, ...]:
    """Show each network its share at the same time, and wait for all. Returns the logits, each on its device."""

    def one(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        with torch.inference_mode():  # it holds in its own thread only
            logits = network(images)
        if images.device.type == "cuda":
            torch.cuda.synchronize(images.device)
        return logits

    return tuple(pool.map(one, networks, shares, timeout=None))
