"""Inference engines by name: ways to run the same network faster. Loads no torch.

Each module in `kinds/` is one way and declares it as `ENGINES`: one engine for each precision it offers. There is no
table to edit. `get_engine("fused-bf16").prepare(model, crop=224, device=device)` is a module that takes and gives what
the network does, so that everything else works unchanged; `select.choose` finds the fastest that agrees with fp32.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from netversus.errors import NetversusError, OptionError, nearest
from netversus.lab.engines import kinds
from netversus.lab.engines.engine import Engine

__all__ = ["AUTO", "REFERENCE", "Engine", "automatic_engines", "find_engines", "get_engine", "missing_here"]

AUTO, REFERENCE = "auto", "eager"
"""The fastest that agrees with the reference; and the network as it is, in fp32."""


@cache
def find_engines() -> Mapping[str, Engine]:
    """Every engine by name, sorted, whether or not it can run here (see `Engine.missing`).

    Raises:
        NetversusError: two engines have the same name.
    """
    found: dict[str, Engine] = {}
    for module in pkgutil.iter_modules(kinds.__path__):
        for engine in import_module(f"{kinds.__name__}.{module.name}").ENGINES:
            if engine.name in found:
                raise NetversusError(f"two engines are named {engine.name!r}")
            found[engine.name] = engine
    return dict(sorted(found.items()))


def get_engine(name: str) -> Engine:
    """An engine by name.

    Raises:
        OptionError: there is none of that name; the hint names the nearest.
    """
    engines = find_engines()
    if name not in engines:
        hint = nearest(name, engines) or f"the engines are auto, {', '.join(engines)}"
        raise OptionError(f"there is no engine {name!r}", hint=hint)
    return engines[name]


def missing_here(name: str, device: str) -> str:
    """Why the engine that a contender names cannot run here; empty where nothing is known to be missing.

    `device` is as it was asked for: "cpu", "cuda", "cuda:1"; of "auto" only the packages are looked for.

    Raises:
        OptionError: there is no such engine.
    """
    if name in (AUTO, REFERENCE):
        return ""
    kind = device.partition(":")[0]
    engine = get_engine(name)
    return engine.missing_package() if kind == "auto" else engine.missing(kind)


def automatic_engines(device: str) -> tuple[Engine, ...]:
    """What "auto" tries on a device type ("cpu" or "cuda"), missing ones too: they are reported as missing."""
    return tuple(engine for engine in find_engines().values() if device in engine.automatic)
