"""How much memory a contender takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate, chain

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

_EVENT = "[memory]"  # what the profiler calls an allocation (positive bytes) or a release (negative)


def weight_bytes(model: nn.Module) -> int:
    """Bytes of the parameters and buffers, each storage counted once."""
    return sum(dict(map(_storage, chain(model.parameters(), model.buffers()))).values())


def _storage(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor's memory begins, and its bytes. What oneDNN packed has no storage that torch could show."""
    if tensor.is_mkldnn:
        packed = torch.ops.mkldnn
        return int(packed.data_ptr(tensor)), int(packed._nbytes(tensor))  # noqa: SLF001 (that is its name)
    storage = tensor.untyped_storage()
    return storage.data_ptr(), storage.nbytes()


def peak_bytes(model: nn.Module, inputs: Tensor) -> int | None:
    """Bytes of the weights and of all that one forward pass holds at once beside them; the inputs are not counted.

    It is what torch's own allocator of the inputs' device gave out, so it does not depend on what else the process
    holds. None for a contender whose memory is not torch's (it has no parameters that torch knows, as ONNX Runtime).
    """
    weights = weight_bytes(model)
    if not weights:
        return None
    with torch.inference_mode():
        used = _on_cuda(model, inputs) if inputs.device.type == "cuda" else _on_cpu(model, inputs)
    return weights + used


def _on_cuda(model: nn.Module, inputs: Tensor) -> int:
    torch.cuda.synchronize(inputs.device)
    before = torch.cuda.memory_allocated(inputs.device)
    torch.cuda.reset_peak_memory_stats(inputs.device)
    model(inputs)
    torch.cuda.synchronize(inputs.device)
    return int(torch.cuda.max_memory_allocated(inputs.device) - before)


def _on_cpu(model: nn.Module, inputs: Tensor) -> int:
    with _without_its_log(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        model(inputs)
    assert seen.profiler is not None
    events = seen.profiler.kineto_results.events()
    return largest_sum(nbytes for _, nbytes in sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == _EVENT))


def largest_sum(changes: Iterable[int]) -> int:
    """The most that was held at once, from what was taken (positive) and given back (negative), in order of time."""
    return max(accumulate(changes), default=0)


@contextmanager
def _without_its_log() -> Iterator[None]:
    """The profiler writes two lines to the process's standard error whenever it is used, whatever its log level."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
