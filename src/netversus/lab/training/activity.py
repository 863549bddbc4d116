"""Dead units: channels behind a ReLU that no image excites."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Activity:
    """The largest output that each channel behind each ReLU has shown. A module that is called twice counts twice."""

    def __init__(self) -> None:
        self._largest: dict[tuple[str, int], Tensor] = {}
        self._calls: dict[str, int] = {}

    def begin(self) -> None:
        """A new pass through the network begins."""
        self._calls = {}

    def saw(self, name: str, output: Tensor) -> None:
        """Take in a ReLU's output, shape (n, channels, ...)."""
        key = (name, self._calls.get(name, 0))
        self._calls[name] = key[1] + 1
        largest = output.detach().flatten(2).amax(dim=(0, 2)) if output.ndim > 2 else output.detach().amax(dim=0)
        seen = self._largest.get(key)
        self._largest[key] = largest if seen is None else torch.maximum(seen, largest)

    def dead(self) -> float | None:
        """The share of the channels that never were above zero; None for a network without ReLUs."""
        if not self._largest:
            return None
        silent = sum(int((largest <= 0).sum()) for largest in self._largest.values())
        return silent / sum(largest.numel() for largest in self._largest.values())


@contextmanager
def watched(model: nn.Module) -> Iterator[Activity]:
    """Inside, the network's ReLUs are watched."""
    activity = Activity()

    def hook(name: str) -> Any:
        return lambda _module, _inputs, output: activity.saw(name, output)

    handles: list[Any] = [model.register_forward_pre_hook(lambda _module, _inputs: activity.begin())]
    handles += [m.register_forward_hook(hook(name)) for name, m in model.named_modules() if isinstance(m, nn.ReLU)]
    try:
        yield activity
    finally:
        for handle in handles:
            handle.remove()
