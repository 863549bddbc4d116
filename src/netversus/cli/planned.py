"""A plan as it is printed: each cell while they are few, a line a study when they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from netversus.cli.terminal import table
from netversus.execute.passes import first_names
from netversus.plan import Plan
from netversus.quantities import amount, duration
from netversus.records import Cell, DataCard

MOST_CELLS: Final = 40  # about a screen; more of them are summed up by study


def print_plan(screen: Console, plan: Plan) -> None:
    """The plan: who, on what, which cells, how long, how much memory and disk, what was cut."""
    for card in plan.contenders:
        screen.print(f"contender  {card.name}: {card.architecture}, weights {card.weights}", markup=False)
    screen.print(f"data       {plan.data.name}: {_holds(plan.data)}", markup=False)
    if len(plan.cells) <= MOST_CELLS:
        screen.print(table("Cells", ("study", "contenders", "seed", "estimated time"), _each(plan)))
    else:
        title = f"{len(plan.cells):,} cells"
        screen.print(table(title, ("study", "contenders", "seeds", "cells", "estimated time"), _by_study(plan)))
    for cut in plan.cuts:
        screen.print(f"cut        {cut}", markup=False)
    measured = all(rate.measured for rate in plan.rates.values())
    how = "calibrated here" if measured else "for a nominal machine; a budget calibrates this one first"
    screen.print(
        f"in all     {duration(plan.cost.seconds)} ({how}), memory {amount(float(plan.cost.memory), 'bytes')}, "
        f"disk {amount(float(plan.cost.disk), 'bytes')}",
        markup=False,
    )


def _holds(data: DataCard) -> str:
    """What the data hold: images, pictures with boxes, sequences; classes of the images, else of the boxes."""
    kinds = (("images", data.splits), ("pictures with boxes", data.frames), ("sequences with tracks", data.sequences))
    parts = [f"{', '.join(f'{n:,} {split}' for split, n in counts.items())} {kind}" for kind, counts in kinds if counts]
    return "; ".join([*parts, f"{len(data.classes or data.box_classes)} classes"])


def _each(plan: Plan) -> list[tuple[str, ...]]:
    """A row a cell."""
    return [(cell.study, ", ".join(cell.contenders), str(cell.seed), _time([cell])) for cell in plan.cells]


def _by_study(plan: Plan) -> list[tuple[str, ...]]:
    """A row for the cells of a study that are run, and one for each reason why some are not."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in plan.cells:
        groups.setdefault((cell.study, cell.blocked), []).append(cell)
    return [
        (study, _names(plan, cells), _span(sorted({cell.seed for cell in cells})), f"{len(cells):,}", _time(cells))
        for (study, _), cells in groups.items()
    ]


def _names(plan: Plan, cells: Sequence[Cell]) -> str:
    """Whose cells they are: all, or the first names and how many more."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.contenders))
    if len(names) == len(plan.contenders):
        return f"all {len(names)}"
    return first_names(names)


def _span(numbers: Sequence[int]) -> str:
    """Seeds in a word: 3, 0 to 4, or as they are."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 1 and last - first == len(numbers) - 1:
        return f"{first} to {last}"
    return ", ".join(str(number) for number in numbers)


def _time(cells: Sequence[Cell]) -> str:
    """The estimate for cells that are run, or why they are not."""
    if cells[0].blocked:
        return f"not run: {cells[0].blocked}"
    return duration(sum(cell.seconds or 0.0 for cell in cells))
