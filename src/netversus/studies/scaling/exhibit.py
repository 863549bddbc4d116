"""How cost and quality grow, with which power, and how near the machine's limit each contender comes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netversus.exhibits import Chart, Exhibit, Series, Text
from netversus.lab.engines.shown import engines_shown
from netversus.lab.left_out import left_out_shown
from netversus.lab.shortage import shortage_shown
from netversus.lab.timing.quiet import heard, trust
from netversus.messages import say, template, told
from netversus.studies.scaling import NOTES
from netversus.studies.scaling.curves import Curve, curves, depth_curve, exponent_table, lacking, scattered
from netversus.studies.scaling.depths import depths
from netversus.studies.scaling.limits import limits
from netversus.studies.scaling.tradeoff import tradeoff
from netversus.study import Evidence


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Whether the machine was quiet, remarks, exponents, curves, quality against cost, the roofline."""
    kept = json.loads(evidence.artifact(NOTES) or b"{}")
    by_axis = {axis: curves(evidence, axis) for axis in ("resolution", "batch", "threads", "devices", "processes")}
    depth = depth_curve(kept)
    found = [*(each for several in by_axis.values() for each in several), *([depth] if depth else [])]
    if said := scattered(found):
        yield Text(trust(*said, heard(kept)))
    yield from (Text(told(note)) for note in kept.get("notes", ()))
    yield from lacking(evidence)
    yield from left_out_shown(evidence)
    yield from shortage_shown(evidence)
    if any(len(each.sizes) > 1 for each in found):
        yield exponent_table(found)
    yield from _over_pixels(by_axis["resolution"], kept)
    yield from tradeoff(evidence)
    yield from _over_batches(by_axis["batch"])
    for axis in ("threads", "devices", "processes"):
        yield from _speedup(by_axis[axis], axis)
    yield from _over_depths(depth, kept)
    yield from depths(evidence, kept)
    yield from limits(by_axis["batch"], kept)
    yield from engines_shown(evidence)


def _over_pixels(found: Sequence[Curve], kept: Mapping[str, Any]) -> Iterator[Chart]:
    """On linear axes: a straight line through the origin is the power 1."""
    shown = [each for each in found if len(each.sizes) > 1]
    if shown:
        yield Chart(
            title=say("Time over resolution"),
            kind="line",
            x_label=say("pixels of an image (thousands)"),
            y_label=_time_label(kept),
            series=tuple(
                Series(each.name, tuple(size**2 / 1e3 for size in each.sizes), _milliseconds(each)) for each in shown
            ),
            description=say(
                "Median time of an image over its pixels. A straight line through the origin means that the time is "
                "proportional to the pixels."
            ),
            y_from_zero=True,
        )


def _over_batches(found: Sequence[Curve]) -> Iterator[Chart]:
    shown = [each for each in found if len(each.sizes) > 1]
    if shown:
        yield Chart(
            title=say("Time over batch"),
            kind="line",
            x_label=say("images at once"),
            y_label=say("time of an image (ms)"),
            series=tuple(Series(each.name, tuple(map(str, each.sizes)), _milliseconds(each)) for each in shown),
            description=say(
                "Median time of an image, by how many are shown at once. Where a line turns flat, larger batches gain "
                "nothing."
            ),
            y_from_zero=True,
        )


def _speedup(found: Sequence[Curve], axis: str) -> Iterator[Exhibit]:
    shown = [each for each in found if len(each.sizes) > 1]
    if not shown:
        return
    sizes = tuple(map(str, shown[0].sizes))
    ideal = tuple(float(size / shown[0].sizes[0]) for size in shown[0].sizes)
    lines = [Series(each.name, tuple(map(str, each.sizes)), _faster(each)) for each in shown]
    words = _SPEEDUPS[axis]
    yield Chart(
        title=say(words.title),
        kind="line",
        x_label=say(words.axis),
        y_label=say("times as fast as with {n}", n=shown[0].sizes[0]),
        series=(*lines, Series(say("nothing wasted"), sizes, ideal)),
        description=say(words.description),
        y_from_zero=True,
    )


@dataclass(frozen=True, slots=True)
class _Speedup:
    """What is said of more of something."""

    title: str
    axis: str
    description: str


_SPEEDUPS = {
    "threads": _Speedup(
        title=template("How many times as fast with more threads"),
        axis=template("threads"),
        description=template("Images a second with more threads, relative to the fewest. The batch stays the same."),
    ),
    "devices": _Speedup(
        title=template("How many times as fast with more GPUs"),
        axis=template("GPUs"),
        description=template(
            "Images a second with more GPUs, relative to the fewest. Each GPU has as many images as one had alone."
        ),
    ),
    "processes": _Speedup(
        title=template("How many times as fast with more processes"),
        axis=template("processes"),
        description=template(
            "Images a second with more processes of one thread each, relative to the fewest. Each process has as many "
            "images as one had alone."
        ),
    ),
}


def _faster(each: Curve) -> tuple[float, ...]:
    """Medians of the ratios within blocks: what a block's points share cancels."""
    ratios = Curve(each.name, each.axis, each.sizes, each.seconds[:, :1] / each.seconds)
    return tuple(ratios.medians.tolist())


def _over_depths(depth: Curve | None, kept: Mapping[str, Any]) -> Iterator[Chart]:
    if depth is not None and len(depth.sizes) > 1:
        yield Chart(
            title=say("Time over depth: ResNets for reference"),
            kind="line",
            x_label=say("layers with weights"),
            y_label=_time_label(kept),
            series=(Series(depth.name, tuple(map(float, depth.sizes)), _milliseconds(depth)),),
            description=say(
                "torchvision's ResNets with random weights, in eager fp32, at the first contender's resolution, timed "
                "in turns with the contenders. Those up to 34 have basic blocks, the others bottlenecks."
            ),
            y_from_zero=True,
        )


def _milliseconds(each: Curve) -> tuple[float, ...]:
    return tuple((1e3 * each.medians).tolist())


def _time_label(kept: Mapping[str, Any]) -> str:
    if "at_once" in kept:
        return say("time of an image (ms), {n} at once", n=kept["at_once"])
    return say("time of an image (ms)")
