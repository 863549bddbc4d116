"""A plan as it is printed: each cell while they are few, a line a study when they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from netversus.cli.progress import begun
from netversus.cli.terminal import table
from netversus.execute.passes import first_names
from netversus.messages import clauses, in_a_row, say, template, told
from netversus.plan import Plan
from netversus.quantities import amount, duration
from netversus.records import Cell, DataCard

MOST_CELLS: Final = 40  # about a screen; more of them are summed up by study
_WORD: Final = 10  # columns of the word at a line's beginning


def print_plan(screen: Console, plan: Plan) -> None:
    """The plan: who, on what, which cells, how long, how much memory and disk, what was cut; in the language in
    force."""
    for card in plan.contenders:
        what = {"name": card.name, "architecture": card.architecture, "weights": card.weights}
        _print(screen, say("contender"), say("{name}: {architecture}, weights {weights}", **what))
    _print(screen, say("data"), say("{name}: {holds}", name=plan.data.name, holds=_holds(plan.data)))
    columns = (say("study"), say("contenders"))
    if len(plan.cells) <= MOST_CELLS:
        screen.print(table(say("Cells"), (*columns, say("seed"), say("estimated time")), _each(plan)))
    else:
        title = say("{n} cells", n=f"{len(plan.cells):,}")
        more = (say("seeds"), say("cells"), say("estimated time"))
        screen.print(table(title, (*columns, *more), _by_study(plan)))
    for cut in plan.cuts:
        _print(screen, say("cut "), told(cut))  # with a blank: "cut" alone is said of networks
    _print(screen, say("in all"), _cost(plan))


def _print(screen: Console, word: str, line: str) -> None:
    screen.print(begun(word, line, _WORD), markup=False)


def _cost(plan: Plan) -> str:
    """What all of it takes, and how that is known."""
    if all(rate.measured for rate in plan.rates.values()):
        how = say("calibrated here")
    else:
        how = say("for a nominal machine; a budget calibrates this one first")
    return say(
        "{time} ({how}), memory {memory}, disk {disk}",
        time=duration(plan.cost.seconds),
        how=how,
        memory=amount(float(plan.cost.memory), "bytes"),
        disk=amount(float(plan.cost.disk), "bytes"),
    )


def _holds(data: DataCard) -> str:
    """What the data hold: images, pictures with boxes, sequences; classes of the images, else of the boxes."""
    parts = [
        say(kind, splits=in_a_row(f"{n:,} {split}" for split, n in counts.items()))
        for kind, counts in (
            (template("{splits} images"), data.splits),
            (template("{splits} pictures with boxes"), data.frames),
            (template("{splits} sequences with tracks"), data.sequences),
        )
        if counts
    ]
    return clauses([*parts, say("{n} classes", n=len(data.classes or data.box_classes))])


def _each(plan: Plan) -> list[tuple[str, ...]]:
    """A row a cell."""
    return [(cell.study, in_a_row(cell.contenders), str(cell.seed), _time([cell])) for cell in plan.cells]


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
        return say("all {n}", n=len(names))
    return first_names(names)


def _span(numbers: Sequence[int]) -> str:
    """Seeds in a word: 3, 0 to 4, or as they are."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 1 and last - first == len(numbers) - 1:
        return say("{first} to {last}", first=first, last=last)
    return in_a_row(map(str, numbers))


def _time(cells: Sequence[Cell]) -> str:
    """The estimate for cells that are run, or why they are not."""
    if cells[0].blocked:
        return say("not run: {why}", why=told(cells[0].blocked))
    return duration(sum(cell.seconds or 0.0 for cell in cells))
