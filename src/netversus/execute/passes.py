"""Which cells are measured together: those of one study, with the same options and seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from netversus.messages import in_a_row, noted, say, template
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
        """A line for people, in the language in force."""
        if not self.cells[0].seed:
            return say("{study} of {names}", study=self.study, names=self.names)
        return say("{study} of {names}, seed {seed}", study=self.study, names=self.names, seed=self.cells[0].seed)

    @property
    def names(self) -> str:
        """Whose cells they are."""
        return first_names([name for cell in self.cells for name in cell.contenders])

    def noted(self, plain: str, seeded: str, **values: str) -> str:
        """A line about it that a listener tells in the reader's language: by one of two templates, the second for a
        pass whose seed is not the first; both have the gaps `study` and `names`."""
        about: dict[str, object] = {"study": self.study, "names": self.names, **values}
        return noted(seeded, **about, seed=self.cells[0].seed) if self.cells[0].seed else noted(plain, **about)

    def going_on_alone(self, error: str) -> str:
        """What is said when an error of the pass is sought with each of its contenders alone."""
        return self.noted(
            template("{study} of {names}: {error}; going on with each contender alone"),
            template("{study} of {names}, seed {seed}: {error}; going on with each contender alone"),
            error=error,
        )

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
    if rest <= 1:
        return in_a_row(names)
    return say("{names} and {n} more", names=in_a_row(names[:MOST_NAMES]), n=rest)


def passes(cells: Sequence[Cell], done: Callable[[Cell], bool]) -> tuple[Pass, ...]:
    """The cells that are not done, grouped, in the order of the plan."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in cells:
        if not done(cell):
            options = json.dumps(dict(cell.options), sort_keys=True)
            groups.setdefault((cell.study, options, cell.seed), []).append(cell)
    return tuple(Pass(tuple(group)) for group in groups.values())
