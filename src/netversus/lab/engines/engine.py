"""What an engine is. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from netversus.errors import EngineError

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from netversus.lab.engines.prepared import Prepared, Ready
    from netversus.lab.engines.source import Source

CPU = frozenset({"cpu"})
CUDA = frozenset({"cuda"})


@dataclass(frozen=True, slots=True)
class Engine:
    """A way to run a network.

    `make(source)` does the work and may raise anything: call `prepare`. `devices` are the device types it runs on,
    `automatic` those on which "auto" tries it. `packages` are what it imports; `extra` is the extra of netversus that
    brings them, where there is one. With `calibrated` it needs some of the images that will be shown.
    """

    name: str
    summary: str
    precision: Literal["fp32", "bf16", "fp16", "int8"]
    make: Callable[[Source], Ready]
    devices: frozenset[str] = CPU | CUDA
    automatic: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()
    extra: str = ""
    calibrated: bool = False

    def missing(self, device: str) -> str:
        """Why it cannot run here on a device type, "cpu" or "cuda"; empty where nothing is known to be missing.

        Loads neither torch nor the packages that it looks for.
        """
        if device not in self.devices:
            return f"it runs on {' and '.join(sorted(self.devices))} only, not on {device}"
        return self.missing_package()

    def missing_package(self) -> str:
        """Why it cannot run on any device, and what to install; empty where all its packages are here."""
        absent = self.absent_package()
        if not absent:
            return ""
        what = f"netversus[{self.extra}]" if self.extra else absent
        return f"it needs the package {absent!r}, which is not installed (pip install '{what}')"

    def absent_package(self) -> str:
        """The first of its packages that is not installed, or an empty string."""
        return next((package for package in self.packages if find_spec(package) is None), "")

    def prepare(
        self, model: nn.Module, *, crop: int, device: torch.device, calibration: Tensor | None = None
    ) -> Prepared:
        """The network made ready: float32 images (n, 3, crop, crop) in, float32 logits (n, classes) out.

        It is a snapshot: prepare it again when the weights have changed. The network itself is left as it was.

        Args:
            model: in any mode, on any device.
            crop: side of the images in pixels.
            device: where it will run.
            calibration: images as they will be shown (normalised), float32, shape (n, 3, crop, crop). Engines in 8
                bits take their ranges from them. The first of them are shown once, which counts as compiling.

        Raises:
            MissingExtraError: a package is not installed that an extra brings.
            EngineError: the engine cannot take this network, or cannot run here.
        """
        from netversus.lab.engines.prepared import prepare
        from netversus.lab.engines.source import Source

        return prepare(self, Source(model, crop=crop, device=device, calibration=calibration))


def load_package(name: str, needed_for: str) -> Any:
    """A package that is installed, loaded now: `missing` loads none.

    Raises:
        EngineError: it cannot be loaded.
    """
    try:
        return import_module(name)
    except (ImportError, OSError) as error:  # most often a shared library that it needs
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise EngineError(f"{needed_for} cannot load the package {name!r}: {reason}") from error
