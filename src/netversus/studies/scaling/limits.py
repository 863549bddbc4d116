"""How near each contender comes to what the machine allows. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netversus.exhibits import Exhibit, Scalar, Table, Text
from netversus.studies.scaling.curves import Curve
from netversus.studies.scaling.roof import Counted, Machine, bound_by_memory, roof

GIGA = 1e9


def limits(batches: Sequence[Curve], told: Mapping[str, Any]) -> Iterator[Exhibit]:
    """What the machine reached at most, and the share of it that each contender reaches; nothing where the one or the
    other was not measured."""
    if not told.get("peaks") or not told.get("bandwidth"):
        return
    machine = Machine(told["peaks"], told["bandwidth"])
    yield Text(_machine_words(machine, told))
    counted = {name: Counted(**each) for name, each in told.get("counted", {}).items()}
    rows = [row for each in batches if each.name in counted for row in _rows(each, counted[each.name], machine)]
    if rows:
        yield _table(machine, rows)


def _machine_words(machine: Machine, told: Mapping[str, Any]) -> str:
    peaks = ", ".join(f"{peak / GIGA:,.0f} GFLOP/s in {precision}" for precision, peak in machine.peaks.items())
    where = "" if told["device"] != "cpu" else f" with {told['threads']} threads"
    return (
        f"At its best this machine ({told['device']}{where}) reached {peaks}, in a large matrix product, and "
        f"{machine.bandwidth / GIGA:,.1f} GB/s in a copy of memory: measured in this run, beside the contenders."
    )


def _table(machine: Machine, rows: Sequence[tuple[Scalar, ...]]) -> Table:
    shares = tuple(f"share of the {precision} roof (%)" for precision in machine.peaks)
    return Table(
        title="How near the limit: the roofline",
        columns=("contender", "batch", "reached (GFLOP/s)", "FLOP a byte (fp32)", "limit (fp32)", *shares),
        rows=tuple(rows),
        formats=("", ",d", ",.1f", ",.1f", "", *(".1f" for _ in shares)),
        note="The roof is the smaller of the peak of arithmetic and the intensity times the bandwidth (Williams et al. "
        "2009). A multiply-add is two operations. Counted as moved: each layer's input, weights and output, once. "
        "Results that stay in a cache are not moved, and a contender in bf16 or int8 does more than fp32 allows: a "
        "share can then exceed 100 %. Look at the column of the precision that the contender runs in.",
    )


def _rows(each: Curve, counted: Counted, machine: Machine) -> Iterator[tuple[Scalar, ...]]:
    """At the smallest batch, and at the one with the least time an image."""
    best = min(each.sizes, key=lambda size: each.seconds_at(size) or 0.0)
    for batch in dict.fromkeys((each.sizes[0], best)):
        seconds = each.seconds_at(batch)
        if seconds:
            reached = counted.flops / seconds
            limit = "memory" if bound_by_memory(machine, counted, batch, "fp32") else "arithmetic"
            shares = (100 * reached / roof(machine, counted, batch, precision) for precision in machine.peaks)
            yield each.name, batch, reached / GIGA, counted.intensity(batch, "fp32"), limit, *shares
