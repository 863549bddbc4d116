"""A stopwatch that waits for the device: on an accelerator a call returns before its work is done."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Times work on a device. `now` tells the time in nanoseconds and never goes back."""

    device: torch.device
    now: Callable[[], int] = time.perf_counter_ns

    def mark(self) -> int:
        """The time in nanoseconds once all that was asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return self.now()

    def seconds(self, work: Callable[[], object]) -> float:
        """How long the work took, to its last result. What was asked of the device before is not counted."""
        begin = self.mark()
        work()
        return (self.mark() - begin) / 1e9


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Python's garbage collector out of the timings, as `timeit` does; autograd is off."""
    was = gc.isenabled()
    gc.disable()
    try:
        with torch.inference_mode():
            yield
    finally:
        if was:
            gc.enable()
