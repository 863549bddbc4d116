"""The stored seconds of each axis, read back as tables of blocks by sizes. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Scalar, Table
from netversus.messages import say, template
from netversus.statistics.powerlaw import fit_blocks
from netversus.study import Evidence

LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Seconds an image, shape (blocks, sizes), of one contender along one axis, in the blocks that hold every size."""

    name: str
    axis: str
    sizes: tuple[int, ...]
    seconds: Array

    @property
    def medians(self) -> Array:
        """The median over blocks, shape (sizes,)."""
        return np.asarray(np.median(self.seconds, axis=0))

    def seconds_at(self, size: int) -> float | None:
        """The median at a size, None where it was not measured."""
        return float(self.medians[self.sizes.index(size)]) if size in self.sizes else None


def curve(evidence: Evidence, contender: str, axis: str) -> Curve | None:
    """One contender's curve, None where nothing whole was measured."""
    sample = evidence.series(contender, f"seconds_{axis}")
    rows: dict[str, dict[int, float]] = {}
    for unit, value in zip(sample.units, sample.values.tolist(), strict=True) if sample else ():
        place, _, block = unit.partition("/")
        rows.setdefault(block, {})[int(place.rpartition("-")[2])] = value
    sizes = tuple(sorted({size for row in rows.values() for size in row}))
    whole = [[row[size] for size in sizes] for row in rows.values() if len(row) == len(sizes)]
    return Curve(contender, axis, sizes, np.array(whole)) if whole else None


def curves(evidence: Evidence, axis: str) -> list[Curve]:
    """The curves of all contenders that have one."""
    found = (curve(evidence, card.name, axis) for card in evidence.contenders)
    return [each for each in found if each is not None]


def depth_curve(told: Mapping[str, Any]) -> Curve | None:
    """The reference ResNets."""
    seconds = {int(depth): each for depth, each in told.get("depths", {}).items()}
    sizes = tuple(sorted(seconds))
    return (
        Curve(say("ResNets, random weights"), "depth", sizes, np.array([seconds[d] for d in sizes]).T)
        if sizes
        else None
    )


_WORDS = {
    "resolution": template("pixels of an image"),
    "batch": template("images at once"),
    "threads": template("threads"),
    "devices": template("GPUs"),
    "processes": template("processes"),
    "depth": template("depth of a ResNet"),
}


def exponent_table(found: Sequence[Curve]) -> Table:
    """A row for each curve of two points or more."""
    rows = [_row(each) for each in found if len(each.sizes) > 1]
    return Table(
        title=say("With which power the time of an image grows"),
        columns=(
            say("contender"),
            say("with"),
            say("from"),
            say("to"),
            say("exponent"),
            say("{level} % interval", level=f"{100 * LEVEL:.0f}"),
            say("farthest point off the curve (%)"),
            say("blocks"),
        ),
        rows=tuple(rows),
        formats=("", "", ",", ",", "+.3f", "", ".1f", ",d"),
        note=say(
            "Least squares through logarithms: time = c × size ^ exponent. 1 for the pixels means twice the pixels, "
            "twice the time; 0 for the batch means that batches gain nothing; −1 for threads, GPUs or processes means "
            "that none is wasted. Student's t over timing blocks. Where points lie far off, it is no power law, and "
            "the exponent only sums up this range."
        ),
    )


def _row(each: Curve) -> tuple[Scalar, ...]:
    sizes = tuple(size**2 for size in each.sizes) if each.axis == "resolution" else each.sizes
    law = fit_blocks(sizes, each.seconds, LEVEL)
    ends = f"[{law.interval.low:+.3f}, {law.interval.high:+.3f}]" if law.interval else say("one block only")
    off = 100 * (law.misfit - 1) if len(sizes) > 2 else None  # any two points lie on a curve
    return each.name, say(_WORDS[each.axis]), sizes[0], sizes[-1], law.exponent, ends, off, len(each.seconds)
