"""The only door through which a file of weights is opened: safetensors, or a pickle that holds nothing but tensors.

Before a file is opened it is scanned (`netversus.lab.artifacts`): by its content, never by its name, and without
running any of it. What is not clean is not opened. Then `torch.load(weights_only=True)` is the only way in; there is no
fallback to full unpickling.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from netversus.errors import UnsafeFileError, WeightsError
from netversus.lab.artifacts.scan import TORCH_FORMATS, vouched
from netversus.lab.artifacts.state import WRAPPERS


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by name, on the CPU.

    A dictionary under "state_dict" or "model" is unwrapped and a common "module." prefix removed.

    Raises:
        WeightsError: the file is missing, empty, damaged, or holds no tensors.
        UnsafeFileError: opening it would need more than tensors, or a tensor claims more than the file holds.
    """
    kind = vouched(path).format
    if kind == "safetensors":
        return _checked(_from_safetensors(path), path)
    if kind in TORCH_FORMATS:
        return _checked(_unpickled(path), path)
    if kind in {"pickle", "joblib", "torch, oldest (tar)"}:
        raise UnsafeFileError(
            f"{path} needs more than tensors to open and was refused: it is a file of the kind {kind!r}",
            hint="netversus opens what torch.save and safetensors write",
        )
    raise WeightsError(f"{path} is neither safetensors nor a PyTorch file: it is a file of the kind {kind!r}")


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged: {error}", hint="download it again") from None


def _unpickled(path: Path) -> Any:
    try:
        # Given a path instead of a file, torch would go by the name's ending.
        with warnings.catch_warnings(action="ignore"), path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(
            f"{path} needs more than tensors to open and was refused: {_reason(error)}",
            hint="ask its author for safetensors",
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError, TypeError) as error:
        raise WeightsError(f"{path} is damaged: {_reason(error)}", hint="download it again") from None


def _reason(error: BaseException) -> str:
    """The line of PyTorch's long message that names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "Unsupported" in line or "GLOBAL" in line or "global" in line]
    return (telling or lines or [type(error).__name__])[0][:200]


def _checked(content: Any, path: Path) -> dict[str, Tensor]:
    """A flat dictionary of tensors, each of which the file really holds."""
    tensors = _unwrapped(content)
    if not tensors:
        raise WeightsError(
            f"{path} holds no state dict (found {type(content).__name__})",
            hint="save model.state_dict(), best as safetensors",
        )
    for name, tensor in tensors.items():
        _check_size(name, tensor, path)
    if all(name.startswith("module.") for name in tensors):
        return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors


def _unwrapped(content: Any) -> dict[str, Tensor]:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping):
        return {}
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _check_size(name: str, tensor: Tensor, path: Path) -> None:
    """A stride of zero lets a small file claim a tensor of any size: refuse what its storage does not hold. The scan
    has read the claims; this looks at what was truly built."""
    if tensor.is_sparse or tensor.layout is not torch.strided:
        raise UnsafeFileError(f"{path}: tensor {name!r} is not dense")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise UnsafeFileError(
            f"{path}: tensor {name!r} claims shape {tuple(tensor.shape)}, which its storage of "
            f"{tensor.untyped_storage().nbytes():,} bytes does not hold"
        )
