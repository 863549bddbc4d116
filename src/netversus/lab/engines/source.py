"""A network in the forms that engines start from, each made once however many engines ask for it."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, fx, nn

from netversus.errors import EngineError
from netversus.lab.engines.folding import fold
from netversus.lab.engines.onnx_form import export, quantise
from netversus.lab.evaluation import filled_up

EXAMPLES = 8  # as many images as engines are tried and packed with: near what a batch is, and quick
T = TypeVar("T")


class Source:
    """One network, and what it becomes on the way to an engine.

    `original` is the network on the device in eval mode: the same object where it was so already, else a copy.
    `example` holds `EXAMPLES` images to try it with, float32, shape (n, 3, crop, crop), on the device. With one, a
    batch could not be told from what is the same for all images; and weights are packed for so many, so that how many
    there are to calibrate on must not change it. `borrowed` is the time in seconds that was saved because something had
    been made before; who wants the true cost adds it.

    Raises:
        EngineError: `calibration` does not hold images of that crop.
    """

    def __init__(self, model: nn.Module, *, crop: int, device: torch.device, calibration: Tensor | None = None) -> None:
        if calibration is not None and (calibration.shape[1:] != (3, crop, crop) or not len(calibration)):
            raise EngineError(
                f"calibration images must have the shape (n, 3, {crop}, {crop}), got {tuple(calibration.shape)}"
            )
        self.original = model if _in_place(model, device) else copy.deepcopy(model).to(device).eval()
        self.crop = crop
        self.device = device
        self.calibration = calibration
        example = torch.zeros(1, 3, crop, crop) if calibration is None else calibration[:EXAMPLES].detach()
        self.example = filled_up(example, EXAMPLES).to(device, torch.float32)
        self.borrowed = 0.0
        self._made: dict[str, tuple[Any, float]] = {}

    def module(self) -> nn.Module:
        """A copy of the network that may be changed.

        Raises:
            EngineError: it has no weights that torch could see, so that to change a copy would change nothing.
        """
        self._must_have_weights()
        return copy.deepcopy(self.original)

    def graph(self) -> fx.GraphModule:
        """The network as a graph of torch operations, batch norms folded into convolutions; it may be changed.

        Raises:
            EngineError: as `module`.
            Exception: whatever torch.export raises on code that it cannot follow.
        """
        return copy.deepcopy(self._folded())

    def onnx(self) -> bytes:
        """The network as an ONNX graph from "images" (n, 3, crop, crop) to "logits" (n, classes), float32.

        Raises:
            EngineError: as `module`.
            Exception: as `graph`, or whatever torch.onnx raises on a network that it cannot export.
        """
        self._folded()  # it can be followed: see `export`
        return self._once("onnx", lambda: export(self.original, self.example))

    def quantised_onnx(self) -> bytes:
        """The same with weights and activations in 8 bits, the ranges taken from `calibration`.

        Raises:
            EngineError: as `module`; or there are no images to calibrate on.
            Exception: as `onnx`, or whatever ONNX Runtime raises.
        """
        images = self.calibration
        if images is None:
            raise EngineError("8-bit ranges are taken from images, and there are none", hint="pass calibration=")
        return self._once("quantised", lambda: quantise(self.onnx(), images))

    def forget(self) -> None:
        """Let go of all that was made of the network; it is made anew if it is asked for again."""
        self._made.clear()

    def _folded(self) -> fx.GraphModule:
        self._must_have_weights()
        return self._once("graph", lambda: fold(self.original, self.example))

    def _must_have_weights(self) -> None:
        if next(self.original.parameters(), None) is None:
            raise EngineError(f"{type(self.original).__name__} has no weights that torch could see", hint="use eager")

    def _once(self, name: str, make: Callable[[], T]) -> T:
        if name in self._made:
            value, seconds = self._made[name]
            self.borrowed += seconds
            return value  # type: ignore[no-any-return]
        borrowed, begin = self.borrowed, time.perf_counter()
        made = make()
        self._made[name] = (made, time.perf_counter() - begin + self.borrowed - borrowed)
        return made


def _in_place(model: nn.Module, device: torch.device) -> bool:
    """Whether a network is in eval mode on a device already, all of it."""
    tensors = [*model.parameters(), *model.buffers()]
    return not any(module.training for module in model.modules()) and all(t.device == device for t in tensors)
