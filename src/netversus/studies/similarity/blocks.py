"""The residual blocks of a network, and the network without one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

_LAYERS = (nn.Linear, nn.Conv2d)
_TOLERANCE = 1e-4


@torch.no_grad()
def residual_blocks(model: nn.Module, side: int) -> tuple[str, ...]:
    """The paths of the blocks that add something to what they are given, in the order of the network.

    A block is one if it hands its input on unchanged once all its parameters are 0: what it adds is then nothing. So no
    library's class has to be known, and to skip the block is to leave out what it adds (Veit et al., NeurIPS 2016). Of
    blocks in blocks the innermost are meant. A block that changes the shape, or that is called more than once, is none.
    """
    parameter = next(model.parameters())
    image = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(parameter.device)
    calls, turns = _calls(model, image)
    found = [path for path, given in calls.items() if turns[path] == 1 and _adds(model.get_submodule(path), *given)]
    return tuple(path for path in found if not any(other.startswith(f"{path}.") for other in found))


Given = tuple[tuple[Any, ...], dict[str, Any]]


def _calls(model: nn.Module, image: Tensor) -> tuple[dict[str, Given], Counter[str]]:
    """What each module with layers inside was given, where it returned the same shape; and how often it was called."""
    calls: dict[str, Given] = {}
    turns: Counter[str] = Counter()

    def before(path: str, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if turns[path] == 0 and args and isinstance(args[0], Tensor):
            calls[path] = (args[0].clone(), *args[1:]), kwargs
        turns[path] += 1

    def after(path: str, _module: nn.Module, _inputs: object, output: object) -> None:
        given = calls.get(path)
        if given and (not isinstance(output, Tensor) or output.shape != given[0][0].shape):
            del calls[path]

    hooks = []
    for path, module in model.named_modules():
        if path and any(isinstance(each, _LAYERS) for each in module.modules() if each is not module):
            hooks.append(module.register_forward_pre_hook(partial(before, path), with_kwargs=True))
            hooks.append(module.register_forward_hook(partial(after, path)))
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return calls, turns


def _adds(block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a block without parameters hands on what it was given."""
    nothing = {name: torch.zeros_like(value) for name, value in block.named_parameters()}
    given = args[0]
    if not bool(given.any()):
        return False
    try:
        seen = functional_call(block, nothing, (given.clone(), *args[1:]), kwargs)
    except (RuntimeError, ValueError, TypeError):  # it cannot be called like this: then it cannot be skipped either
        return False
    return isinstance(seen, Tensor) and torch.allclose(seen, given, rtol=_TOLERANCE, atol=_TOLERANCE)


@contextmanager
def skipped(model: nn.Module, path: str) -> Iterator[None]:
    """The network without what one block adds, for as long as the context is open."""
    block = vars(model.get_submodule(path))

    def through(given: Tensor, *_args: object, **_kwargs: object) -> Tensor:
        return given

    block["forward"] = through
    try:
        yield
    finally:
        del block["forward"]
