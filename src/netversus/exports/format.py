"""What a format is, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from netversus.plan import Plan
from netversus.records import ContenderCard
from netversus.report import ReportView
from netversus.store import RunStore

Files = Iterable[tuple[str, bytes]]
"""What an export writes: names below its folder ("resnet50/README.md"), each with its content."""


@dataclass(frozen=True, slots=True)
class Source:
    """A run to export. `contenders` are those that were asked for, or all. `report` is where readers find the report:
    an address or a path, or empty."""

    store: RunStore
    plan: Plan
    view: ReportView
    contenders: tuple[ContenderCard, ...]
    report: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """One thing that a run can be written as.

    `files` makes it; the names it gives are relative. `single` is the suffix of a format that is one file ("" where it
    is a folder of files), `says` a line for people. `by_contender`: contenders may be chosen. `extra` names the
    optional dependency, as package and extra, where there is one.
    """

    name: str
    says: str
    files: Callable[[Source], Files]
    single: str = ""
    by_contender: bool = False
    extra: tuple[str, str] | None = None
