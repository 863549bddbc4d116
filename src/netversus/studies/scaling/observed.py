"""From seconds to what is stored of them, and back. Loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from netversus.records import Observations
from netversus.statistics.powerlaw import exponents
from netversus.studies.scaling.grid import Point, Setup, read, unit

Rows = Mapping[str, Mapping[int, float]]
"""Seconds an image of one contender along one axis: block -> size -> seconds."""


def observe(
    name: str, points: Mapping[Point, Setup], seconds: Mapping[Setup, float], left_out: Collection[Point], block: int
) -> Iterator[Observations]:
    """One contender's seconds an image along each axis, in one block."""
    axes: dict[str, list[Setup]] = {}
    for point, setup in points.items():
        if point not in left_out:
            axes.setdefault(point.axis, []).append(setup)
    for axis, run in axes.items():
        units = tuple(unit(axis, setup, block) for setup in run)
        yield Observations(name, f"seconds_{axis}", units, tuple(seconds[setup] for setup in run))


def rows(units: Sequence[str], values: Sequence[float]) -> Rows:
    """What `observe` stored along an axis."""
    found: dict[str, dict[int, float]] = {}
    for one, value in zip(units, values, strict=True):
        size, block = read(one)
        found.setdefault(block, {})[size] = value
    return found


def held_by_all(found: Rows) -> tuple[int, ...]:
    """The sizes that every block holds, small ones first: what was left out on the way is left out of every block, so
    that all blocks are of the same points."""
    return tuple(sorted(set.intersection(*map(set, found.values())))) if found else ()


def growths(seen: Iterable[Observations]) -> Iterator[Observations]:
    """What follows from a cell's seconds, block by block, once it has all of them.

    A growth or an exponent takes two points at least; where there are fewer it is absent.
    """
    along: dict[tuple[str, str], tuple[list[str], list[float]]] = {}
    for each in seen:
        units, values = along.setdefault((each.contender, each.metric), ([], []))
        units.extend(each.units)
        values.extend(each.values)
    for (name, metric), (units, values) in along.items():
        found = rows(units, values)
        sizes = held_by_all(found)
        if len(sizes) > 1 and metric == "seconds_resolution":
            yield _seen(name, "resolution_growth", {b: row[sizes[-1]] / row[sizes[0]] for b, row in found.items()})
            yield _seen(name, "resolution_exponent", {b: _slope(row, sizes, 2) for b, row in found.items()})
        elif len(sizes) > 1 and metric == "seconds_batch":
            yield _seen(name, "batch_exponent", {b: _slope(row, sizes, 1) for b, row in found.items()})


def _seen(name: str, metric: str, by_block: Mapping[str, float]) -> Observations:
    return Observations(name, metric, tuple(by_block), tuple(by_block.values()))


def _slope(row: Mapping[int, float], sizes: Sequence[int], power: int) -> float:
    """The exponent over the sizes to a power: the pixels are the square of the side."""
    return float(exponents([size**power for size in sizes], [[row[size] for size in sizes]])[0])
