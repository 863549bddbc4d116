"""Throughput at other batches, resolutions and engines, read back point by point. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import inf

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Scalar, Table
from netversus.lab.engines import find_engines
from netversus.messages import say
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample, only, pair
from netversus.statistics.ratios import ratio
from netversus.study import Evidence

LEVEL = 0.95

Array = NDArray[np.float64]


def over_grid(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Table]:
    """Throughput at the other batches and resolutions, with the ratio to the first contender."""
    points = {card.name: _own(by_point(evidence.series(card.name, "throughput_grid"))) for card in timed}
    first = timed[0].name
    rows: list[tuple[Scalar, ...]] = []
    for point in points[first]:
        batch, side = point.split("/")
        for card in timed:
            if point in points[card.name]:
                sample = points[card.name][point]
                ratios = ("", "") if card.name == first else _ratio_text(points[first][point], sample)
                where = say("its own") if side == "own" else side.removeprefix("r")
                rows.append((int(batch.removeprefix("b")), where, card.name, rate(sample.values), *ratios))
    if rows:
        yield Table(
            title=say("Throughput over batch and resolution"),
            columns=(
                say("batch"),
                say("side (px)"),
                say("contender"),
                say("images/s"),
                say("times {contender}", contender=first),
                say("{level} % interval", level=f"{100 * LEVEL:.0f}"),
            ),
            rows=tuple(rows),
            formats=(",d", "", "", ",", "", ""),
            note=say("Medians over the blocks; ratios by Hodges-Lehmann over blocks, not corrected for their number."),
        )


def _own(points: Mapping[str, Sample]) -> dict[str, Sample]:
    """The points at which a contender runs on its own engine."""
    return {point: sample for point, sample in points.items() if "@" not in point}


def over_engines(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Table]:
    """Throughput on other engines, with the ratio to the contender's own engine at the same batch and resolution."""
    rows = [row for card in timed for row in _engine_rows(evidence, card)]
    if rows:
        yield Table(
            title=say("Throughput over engine and precision"),
            columns=(
                *(say("contender"), say("engine"), say("precision"), say("batch"), say("side (px)"), say("images/s")),
                *(say("times its own engine"), say("{level} % interval", level=f"{100 * LEVEL:.0f}")),
            ),
            rows=tuple(rows),
            formats=("", "", "", ",d", "", ",", "", ""),
            note=say(
                "Every engine in turns with the contender's own, on noise: how fast it is, and not whether it answers "
                "the same. That is counted where a contender runs on it (?engine=). Ratios by Hodges-Lehmann over "
                "blocks, not corrected for their number."
            ),
        )


def _engine_rows(evidence: Evidence, card: ContenderCard) -> Iterator[tuple[Scalar, ...]]:
    points = by_point(evidence.series(card.name, "throughput_grid"))
    judged = evidence.series(card.name, "throughput")
    used = values_of(evidence, card, "batch_used")
    own = dict(_own(points))
    if judged is not None and len(used) and len(set(used.tolist())) == 1:
        own[f"b{int(used[0])}/own"] = judged
    for point, sample in points.items():
        where, _, engine = point.partition("@")
        if engine:
            batch, side = where.split("/")
            told = _ratio_text(own[where], sample) if where in own else ("", "")
            precision = find_engines()[engine].precision if engine in find_engines() else ""
            place = say("its own") if side == "own" else side.removeprefix("r")
            yield card.name, engine, precision, int(batch.removeprefix("b")), place, rate(sample.values), *told


def by_point(sample: Sample | None) -> dict[str, Sample]:
    """The observations of each point of the grid: units "b8/r64/p0/block-003" become "p0/block-003" of
    "b8/r64", and "b8/own@bf16/p0/block-003" that of "b8/own@bf16"."""
    found: dict[str, Sample] = {}
    if sample is None:
        return found
    split = [("/".join(u.split("/")[:2]), "/".join(u.split("/")[2:]), float(v)) for u, v in rows_of(sample)]
    for point, group in groupby(sorted(split), key=lambda row: row[0]):
        rows = list(group)
        found[point] = Sample(tuple(unit for _, unit, _ in rows), np.array([value for _, _, value in rows]))
    return dict(sorted(found.items(), key=lambda item: _size(item[0])))


def rows_of(sample: Sample) -> Iterator[tuple[str, float]]:
    """Units and values."""
    return zip(sample.units, sample.values.tolist(), strict=True)


def _size(point: str) -> tuple[float, int, str]:
    where, _, engine = point.partition("@")
    batch, side = where.split("/")
    return (-inf if side == "own" else int(side[1:]), int(batch[1:]), engine)


def _ratio_text(first: Sample, other: Sample) -> tuple[str, str]:
    """The ratio over the blocks that both have, and its interval where there are enough."""
    common = set(first.units) & set(other.units)
    paired = pair(only(first, common), only(other, common)) if common else None
    effect = ratio(paired.a, paired.b, LEVEL) if paired else None
    if effect is None:
        return "", say("too few blocks")
    return f"{effect.estimate:.3g}", f"[{effect.low:.3g}, {effect.high:.3g}]"


def values_of(evidence: Evidence, card: ContenderCard, metric: str) -> Array:
    """The values in stored order; empty where there are none."""
    series = evidence.series(card.name, metric)
    return np.empty(0) if series is None else series.values


def rate(values: Array) -> float | None:
    """The median to four digits, and whole where it has as many before the point."""
    if not len(values):
        return None
    rate = float(np.median(values))
    return round(rate) if rate >= 1000 else float(f"{rate:.4g}")
