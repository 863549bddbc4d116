"""A network that an engine has made ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netversus.errors import EngineError, MissingExtraError, NetversusError
from netversus.lab.contenders.hub import first_line
from netversus.lab.engines.engine import Engine
from netversus.lab.engines.memory import keep_freed_memory
from netversus.lab.engines.source import Source


@dataclass(frozen=True, slots=True)
class Ready:
    """What an engine makes: a function (most often a module) from images to logits, and how it wants its images."""

    network: Callable[[Tensor], Tensor]
    dtype: torch.dtype = torch.float32
    channels_last: bool = False


class Prepared(nn.Module):
    """A network as an engine runs it. It is for inference: it gives no gradients and cannot be trained.

    `engine` is the engine's name; `network` is what the engine made. `compile_seconds` is what it cost to make:
    export, folding, quantisation, compilation, and the first call at each batch size, in which some engines compile;
    so it grows when a new batch size is met.
    """

    def __init__(self, engine: str, ready: Ready, *, crop: int, device: torch.device) -> None:
        super().__init__()
        self.engine = engine
        self.network = ready.network
        self.compile_seconds = 0.0
        self._dtype = ready.dtype
        self._layout = torch.channels_last if ready.channels_last else torch.contiguous_format
        self._crop = crop
        self._device = device
        self._met: set[int] = set()

    def enter(self, images: Tensor) -> Tensor:
        """Images as `network` takes them: its device, dtype and memory layout, in one copy at most."""
        return images.to(self._device, self._dtype, memory_format=self._layout)

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Logits of images: float32, shape (n, 3, crop, crop), n >= 1.

        Raises:
            EngineError: the images have another shape than it was made for.
        """
        if images.ndim != 4 or images.shape[1:] != (3, self._crop, self._crop):
            raise EngineError(
                f"{self.engine} was prepared for images of shape (n, 3, {self._crop}, {self._crop}), "
                f"it was shown {tuple(images.shape)}"
            )
        if len(images) in self._met:
            return self._run(images)
        begin = time.perf_counter()
        logits = self._run(images)
        synchronize(self._device)
        self.compile_seconds += time.perf_counter() - begin
        self._met.add(len(images))
        return logits

    def _run(self, images: Tensor) -> Tensor:
        return self.network(self.enter(images)).float()

    def train(self, mode: bool = True) -> Prepared:
        """Stay in eval mode.

        Raises:
            EngineError: it was asked to train.
        """
        if mode:
            raise EngineError(f"a network prepared by {self.engine} cannot be trained")
        return self


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def prepare(engine: Engine, source: Source) -> Prepared:
    """See `Engine.prepare`. What `source` made before for another engine is counted again, as if it had not.

    Raises:
        MissingExtraError: a package is not installed that an extra brings.
        EngineError: the engine cannot take this network, or cannot run here.
    """
    _check(engine, source)
    keep_freed_memory()
    borrowed, begin = source.borrowed, time.perf_counter()
    try:
        ready = engine.make(source)
        made = time.perf_counter() - begin + source.borrowed - borrowed
        prepared = Prepared(engine.name, ready, crop=source.crop, device=source.device)
        logits = prepared(source.example)
    except EngineError as error:
        raise EngineError(f"{engine.name} cannot take this network: {error.message}", hint=error.hint) from error
    except (NetversusError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # exporters and compilers raise whatever they like
        message = f"{engine.name} cannot take this network: {type(error).__name__}: {first_line(error)}"
        raise EngineError(message) from error
    if logits.ndim != 2 or len(logits) != len(source.example):
        raise EngineError(f"{engine.name} gave outputs of shape {tuple(logits.shape)}, expected (n, classes)")
    prepared.compile_seconds += made
    return prepared


def _check(engine: Engine, source: Source) -> None:
    device = source.device.type
    if device in engine.devices and engine.extra and (absent := engine.absent_package()):
        raise MissingExtraError(absent, engine.extra, f"the engine {engine.name}")
    if reason := engine.missing(device):
        raise EngineError(f"{engine.name} cannot run here: {reason}")
    if engine.calibrated and source.calibration is None:
        raise EngineError(f"{engine.name} takes its ranges from images, and got none", hint="pass calibration=")
