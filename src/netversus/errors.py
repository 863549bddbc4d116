"""Every error that netversus raises on purpose, drawn as a tree.

    NetversusError                 exit 1   an internal contract was broken
    ├── UsageError                 exit 2   the user can mend it
    │   ├── SpecError                       a contender or data spec that cannot be understood
    │   ├── WeightsError                    weights that cannot be had, or do not fit
    │   ├── UnsafeFileError                 a model file that needs more than tensors to open
    │   ├── DataError                       data that cannot be read as asked
    │   │   └── UnreadableError             an image that, when it was read, turned out to be none
    │   ├── OptionError                     a setting with a wrong name or value
    │   ├── RunFolderError                  a run folder that cannot be written, read or resumed
    │   └── MissingExtraError               an optional dependency that is not installed
    ├── ClusterError               exit 5   a cluster that cannot be reached, or went away; the run can be resumed
    ├── StatisticsError            exit 1   an array that does not fit the method
    │   └── PairingError                    contenders that were not measured on the same units
    └── CellError                  (caught) one cell failed; the others go on, exit 5
        ├── DivergedError                   training left the real numbers
        └── EngineError                     an inference engine that cannot take a network

A message is one line: what was expected, what came; the hint says what to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar, Final

SHORTEST_SECRET: Final = 8  # characters; what is shorter may be a word of the text
_SECRET_NAME: Final = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|_KEY|APIKEY", re.IGNORECASE)
_IN_ADDRESSES: Final = (
    re.compile(r"(\w+://)[^/\s@]+@"),
    re.compile(r"(\w+://[^/\s:'\"@]+):(?!\d+\b)[^/\s:'\"]+"),  # a user and a password whose host was cut off
    re.compile(r"(\w+://[^\s?']+)\?[^\s']*"),
)

EXIT_OK: Final = 0
EXIT_INTERNAL: Final = 1
EXIT_USAGE: Final = 2
EXIT_GATE_FAILED: Final = 3
EXIT_UNDECIDED: Final = 4
EXIT_INCOMPLETE: Final = 5
EXIT_INTERRUPTED: Final = 130


class NetversusError(Exception):
    """The base of the family. `hint` says what the reader can do about it."""

    exit_code: ClassVar[int] = EXIT_INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """One line, whatever the message was made from (a file name may hold a newline)."""
        text = f"{self.message} ({self.hint})" if self.hint else self.message
        return without_credentials(" ".join(text.split()))


class UsageError(NetversusError):
    """Wrong use or configuration."""

    exit_code = EXIT_USAGE


class SpecError(UsageError):
    """A contender or data spec that cannot be understood."""


class WeightsError(UsageError):
    """Weights that cannot be had, or do not fit the architecture."""


class UnsafeFileError(UsageError):
    """A model file that would need more than tensors to open."""


class DataError(UsageError):
    """Data that cannot be read as asked."""


class UnreadableError(DataError):
    """An image of data that were not looked at whole before, which turned out to be none that can be used."""


class OptionError(UsageError):
    """A setting with a wrong name or a wrong value."""


class RunFolderError(UsageError):
    """A run folder that cannot be written, read or resumed."""


class MissingExtraError(UsageError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, needed_for: str) -> None:
        super().__init__(
            f"{needed_for} needs the package {package!r}, which is not installed",
            hint=f"pip install 'netversus[{extra}]'",
        )


class ClusterError(NetversusError):
    """A cluster that cannot be reached, or went away. What was measured is stored."""

    exit_code = EXIT_INCOMPLETE


class StatisticsError(NetversusError):
    """An array whose shape, dtype or content does not fit the method."""


class PairingError(StatisticsError):
    """Contenders that were not measured on the same units."""


class CellError(NetversusError):
    """One cell failed for a reason that its study can name."""


class DivergedError(CellError):
    """Training left the real numbers."""


class EngineError(CellError):
    """An inference engine that cannot take a network, or cannot run on this machine."""


def without_credentials(text: str) -> str:
    """A text without the user names, passwords and signed queries of the addresses in it, and without the values of the
    environment's secrets: a command, an error or a traceback goes into logs, run folders and reports."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and _SECRET_NAME.search(name):
            text = text.replace(value, "***")
    for pattern in _IN_ADDRESSES:
        text = pattern.sub(r"\1", text)
    return text


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> str:
    """A hint naming the known words nearest to a misspelt one, or an empty string."""
    close = get_close_matches(word, list(known), n=most, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else ""
