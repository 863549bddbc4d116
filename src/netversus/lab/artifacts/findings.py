"""What a scan says: findings with their place, the verdict that follows from them, and what the scan may spend."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from netversus.messages import noted

MOST_FINDINGS = 60
MEBI = 2**20


class Verdict(StrEnum):
    """What is known of a file. It speaks of what opening the file would run, and of nothing else: weights that were
    poisoned in training are clean."""

    CLEAN = "clean"  # read whole; nothing in it runs, no claim exceeds what it holds
    DAMAGED = "damaged"  # it is not whole; what could be read runs nothing
    NOT_SCANNED = "not scanned"  # a part, or all, could not be read here: nothing is known
    SUSPICIOUS = "suspicious"  # something that no list vouches for, or that no honest writer does
    HOSTILE = "hostile"  # it would run code, or deceives the reader on purpose


SEVERITY: Mapping[Verdict, int] = MappingProxyType({verdict: i for i, verdict in enumerate(Verdict)})


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of evidence. `kind` is the verdict that it alone asks for (CLEAN: a remark); `where` names a member of
    an archive, outermost first; `at` is a byte offset in it, None where there is none."""

    kind: Verdict
    what: str
    where: str = ""
    at: int | None = None

    def __str__(self) -> str:
        place = ", ".join(
            part for part in (printable(self.where), f"byte {self.at:,}" if self.at is not None else "") if part
        )
        return f"{self.kind}: {self.what}{f' ({place})' if place else ''}"


def printable(text: str, most: int = 120) -> str:
    """Text from a file made fit for a terminal and a line: no control characters, no line breaks, not endless."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[: most + 1])
    return shown if len(shown) <= most else f"{shown[:most]}…"


class OutOfBudgetError(Exception):
    """The scan has spent what it may: what is left is not scanned."""


class BrokenError(Exception):
    """A structure that ends early or contradicts itself. `at` is where."""

    def __init__(self, what: str, at: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.at = at


@dataclass
class Budget:
    """What a scan may spend: seconds, opcodes, bytes out of compressed streams, archives within archives."""

    seconds: float = 60.0
    opcodes: int = 30_000_000
    inflated: int = 1024 * MEBI
    depth: int = 4
    _until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._until = time.monotonic() + self.seconds

    def tick(self) -> None:
        """Called every now and then.

        Raises:
            OutOfBudgetError: the time is over.
        """
        if time.monotonic() > self._until:
            raise OutOfBudgetError(noted("the scan took longer than its {n} s", n=f"{self.seconds:g}"))

    def step(self, opcodes: int) -> None:
        """Spend opcodes.

        Raises:
            OutOfBudgetError: there are more than a model needs, or the time is over.
        """
        self.opcodes -= opcodes
        if self.opcodes < 0:
            raise OutOfBudgetError(noted("it has more pickle opcodes than the scan reads"))
        self.tick()

    def inflate(self, size: int) -> None:
        """Spend bytes that came out of a compressed stream.

        Raises:
            OutOfBudgetError: it grows past the bound, or the time is over.
        """
        self.inflated -= size
        if self.inflated < 0:
            raise OutOfBudgetError(noted("its compressed content grows past what the scan reads"))
        self.tick()


@dataclass
class Findings:
    """Collects evidence. Past `MOST_FINDINGS` lines of a kind only the count goes on."""

    lines: list[Finding] = field(default_factory=list)
    counts: dict[Verdict, int] = field(default_factory=dict)
    globals: dict[str, int] = field(default_factory=dict)
    _seen: set[Finding] = field(default_factory=set)

    def add(self, kind: Verdict, what: str, where: str = "", at: int | None = None) -> None:
        """Keep one line of evidence; the same line twice is kept once."""
        line = Finding(kind, what, where, at)
        if line in self._seen:
            return
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.counts[kind] <= MOST_FINDINGS:
            self._seen.add(line)
            self.lines.append(line)

    @property
    def verdict(self) -> Verdict:
        """The gravest of the evidence."""
        return max(self.counts, key=lambda kind: SEVERITY[kind], default=Verdict.CLEAN)

    def sorted(self) -> tuple[Finding, ...]:
        """Gravest first; a line for what was left out."""
        more = [
            Finding(kind, noted("and {n} more of this kind", n=f"{count - MOST_FINDINGS:,}"))
            for kind, count in self.counts.items()
            if count > MOST_FINDINGS
        ]
        return tuple(sorted([*self.lines, *more], key=lambda line: -SEVERITY[line.kind]))
