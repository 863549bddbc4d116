"""How near each contender comes to what the machine allows. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netversus.exhibits import Exhibit, Scalar, Table, Text
from netversus.messages import in_a_row, say
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
    peaks = in_a_row(
        say("{peak} GFLOP/s in {precision}", peak=f"{peak / GIGA:,.0f}", precision=precision)
        for precision, peak in machine.peaks.items()
    )
    device, bandwidth = told["device"], f"{machine.bandwidth / GIGA:,.1f}"
    if device == "cpu":
        device = say("{device} with {threads} threads", device=device, threads=told["threads"])
    return say(
        "At its best this machine ({device}) reached {peaks}, in a large matrix product, and {bandwidth} GB/s in a "
        "copy of memory: measured in this run, beside the contenders.",
        device=device,
        peaks=peaks,
        bandwidth=bandwidth,
    )


def _table(machine: Machine, rows: Sequence[tuple[Scalar, ...]]) -> Table:
    shares = tuple(say("share of the {precision} roof (%)", precision=precision) for precision in machine.peaks)
    return Table(
        title=say("How near the limit: the roofline"),
        columns=(
            say("contender"),
            say("batch"),
            say("reached (GFLOP/s)"),
            say("FLOP a byte (fp32)"),
            say("limit (fp32)"),
            *shares,
        ),
        rows=tuple(rows),
        formats=("", ",d", ",.1f", ",.1f", "", *(".1f" for _ in shares)),
        note=say(
            "The roof is the smaller of the peak of arithmetic and the intensity times the bandwidth (Williams et al. "
            "2009). A multiply-add is two operations. Counted as moved: each layer's input, weights and output, once. "
            "Results that stay in a cache are not moved, and a contender in bf16 or int8 does more than fp32 allows: a "
            "share can then exceed 100 %. Look at the column of the precision that the contender runs in."
        ),
    )


def _rows(each: Curve, counted: Counted, machine: Machine) -> Iterator[tuple[Scalar, ...]]:
    """At the smallest batch, and at the one with the least time an image."""
    best = min(each.sizes, key=lambda size: each.seconds_at(size) or 0.0)
    for batch in dict.fromkeys((each.sizes[0], best)):
        seconds = each.seconds_at(batch)
        if seconds:
            reached = counted.flops / seconds
            limit = say("memory") if bound_by_memory(machine, counted, batch, "fp32") else say("arithmetic")
            shares = (100 * reached / roof(machine, counted, batch, precision) for precision in machine.peaks)
            yield each.name, batch, reached / GIGA, counted.intensity(batch, "fp32"), limit, *shares
