"""Where contenders run, and what a full memory looks like."""

from __future__ import annotations

import pytest
import torch

from netversus.errors import OptionError
from netversus.lab.devices import describe_device, out_of_memory, resolve_device


def test_a_device_is_found_or_refused_in_one_line():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("gpu", "cuda:99", "meta"):
        with pytest.raises(OptionError, match="device"):
            resolve_device(wrong)
    assert describe_device(torch.device("cpu"))["threads"] == str(torch.get_num_threads())


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you ..."
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        Exception("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : std::bad_alloc"),
        Exception("[ONNXRuntimeError] : 1 : FAIL : Failed to allocate memory for requested buffer of size 1"),
    ],
)
def test_every_way_of_having_no_memory_is_known(error: Exception) -> None:
    assert out_of_memory(error)


def test_a_real_allocation_that_fails_is_known_and_another_error_is_not() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
