"""How steady the timings were: scatter, drift and autocorrelation of the blocks, and of the ratios. Loads no torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Scalar, Table
from netversus.lab.timing.quiet import scatter
from netversus.messages import say, sentences
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample, only, pair
from netversus.statistics.ratios import log_ratios, order_effects
from netversus.studies.speed.grid import values_of
from netversus.study import Evidence

Array = NDArray[np.float64]


def steadiness(evidence: Evidence, timed: Sequence[ContenderCard]) -> Table:
    """A row for each contender's single images and one for its batches. What its ratio to the first contender did
    matters most."""
    metrics = {"latency": say("one image"), "throughput": say("a batch")}
    measured = [(card, metric) for card in timed for metric in metrics if evidence.series(card.name, metric)]
    rows: list[tuple[Scalar, ...]] = []
    for card, metric in measured:
        own, ratio = values_of(evidence, card, metric), _ratio(evidence, timed[0], card, metric)
        told = (100 * scatter(own), *_order(own), *_order(ratio.values), _spread(ratio))
        rows.append((card.name, metrics[metric], *told))
    processes = len({_process(unit) for card, metric in measured for unit in _units(evidence, card, metric)})
    columns = (
        *(say("contender"), say("timed"), say("scatter of the blocks (%)"), say("drift"), say("autocorrelation")),
        *(say("drift of the ratio to {contender}", contender=timed[0].name), say("its autocorrelation")),
        say("its spread over processes (%)"),
    )
    formats = ("", "", ".1f", "+.2f", "+.2f", "+.2f", "+.2f", ".1f")
    shown = len(columns) if processes > 1 else len(columns) - 1
    return Table(
        title=say("How steady the timings were"),
        columns=columns[:shown],
        rows=tuple(row[:shown] for row in rows),
        formats=formats[:shown],
        note=_note(processes),
    )


def _note(processes: int) -> str:
    of_processes = (
        say(
            "The spread over processes is that of the ratio's median in each of the {n}: what the layout of their "
            "memory does, beside the scatter of their blocks. The intervals take all blocks for independent.",
            n=processes,
        )
        if processes > 1
        else say(
            "All blocks are of one process: what the layout of its memory does is in no interval "
            "(--speed.processes 4 shows it)."
        )
    )
    drift = say(
        "Drift is the rank correlation with time, autocorrelation that of neighbouring blocks; 0 is steady. What both "
        "contenders share cancels in the ratio."
    )
    return sentences(drift, of_processes)


def _ratio(evidence: Evidence, first: ContenderCard, card: ContenderCard, metric: str) -> Sample:
    """log(contender / first contender) in the blocks that both have; empty for the first itself."""
    a, b = evidence.series(first.name, metric), evidence.series(card.name, metric)
    common = set(a.units) & set(b.units) if a is not None and b is not None and card is not first else set()
    if a is None or b is None or not common:
        return Sample((), np.empty(0))
    paired = pair(only(a, common), only(b, common))
    return Sample(paired.units, log_ratios(paired.a, paired.b))


def _order(values: Array) -> tuple[float | None, float | None]:
    """Drift and autocorrelation; of fewer than three values there is neither."""
    if len(values) < 3:
        return None, None
    order = order_effects(values)
    return order.trend, order.autocorrelation


def _spread(ratio: Sample) -> float | None:
    """By how many per cent the ratio of one process exceeds that of another, at most; None of a single process."""
    logs: dict[str, list[float]] = defaultdict(list)
    for unit, value in zip(ratio.units, ratio.values.tolist(), strict=True):
        logs[_process(unit)].append(value)
    medians = [float(np.median(several)) for several in logs.values()]
    return 100 * float(np.expm1(max(medians) - min(medians))) if len(medians) > 1 else None


def _units(evidence: Evidence, card: ContenderCard, metric: str) -> Sequence[str]:
    sample = evidence.series(card.name, metric)
    return () if sample is None else sample.units


def _process(unit: str) -> str:
    """The process of a block: "p0" of "p0/block-003"."""
    return unit.partition("/")[0]
