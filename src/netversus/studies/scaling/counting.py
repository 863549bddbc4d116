"""What one image asks of a machine, counted at torch's dispatcher: operations, and numbers moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from netversus.lab.dispatch import attention_in_the_open, storage_key, tensors
from netversus.studies.scaling.roof import Counted


@torch.no_grad()
def count(model: nn.Module, image: Tensor) -> Counted:
    """Show one image, float32 of shape (1, 3, h, w), to a network in eval mode.

    Operations follow the formulas of torch's own counter. Numbers move where operations are counted: what lies
    between (normalisation, activation functions) can be done on the way.
    """
    with attention_in_the_open(), FlopCounterMode(display=False) as flops:
        recorder = _Recorder(flops, model)
        with recorder:
            model(image)
    return Counted(int(flops.get_total_flops()), recorder.moved, sum(recorder.weights.values()))


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation; of those that torch counts it adds up the numbers that they read and write."""

    def __init__(self, counter: FlopCounterMode, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moved = 0
        self.weights: dict[int, int] = {}  # numbers of each parameter that was used, by its storage
        self._counter = counter
        self._parameters = {storage_key(p): p.numel() for p in model.parameters()}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Let the operation run, counted by torch's counter below."""
        before = self._counter.get_total_flops()
        output = func(*args, **(kwargs or {}))
        if self._counter.get_total_flops() > before:
            for tensor in tensors([*args, *(kwargs or {}).values(), output]):
                key = storage_key(tensor)
                if key in self._parameters:
                    self.weights[key] = self._parameters[key]
                else:
                    self.moved += tensor.numel()
        return output
