"""From the seconds of one timing block to what is stored of it. Loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from netversus.records import Observations
from netversus.statistics.powerlaw import exponents
from netversus.studies.scaling.grid import Point, Setup, block_name, unit


def observe(
    name: str, points: Mapping[Point, Setup], seconds: Mapping[Setup, float], left_out: Collection[Point], block: int
) -> Iterator[Observations]:
    """The observations of one contender: seconds an image along each axis, and what follows from them.

    A growth or an exponent takes two points at least; where there are fewer it is absent.
    """
    axes: dict[str, list[Setup]] = {}
    for point, setup in points.items():
        if point not in left_out:
            axes.setdefault(point.axis, []).append(setup)
    for axis, run in axes.items():
        units = tuple(unit(axis, setup, block) for setup in run)
        yield Observations(name, f"seconds_{axis}", units, tuple(seconds[setup] for setup in run))
    place = (block_name(block),)
    sides, batches = axes.get("resolution", []), axes.get("batch", [])
    if len(sides) > 1:
        yield Observations(name, "resolution_growth", place, (seconds[sides[-1]] / seconds[sides[0]],))
        yield Observations(name, "resolution_exponent", place, (_slope({s.side**2: seconds[s] for s in sides}),))
    if len(batches) > 1:
        yield Observations(name, "batch_exponent", place, (_slope({s.batch: seconds[s] for s in batches}),))


def _slope(seconds: Mapping[int, float]) -> float:
    return float(exponents(list(seconds), [list(seconds.values())])[0])
