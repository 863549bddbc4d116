"""The only door through which a file of weights is opened: safetensors, or a pickle that holds nothing but tensors.

The content decides what a file is, never its name. There is no fallback to full unpickling: a file that needs it is
refused. (A scan that tells *what* such a file would have done is a study of its own.)
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from netversus.errors import UnsafeFileError, WeightsError

HEADER_CAP = 16 * 2**20  # bytes; the format allows 100 MB, the largest published vision models need under 1 MB
_WRAPPERS = ("state_dict", "model_state_dict", "model", "model_ema", "state_dict_ema")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file by name, on the CPU.

    A dictionary under "state_dict" or "model" is unwrapped and a common "module." prefix removed.

    Raises:
        WeightsError: the file is missing, empty, damaged, or holds no tensors.
        UnsafeFileError: opening it would need more than tensors, or a tensor claims more than the file holds.
    """
    head = _head(path)
    if is_safetensors(path):
        return _checked(_from_safetensors(path), path)
    if zipfile.is_zipfile(path):
        _refuse_compressed(path)
        return _checked(_unpickled(path), path)
    if head[:1] == b"\x80" or b"ustar" in head:
        return _checked(_unpickled(path), path)
    shown = head[:12].decode("latin-1").encode("unicode_escape").decode()
    raise WeightsError(
        f"{path} is neither safetensors nor a PyTorch file: it begins with {shown!r}",
        hint="a web page saved in place of the weights looks like that",
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise WeightsError(f"cannot read the weights {path}: {error.strerror}") from None
    if not head:
        raise WeightsError(f"the weights {path} are an empty file", hint="download them again")
    return head


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors does: the length of a header that fits, then a JSON object.

    Raises:
        WeightsError: the file cannot be read, or is empty.
    """
    head = _head(path)
    if len(head) < 10 or head[8:9] != b"{":
        return False
    (length,) = struct.unpack("<Q", head[:8])
    return bool(2 <= length <= min(HEADER_CAP, path.stat().st_size - 8))


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged: {error}", hint="download it again") from None


def _refuse_compressed(path: Path) -> None:
    """PyTorch stores its archives as they are; a compressed member can grow a thousandfold when it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{path} is damaged: {_reason(error)}", hint="download it again") from None
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > member.compress_size:
            raise UnsafeFileError(f"{path} holds the compressed member {member.filename!r}, which PyTorch never writes")


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
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping):
        return {}
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _check_size(name: str, tensor: Tensor, path: Path) -> None:
    """A stride of zero lets a small file claim a tensor of any size: refuse what its storage does not hold."""
    if tensor.is_sparse or tensor.layout is not torch.strided:
        raise UnsafeFileError(f"{path}: tensor {name!r} is not dense")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise UnsafeFileError(
            f"{path}: tensor {name!r} claims shape {tuple(tensor.shape)}, which its storage of "
            f"{tensor.untyped_storage().nbytes():,} bytes does not hold"
        )
