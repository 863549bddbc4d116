"""Who measured, with what, on what: recorded once a process. Loads no torch."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from netversus.errors import without_credentials
from netversus.records import Session

PACKAGES = (
    "netversus",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "pillow",
    "scikit-learn",
    "pyarrow",
    "safetensors",
    "transformers",
    "datasets",
    "onnxruntime",
)


def this_session(command: Sequence[str], more: Mapping[str, str] | None = None) -> Session:
    """A record of this process. `more` adds what only the lab knows of the machine (threads, accelerator)."""
    return Session(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=without_credentials(" ".join(command)),
        versions={"python": platform.python_version(), **installed(PACKAGES)},
        machine={**this_machine(), **(more or {})},
    )


def installed(packages: Sequence[str]) -> dict[str, str]:
    """The installed versions; a package that is not installed is left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def this_machine() -> dict[str, str]:
    """What can be told of the machine without torch."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": str(usable_cores()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
    }


def usable_cores() -> int:
    """The cores that this process may use, which in a container are fewer than the machine has."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def processor() -> str:
    """The processor's name, where the system tells it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
