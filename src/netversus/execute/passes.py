"""Which cells are measured together: those of one study, with the same options and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from netversus.records import Cell

MOST_NAMES: Final = 3


@dataclass(frozen=True, slots=True)
class Pass:
    """Cells that differ in their contenders only: an image is decoded once for all of them."""

    cells: tuple[Cell, ...]

    @property
    def study(self) -> str:
        """The study's name."""
        return self.cells[0].study

    @property
    def label(self) -> str:
        """A line for people."""
        names = [name for cell in self.cells for name in cell.contenders]
        return f"{self.study} of {first_names(names)}" + (f", seed {self.cells[0].seed}" if self.cells[0].seed else "")

    @property
    def seconds(self) -> float:
        """The estimate."""
        return sum(cell.seconds or 0.0 for cell in self.cells)

    def alone(self) -> tuple[Pass, ...]:
        """One pass a cell: how the work goes on when a cell spoils it for the others."""
        return tuple(Pass((cell,)) for cell in self.cells)


def first_names(names: Sequence[str]) -> str:
    """Names in a line: all while they are few, else the first and how many more."""
    rest = len(names) - MOST_NAMES
    return ", ".join(names) if rest <= 1 else f"{', '.join(names[:MOST_NAMES])} and {rest} more"


def passes(cells: Sequence[Cell], done: Callable[[Cell], bool]) -> tuple[Pass, ...]:
    """The cells that are not done, grouped, in the order of the plan."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        if not done(cell):
            options = json.dumps(dict(cell.options), sort_keys=True)
            groups.setdefault((cell.study, options, cell.seed), []).append(cell)
    return tuple(Pass(tuple(group)) for group in groups.values())
