"""One image through a network, written down operation by operation: all that is counted is read off this record.

What a network is made of is seen where every network shows it alike, at torch's dispatcher, and not guessed from the
names of its modules: so a layer that is called as a function, or shared, or written by the user, counts as well.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from netversus.lab.dispatch import attention_in_the_open, storage_key, tensors

FLOPS_A_MAC = 2  # torch counts the multiplication and the addition
_CONVOLUTION = "convolution"
_ADDITIONS = ("add", "add_")


@dataclass(frozen=True, slots=True)
class Op:
    """One operation, run in the forward of the module at `path` ("" is the network itself).

    `activations` are the numbers that a layer with weights writes, 0 for any other operation. `parameters` are those
    that no operation before it had used. `depth` counts the layers with weights on the longest way from the image to
    its output. `shape` is its output's where that depends on the image, else empty. `joins`: it adds two ways from
    the image that differ in depth, as the end of a residual block does.
    """

    path: str
    macs: int
    activations: int
    parameters: int
    depth: int
    shape: tuple[int, ...]
    joins: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One turn of a module: the operations from `start` up to `stop` ran inside it. `kind` names its class; `shape`
    is its main output's, empty where there is none."""

    path: str
    kind: str
    start: int
    stop: int
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole pass. `calls` stand in the order in which they ended. `parameters` counts those that were not used too.
    `weight_bytes` holds parameters and buffers; `live_bytes` is the most that image and intermediate results took at
    any one time."""

    ops: tuple[Op, ...]
    calls: tuple[Call, ...]
    parameters: int
    weight_bytes: int
    live_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-adds, by the formulas of torch's own counter."""
        return sum(op.macs for op in self.ops)

    @property
    def activations(self) -> int:
        """Numbers that the layers with weights write (Radosavovic et al. 2020, "Designing network design spaces")."""
        return sum(op.activations for op in self.ops)

    @property
    def depth(self) -> int:
        """Layers with weights on the longest way: the 50 of ResNet-50 (He et al. 2016)."""
        return max((op.depth for op in self.ops), default=0)


@torch.no_grad()
def trace(model: nn.Module, image: Tensor) -> Trace:
    """Show one image, float32 of shape (1, 3, h, w), to a network in eval mode and write down what happens."""
    weights = _storages([*model.parameters(), *model.buffers()])
    with ExitStack() as stack:
        stack.enter_context(attention_in_the_open())
        recorder = _Recorder(stack.enter_context(FlopCounterMode(display=False)), model, image)
        for path, module in model.named_modules():
            stack.enter_context(module.register_forward_pre_hook(partial(recorder.begin, path)))
            stack.enter_context(module.register_forward_hook(partial(recorder.end, path)))
        stack.enter_context(recorder)
        model(image)
    return Trace(
        ops=tuple(recorder.ops),
        calls=tuple(recorder.calls),
        parameters=sum(p.numel() for p in model.parameters()),
        weight_bytes=sum(weights.values()),
        live_bytes=recorder.most,
    )


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation. Tensors are known by their storage, so that views and in-place results are one thing."""

    def __init__(self, counter: FlopCounterMode, model: nn.Module, image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ops: list[Op] = []
        self.calls: list[Call] = []
        self.most = 0
        self._counter = counter
        self._turns: list[tuple[str, int]] = []
        self._unused = _sizes(model.parameters())
        self._weights = _storages([*model.parameters(), *model.buffers()])
        self._live: dict[int, int] = {}  # bytes of each storage that lives
        self._depths: dict[int, int] = {}  # of each storage that depends on the image
        self._hold(image)
        self._depths[storage_key(image)] = 0

    def begin(self, path: str, _module: nn.Module, _inputs: object) -> None:
        """A module's turn begins."""
        self._turns.append((path, len(self.ops)))

    def end(self, path: str, module: nn.Module, _inputs: object, output: object) -> None:
        """A module's turn ends."""
        _, start = self._turns.pop()
        tensor = main_output(output)
        shape = () if tensor is None else tuple(tensor.shape)
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        self.calls.append(Call(path, kind, start, len(self.ops), shape))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Let the operation run, counted by torch's counter below, and write it down."""
        before = self._counter.get_total_flops()
        output = func(*args, **(kwargs or {}))
        macs = (self._counter.get_total_flops() - before) // FLOPS_A_MAC
        inputs = list(tensors([*args, *(kwargs or {}).values()]))
        self._write(str(func.overloadpacket.__name__), inputs, list(tensors([output])), macs)
        return output

    def _write(self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor], macs: int) -> None:
        seen = [t for t in inputs if storage_key(t) in self._depths]
        depths = [self._depths[storage_key(t)] for t in seen]
        layer = bool(seen) and (_CONVOLUTION in name or (macs > 0 and _multiplies_by_weights(inputs, seen)))
        depth = max(depths, default=0) + layer
        for tensor in outputs:
            self._hold(tensor)
            if seen:
                self._depths[storage_key(tensor)] = max(depth, self._depths.get(storage_key(tensor), 0))
        self.ops.append(
            Op(
                path=self._turns[-1][0] if self._turns else "",
                macs=macs,
                activations=outputs[0].numel() if layer and outputs else 0,
                parameters=sum(self._unused.pop(storage_key(t), 0) for t in inputs),
                depth=depth,
                shape=tuple(outputs[0].shape) if seen and outputs else (),
                joins=name in _ADDITIONS and len(set(depths)) == 2 and seen[0].shape == seen[1].shape,
            )
        )

    def _hold(self, tensor: Tensor) -> None:
        """Count a new storage as live until it is freed."""
        key = storage_key(tensor)
        if key not in self._live and key not in self._weights:
            storage = tensor.untyped_storage()
            self._live[key] = storage.nbytes()
            weakref.finalize(storage, self._free, key)
            self.most = max(self.most, sum(self._live.values()))

    def _free(self, key: int) -> None:
        self._live.pop(key, None)
        self._depths.pop(key, None)


def main_output(output: object) -> Tensor | None:
    """What a module hands on: a tensor, or the first of several."""
    first = output[0] if isinstance(output, list | tuple) and output else output
    return first if isinstance(first, Tensor) else None


def _multiplies_by_weights(inputs: Sequence[Tensor], seen: Sequence[Tensor]) -> bool:
    """Whether one factor comes from the image and another does not: attention multiplies the image by itself."""
    return sum(t.ndim > 1 for t in seen) == 1 and sum(t.ndim > 1 for t in inputs) > 1


def _storages(tensors: Iterable[Tensor]) -> dict[int, int]:
    """Bytes by storage: what is shared counts once."""
    return {storage_key(t): t.untyped_storage().nbytes() for t in tensors}


def _sizes(parameters: Iterable[Tensor]) -> dict[int, int]:
    """Numbers of parameters by storage."""
    sizes: dict[int, int] = {}
    for parameter in parameters:
        sizes[storage_key(parameter)] = sizes.get(storage_key(parameter), 0) + parameter.numel()
    return sizes
