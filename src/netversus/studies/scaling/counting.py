"""What one image asks of a machine, counted at torch's dispatcher: operations, and numbers moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from netversus.studies.scaling.roof import Counted


@torch.no_grad()
def count(model: nn.Module, image: Tensor) -> Counted:
    """Show one image, float32 of shape (1, 3, h, w), to a network in eval mode.

    Operations follow the formulas of torch's own counter. Numbers move where operations are counted: what lies
    between (normalisation, activation functions) can be done on the way.
    """
    with _attention_in_the_open(), FlopCounterMode(display=False) as flops:
        recorder = _Recorder(flops, model)
        with recorder:
            model(image)
    return Counted(int(flops.get_total_flops()), recorder.moved, sum(recorder.weights.values()))


@contextmanager
def _attention_in_the_open() -> Iterator[None]:
    """Without torch's fused attention layer, for which its own counter has no formula and counts nothing."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation; of those that torch counts it adds up the numbers that they read and write."""

    def __init__(self, counter: FlopCounterMode, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moved = 0
        self.weights: dict[int, int] = {}  # numbers of each parameter that was used, by its storage
        self._counter = counter
        self._parameters = {_storage(p): p.numel() for p in model.parameters()}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Let the operation run, counted by torch's counter below."""
        before = self._counter.get_total_flops()
        output = func(*args, **(kwargs or {}))
        if self._counter.get_total_flops() > before:
            for tensor in _tensors([*args, *(kwargs or {}).values(), output]):
                key = _storage(tensor)
                if key in self._parameters:
                    self.weights[key] = self._parameters[key]
                else:
                    self.moved += tensor.numel()
        return output


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001  a data pointer is none where there are no data


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    """The tensors among values, within lists and tuples too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
