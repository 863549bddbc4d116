"""The stored seconds of each axis, read back as tables of blocks by sizes. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Scalar, Table, Text
from netversus.lab.timing.quiet import NOISY_SCATTER, scatter
from netversus.messages import say, template
from netversus.quantities import percent
from netversus.statistics.powerlaw import fit_blocks
from netversus.studies.scaling.observed import Rows, held_by_all, rows
from netversus.study import Evidence

LEVEL = 0.95

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Seconds an image, shape (blocks, sizes), of one contender along one axis, at the sizes that every block holds."""

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
    """One contender's curve, None where no size was measured in every block."""
    found = _rows(evidence, contender, axis)
    sizes = held_by_all(found)
    if not sizes:
        return None
    return Curve(contender, axis, sizes, np.array([[row[size] for size in sizes] for row in found.values()]))


def _rows(evidence: Evidence, contender: str, axis: str) -> Rows:
    sample = evidence.series(contender, f"seconds_{axis}")
    return {} if sample is None else rows(sample.units, sample.values.tolist())


def lacking(evidence: Evidence) -> Iterator[Text]:
    """The sizes that only some blocks hold, for they were left out on the way: no curve has them, and that is said."""
    said: dict[str, None] = {}
    for axis, words in _WORDS.items():
        for card in evidence.contenders:
            found = _rows(evidence, card.name, axis)
            for size in sorted({size for row in found.values() for size in row} - set(held_by_all(found))):
                some = sum(size in row for row in found.values())
                of = {"some": some, "total": len(found), "what": say(words), "size": _told(axis, size)}
                said[say(_SOME_BLOCKS, **of)] = None
    yield from map(Text, said)


def _told(axis: str, size: int) -> str:
    return f"{size}²" if axis == "resolution" else str(size)


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

_SOME_BLOCKS = template(
    "Only {some} of {total} timing blocks hold {size} ({what}): it is in no curve and in no exponent."
)


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
    sizes = shown_sizes(each)
    law = fit_blocks(sizes, each.seconds, LEVEL)
    ends = f"[{law.interval.low:+.3f}, {law.interval.high:+.3f}]" if law.interval else say("one block only")
    off = 100 * (law.misfit - 1) if len(sizes) > 2 else None  # any two points lie on a curve
    return each.name, say(_WORDS[each.axis]), sizes[0], sizes[-1], law.exponent, ends, off, len(each.seconds)


def shown_sizes(each: Curve) -> tuple[int, ...]:
    """The sizes as they are told: of a resolution its pixels."""
    return tuple(size**2 for size in each.sizes) if each.axis == "resolution" else each.sizes


def scattered(found: Sequence[Curve]) -> tuple[float, str] | None:
    """The largest scatter of a point from block to block, and whose it is, in words; None where there are no two
    blocks."""
    points = [
        (scatter(each.seconds[:, place]), each, size)
        for each in found
        if len(each.seconds) > 1
        for place, size in enumerate(shown_sizes(each))
    ]
    if not points:
        return None
    worst, each, size = max(points, key=lambda point: point[0])
    said = say(
        "the time of {contender} ({what}: {size}) scatters by {scatter} from block to block (more than {limit} is "
        "noisy)",
        contender=each.name,
        what=say(_WORDS[each.axis]),
        size=f"{size:,}",
        scatter=percent(worst),
        limit=percent(NOISY_SCATTER),
    )
    return worst, said
