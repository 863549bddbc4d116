"""Pixels on their way to the device. On CUDA the next batch is copied beside the computing on the last."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from netversus.lab.pipeline.memory import Recycler


@dataclass
class Moving:
    """A tensor that is being copied to the device."""

    tensor: Tensor
    arrived: torch.cuda.Event | None = None

    def wait(self) -> Tensor:
        """The tensor, for the current stream to use once it has arrived."""
        if self.arrived is not None:
            current = torch.cuda.current_stream(self.tensor.device)
            current.wait_event(self.arrived)
            self.tensor.record_stream(current)  # its memory is not given away before this stream is done with it
        return self.tensor


class Transfer:
    """Memory on the host from which a device can be fed, and the feeding.

    On CUDA the memory is pinned (torch keeps such memory and uses it again once the copies from it are done) and the
    copies have a stream of their own. On a CPU nothing is copied.
    """

    def __init__(self, device: torch.device, keep: int) -> None:
        self.device = device
        self._cuda = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._recycler = Recycler(keep)

    def host(self, shape: tuple[int, ...]) -> Tensor:
        """uint8 memory on the host that holds anything."""
        if self._cuda is not None:
            return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        return self._recycler.empty(shape, torch.uint8)

    def floats(self, shape: tuple[int, ...]) -> Tensor:
        """float32 memory on the device that holds anything."""
        if self.device.type == "cpu":
            return self._recycler.empty(shape, torch.float32)
        return torch.empty(shape, dtype=torch.float32, device=self.device)

    def start(self, pixels: Tensor) -> Moving:
        """Begin to copy what `host` gave."""
        if self._cuda is None:
            return Moving(pixels.to(self.device))
        with torch.cuda.stream(self._cuda):
            moved = pixels.to(self.device, non_blocking=True)
            return Moving(moved, self._cuda.record_event())
