"""netversus: which of these vision backbones should I use, and how sure are we?

    import netversus as nv

    run = nv.compare("resnet50", "resnet101", data="digits", budget=300)
    print(run.table())
    run.report("report.html")

Importing the package loads neither torch nor anything else that is slow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from netversus.api import Run, compare, open_run, resume
    from netversus.errors import NetversusError
    from netversus.records import Finding, Verdict

_HOMES = {
    "Run": "api",
    "compare": "api",
    "open_run": "api",
    "resume": "api",
    "NetversusError": "errors",
    "Finding": "records",
    "Verdict": "records",
}

__all__ = ["Finding", "NetversusError", "Run", "Verdict", "__version__", "compare", "open_run", "resume"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
