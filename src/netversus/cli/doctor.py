"""`netversus doctor`: what this machine can do, and which switches would help."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires
from typing import Annotated

import typer

from netversus.cli.terminal import console, run_command, table
from netversus.errors import EXIT_OK
from netversus.messages import catalogue, say, speaking, template
from netversus.provenance import PACKAGES, installed, this_machine

_FACTS = {
    "system": template("system"),
    "processor": template("processor"),
    "cores": template("cores"),
    "memory": template("memory"),
    "device": template("device"),
    "threads": template("threads"),
    "accelerator": template("accelerator"),
    "accelerator memory": template("accelerator memory"),
}
"""What the machine tells of itself, in words; what is no word (cuda) stands as it is."""
_OF_AN_EXTRA = re.compile(r"([\w.-]+)[^;]*;.*\bextra == ['\"]([\w.-]+)['\"]")


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_doctor, "doctor", arguments)


def _doctor(
    lang: Annotated[str, typer.Option(help="Language: en, or zh for Chinese.")] = "en",
) -> int:
    """Say what this machine is, what is installed, and what would make it faster."""
    catalogue(lang)  # one that does not exist is refused before torch is loaded
    from netversus.lab.devices import describe_device, resolve_device

    screen = console()
    facts = {**this_machine(), **describe_device(resolve_device("auto"))}
    versions = {"python": platform.python_version(), **installed(PACKAGES)}
    with speaking(lang):
        told = [(say(_FACTS.get(name, name)), value) for name, value in facts.items()]
        screen.print(table(say("Machine"), (say("what"), say("value")), told))
        screen.print(table(say("Installed"), (say("package"), say("version")), list(versions.items())))
        rows = [*_extras(), *_switches()]
        screen.print(table(say("Extras and switches"), (say("what"), say("state")), rows))
    return EXIT_OK


def _extras() -> Iterator[tuple[str, str]]:
    for extra, packages in extras().items():
        there = installed(packages)
        missing = [package for package in packages if package not in there]
        state = say("installed")
        if missing:
            said = template("missing {packages}: pip install 'netversus[{extra}]'")
            state = say(said, packages=", ".join(missing), extra=extra)
        yield say("extra {name}", name=extra), state


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
    state = os.environ.get("THP_MEM_ALLOC_ENABLE", say("unset"))
    yield "THP_MEM_ALLOC_ENABLE", say("{state} (1: huge pages for tensors)", state=state)
    set_already = "hugetlb=1" in os.environ.get("GLIBC_TUNABLES", "")
    state = say("set") if set_already else say("unset; set it to glibc.malloc.hugetlb=1 before the start")
    yield "GLIBC_TUNABLES", say("{state} (huge pages for everything else)", state=state)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        yield "PYTHONDONTWRITEBYTECODE", say("set: every start compiles thousands of files again; unset it")
