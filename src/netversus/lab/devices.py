"""Where the contenders run, what this machine is, and how it says that its memory is full."""

from __future__ import annotations

import re

import torch

from netversus.errors import OptionError

# torch's allocator for the CPU raises a plain RuntimeError, ONNX Runtime an exception of its own.
_NO_MEMORY = re.compile(
    "not enough memory|can't allocate memory|cannot allocate memory|failed to allocate memory|bad allocation|bad_alloc"
    "|out of memory",
    re.IGNORECASE,
)


def resolve_device(name: str) -> torch.device:
    """The device of "auto", "cpu", "cuda" or "cuda:N"; "auto" is the accelerator where there is one.

    Raises:
        OptionError: there is no such device here.
    """
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if cuda else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise OptionError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type not in ("cpu", "cuda"):
        raise OptionError(f"device must be auto, cpu, cuda or cuda:N, got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= cuda:
        raise OptionError(f"device {name!r} was asked for, this machine has {cuda} CUDA devices", hint="use cpu")
    return torch.device("cuda:0") if device.type == "cuda" and device.index is None else device


def make_deterministic() -> None:
    """Ask for the same bits on the same machine. Costs some speed on CUDA, nothing on a CPU."""
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def describe_device(device: torch.device) -> dict[str, str]:
    """What the lab knows of the machine: threads, the accelerator, the precision of matrix products."""
    facts = {"device": str(device), "threads": str(torch.get_num_threads())}
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "accelerator": properties.name,
            "accelerator memory": f"{properties.total_memory / 2**30:.1f} GiB",
            "cuda": str(torch.version.cuda),
        }
    return facts


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory left, on the host or on the device."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(_NO_MEMORY.search(str(error)))
