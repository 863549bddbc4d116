"""`netversus doctor`: what this machine can do, and which switches would help."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires

from netversus.cli.terminal import console, run_command, table
from netversus.errors import EXIT_OK
from netversus.provenance import PACKAGES, installed, this_machine

_OF_AN_EXTRA = re.compile(r"([\w.-]+)[^;]*;.*\bextra == ['\"]([\w.-]+)['\"]")


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_doctor, "doctor", arguments)


def _doctor() -> int:
    """Say what this machine is, what is installed, and what would make it faster."""
    from netversus.lab.devices import describe_device, resolve_device

    screen = console()
    facts = {**this_machine(), **describe_device(resolve_device("auto"))}
    screen.print(table("Machine", ("what", "value"), list(facts.items())))
    versions = {"python": platform.python_version(), **installed(PACKAGES)}
    screen.print(table("Installed", ("package", "version"), list(versions.items())))
    screen.print(table("Extras and switches", ("what", "state"), [*_extras(), *_switches()]))
    return EXIT_OK


def _extras() -> Iterator[tuple[str, str]]:
    for extra, packages in extras().items():
        there = installed(packages)
        missing = [package for package in packages if package not in there]
        state = f"missing {', '.join(missing)}: pip install 'netversus[{extra}]'" if missing else "installed"
        yield f"extra {extra}", state


def extras() -> dict[str, list[str]]:
    """The packages of each extra, as netversus was installed with them; nothing where it was not installed."""
    try:
        asked = requires("netversus") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {}
    for match in filter(None, map(_OF_AN_EXTRA.match, asked)):
        found.setdefault(match[2], []).append(match[1])
    return found


def _switches() -> Iterator[tuple[str, str]]:
    """Documented switches for memory that is slow to touch; harmless where it is not."""
    yield (
        "THP_MEM_ALLOC_ENABLE",
        f"{os.environ.get('THP_MEM_ALLOC_ENABLE', 'unset')} (1: huge pages for tensors)",
    )
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    state = "set" if "hugetlb=1" in tunables else "unset; set it to glibc.malloc.hugetlb=1 before the start"
    yield "GLIBC_TUNABLES", f"{state} (huge pages for everything else)"
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        yield "PYTHONDONTWRITEBYTECODE", "set: every start compiles thousands of files again; unset it"
