"""Where NaN comes from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@torch.inference_mode()
def nan_origin(model: nn.Module, inputs: Tensor) -> str | None:
    """The first part of a network that turns finite numbers into NaN or infinite ones; None if its output is finite.

    It is a submodule's name ("layer4.2.conv3"); the class of the network where it happens between its submodules, or
    it has none; "the images" where these are not finite. Inner modules end before those that hold them, so the
    innermost is named.
    """
    if not _finite(inputs):
        return "the images"
    found: list[str] = []
    handles = [_watch(module, name or type(model).__name__, found) for name, module in model.named_modules()]
    try:
        finite = _finite(model(inputs))
    finally:
        for handle in handles:
            handle.remove()
    if finite:
        return None
    return found[0] if found else type(model).__name__


def _watch(module: nn.Module, name: str, found: list[str]) -> RemovableHandle:
    def look(_module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if not found and _finite(inputs) and not _finite(output):
            found.append(name)

    return module.register_forward_hook(look)


def _finite(value: object) -> bool:
    """Whether every floating-point number in a tensor, or in a nest of tensors, is finite."""
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(torch.isfinite(value).all())
    if isinstance(value, dict):
        return all(_finite(each) for each in value.values())
    return all(_finite(each) for each in value) if isinstance(value, Iterable) and not isinstance(value, str) else True
