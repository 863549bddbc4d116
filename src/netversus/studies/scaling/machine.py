"""What this machine can do at most: the best of several large matrix products, and of copies beyond its caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from netversus.lab.timing.stopwatch import Stopwatch
from netversus.studies.scaling.roof import Machine

REPETITIONS = 5


@dataclass(frozen=True, slots=True)
class Load:
    """Side of the square matrices, and bytes of the buffer that is copied."""

    side: int
    copied: int


LOADS: Mapping[str, Load] = {"cpu": Load(2048, 2**28), "cuda": Load(8192, 2**31)}
"""Large enough to be limited by arithmetic, and not to fit a cache, by device type."""


def measure_machine(watch: Stopwatch, load: Load | None = None) -> Machine:
    """The machine's peaks and bandwidth now, in this process, with its threads: the best of a few, for a roof is what
    cannot be exceeded."""
    size = load or LOADS[watch.device.type]
    peaks = {"fp32": _peak(watch, size.side, torch.float32), "bf16": _peak(watch, size.side, torch.bfloat16)}
    if watch.device.type == "cuda":  # convolutions of fp32 run in it by default
        with _tf32():
            peaks["tf32"] = _peak(watch, size.side, torch.float32)
    return Machine(peaks, _bandwidth(watch, size.copied))


def _peak(watch: Stopwatch, side: int, dtype: torch.dtype) -> float:
    """Operations a second of a matrix product: 2 side^3 of them."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(side, side, generator=generator).to(watch.device, dtype) for _ in range(2))
    out = torch.empty_like(a)
    return 2.0 * side**3 / _best(watch, lambda: torch.mm(a, b, out=out))


def _bandwidth(watch: Stopwatch, copied: int) -> float:
    """Bytes a second of a copy: what is read and what is written, as STREAM counts (McCalpin 1995)."""
    source = torch.ones(copied // 4, dtype=torch.float32, device=watch.device)
    target = torch.zeros_like(source)
    return 2.0 * copied / _best(watch, lambda: target.copy_(source))


def _best(watch: Stopwatch, work: Callable[[], object]) -> float:
    with torch.inference_mode():
        work()
        return min(watch.seconds(work) for _ in range(REPETITIONS))


@contextmanager
def _tf32() -> Iterator[None]:
    was = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = was
