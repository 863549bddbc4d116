"""One training on several processes: PyTorch's DistributedDataParallel, started by torchrun.

    torchrun --nproc-per-node 2 -m netversus.cli train resnet50 --out trained

Each process computes its share of every step's images and the gradients are averaged. Batch norm sees a process's own
share, so that another number of processes is another training: it is part of the configuration, and equal results are
claimed for an equal number only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from netversus.errors import CellError, OptionError

_PEER_LOST = re.compile(r"closed by peer|reset by peer|Broken pipe|gloo|NCCL|ProcessGroup|Socket", re.IGNORECASE)


@dataclass(frozen=True)
class World:
    """A process among those that train one network together."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network whose gradients are averaged over the processes, and whose buffers are the first one's."""
        if self.size == 1:
            return model
        device = next(model.parameters()).device
        return DistributedDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    def mean(self, value: Tensor) -> float:
        """The mean over the processes: the same number in each, so that all of them stop or none does."""
        if self.size > 1:
            dist.all_reduce(value)
            value /= self.size
        return float(value)

    def agree(self, value: Any) -> Any:
        """What the first process says."""
        if self.size == 1:
            return value
        said = [value]
        dist.broadcast_object_list(said, src=0)
        return said[0]

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is computed with the others.

        Raises:
            CellError: one of them is gone.
        """
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or not _PEER_LOST.search(str(error)):
                raise
            raise CellError(
                f"process {self.rank} of {self.size} lost another one", hint="start it again: it goes on where it was"
            ) from error


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[World, torch.device]]:
    """The world that torchrun announces in the environment (this process alone without it), and the device for this
    process in it. Left behind when the block ends."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(), device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size), device
    finally:
        dist.destroy_process_group()


def check_shares(batch: int, world: World, *, mixed: bool) -> None:
    """See that a step's images can be shared out.

    Raises:
        OptionError: they cannot.
    """
    even = 2 if mixed else 1
    if batch % (world.size * even) or batch // world.size < 2:
        why = "in pairs, which mixup needs" if mixed else "of two images or more"
        raise OptionError(
            f"a batch of {batch} cannot be shared among {world.size} processes {why}",
            hint=f"use a multiple of {2 * world.size}",
        )
