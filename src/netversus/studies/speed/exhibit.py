"""How fast each contender is, over time and part by part, what it costs, and how far this machine can be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Chart, Exhibit, Scalar, Series, Table, Text
from netversus.lab.timing.turns import turns
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample, only, pair
from netversus.statistics.ratios import OrderEffects, log_ratios, order_effects, ratio, signed_rank_p
from netversus.studies.speed import NOTES, REST
from netversus.study import Evidence

NOISY_SCATTER = 0.1  # of a contender's blocks around their median, as a standard deviation that outliers do not move
NOISY_BUSY = 0.25  # share of the machine that others used
FEWEST_FOR_P99 = 100  # of fewer calls the 99th percentile is the slowest one
DISTURBED = 0.1  # how much slower a contender is after another's turn, as a share, before it is worth a word
FEWEST_AFTERMATHS = 8  # of fewer, signed ranks cannot reject at 0.01
BLOCK_METRICS = ("latency", "throughput")
BETWEEN = "between the parts"
MILLION = 1e6
LEVEL = 0.95

Array = NDArray[np.float64]
Column = tuple[str, str, Callable[[ContenderCard], float | None]]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables, charts and remarks of one speed study."""
    told = json.loads(evidence.artifact(NOTES) or b"{}")
    timed = [card for card in evidence.contenders if evidence.series(card.name, "latency")]
    if not timed:
        return
    yield Text(_trust(evidence, timed, told))
    yield from (Text(note) for note in told.get("notes", ()))
    yield from _disturbed(evidence, timed)
    yield _levels(evidence, timed, told)
    yield _over_time(evidence, timed)
    yield from _stages(evidence, timed)
    yield from _grid(evidence, timed)
    yield from _cold_starts(evidence, timed)
    yield _steadiness(evidence, timed)


def _trust(evidence: Evidence, timed: Sequence[ContenderCard], told: Mapping[str, Any]) -> str:
    """Whether the machine was quiet, said once, with the thresholds."""
    values = {(card.name, metric): _values(evidence, card, metric) for card in timed for metric in BLOCK_METRICS}
    scatters = {key: scatter(seen) for key, seen in values.items() if len(seen)}
    worst = max(scatters, key=scatters.__getitem__)
    signs = []
    if scatters[worst] > NOISY_SCATTER:
        signs.append(
            f"the {worst[1]} of {worst[0]} scatters by {100 * scatters[worst]:.0f} % from block to block "
            f"(more than {100 * NOISY_SCATTER:.0f} % is noisy)"
        )
    busy = told.get("busy", 0.0)
    if busy > NOISY_BUSY:
        signs.append(
            f"others used {100 * busy:.0f} % of the processors (more than {100 * NOISY_BUSY:.0f} % disturbs timings)"
        )
    if signs:
        return (
            f"This machine was not quiet: {' and '.join(signs)}. Ratios of contenders timed in turns still hold, their "
            "intervals are wider; single times are those of a disturbed machine."
        )
    return (
        f"The machine was quiet: what it timed scatters by at most {100 * scatters[worst]:.1f} % from block to block, "
        f"others used {100 * busy:.0f} % of the processors."
    )


def scatter(values: Array) -> float:
    """The spread of times relative to their median: 1.4826 times the median absolute deviation, over the median."""
    centre = float(np.median(values))
    return 1.4826 * float(np.median(np.abs(values - centre))) / centre


def _disturbed(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Text]:
    """Who is slower after another's turn than after its own: what was timed is then partly the other's doing."""
    for card in timed:
        logs = _aftermath(evidence, timed, card)
        if len(logs) >= FEWEST_AFTERMATHS and np.median(logs) > np.log1p(DISTURBED) and signed_rank_p(logs) < 0.01:
            yield Text(
                f"{card.name} takes {np.exp(np.median(logs)):.2f} times as long right after another contender's turn "
                f"as right after its own (more than {1 + DISTURBED:.2f} times is a disturbance): the other leaves "
                "threads spinning or drives it from the caches. Compare the two in runs of their own as well."
            )


def _aftermath(evidence: Evidence, timed: Sequence[ContenderCard], card: ContenderCard) -> Array:
    """log(time after another's turn / time after its own), shape (blocks,): in the blocks A B B A of which it is B."""
    sample = evidence.series(card.name, "latency_raw")
    names = [each.name for each in timed]
    logs = []
    for block, rows in groupby(() if sample is None else _rows(sample), key=lambda row: row[0].rpartition("/")[0]):
        calls = [seconds for _, seconds in rows]
        order = turns(names, int(block.rpartition("-")[2]))
        if len(names) > 1 and order[len(names) - 1] == card.name and len(calls) >= 2:
            after_other, after_own = np.array_split(np.array(calls), 2)
            logs.append(np.log(np.median(after_other) / np.median(after_own)))
    return np.array(logs, dtype=np.float64)


def _levels(evidence: Evidence, timed: Sequence[ContenderCard], told: Mapping[str, Any]) -> Table:
    """A row a contender; a column that no contender has is left out."""

    def median(metric: str, scale: float = 1.0) -> Callable[[ContenderCard], float | None]:
        return lambda card: _median(evidence, card, metric, scale)

    def percentile(share: float, least: int = 1) -> Callable[[ContenderCard], float | None]:
        return lambda card: _percentile(_values(evidence, card, "latency_raw"), share, least)

    def hours(card: ContenderCard, price: float = 1.0) -> float | None:
        rate = _median(evidence, card, "throughput")
        return None if rate is None else price * MILLION / rate / 3600

    price = told.get("price")
    columns: list[Column] = [
        ("median (ms)", ".3g", percentile(50)),
        ("95th percentile (ms)", ".3g", percentile(95)),
        ("99th percentile (ms)", ".3g", percentile(99, FEWEST_FOR_P99)),
        ("images/s in batches", ",", lambda card: _rate(_values(evidence, card, "throughput"))),
        ("hours for a million images", ".3g", hours),
        ("cost of a million images", ".3g", lambda card: hours(card, price) if price else None),
        ("peak memory (MiB)", ",.1f", median("memory", 2**-20)),
        ("energy (J an image)", ".3g", median("energy")),
    ]
    shown = [c for c in columns if any(c[2](card) is not None for card in timed)]
    return Table(
        title="Speed, memory and cost of each contender",
        columns=("contender", *(title for title, _, _ in shown)),
        rows=tuple((card.name, *(value(card) for _, _, value in shown)) for card in timed),
        formats=("", *(form for _, form, _ in shown)),
        note=_levels_note(evidence, timed, told),
    )


def _levels_note(evidence: Evidence, timed: Sequence[ContenderCard], told: Mapping[str, Any]) -> str:
    calls = min(len(_values(evidence, card, "latency_raw")) for card in timed)
    batches = sorted({int(b) for card in timed for b in _values(evidence, card, "batch_used")})
    where = f"{told['device']}, {told['threads']} threads" if told else "unfinished"
    words = [
        f"Single calls of one image: {calls} a contender. Batches of {' and '.join(map(str, batches))}. {where}.",
        "Preparing the images and copying them to the device are not counted.",
    ]
    if calls < FEWEST_FOR_P99:
        words.append(f"A 99th percentile takes {FEWEST_FOR_P99} calls.")
    if told.get("meters"):
        words.append(f"Energy by {', '.join(told['meters'])}: all that the chip drew.")
    else:
        words.append("This machine does not tell its energy.")
    lacking = [card.name for card in timed if evidence.series(card.name, "memory") is None]
    if lacking and told:
        words.append(f"The memory of {', '.join(lacking)} is not torch's and cannot be told.")
    return " ".join(words)


def _over_time(evidence: Evidence, timed: Sequence[ContenderCard]) -> Chart:
    lines = [(card.name, 1e3 * _values(evidence, card, "latency")) for card in timed]
    return Chart(
        title="Every timing block",
        kind="line",
        x_label="timing block, in the order measured",
        y_label="median of a block (ms an image)",
        series=tuple(Series(name, tuple(map(float, range(1, len(y) + 1))), tuple(y.tolist())) for name, y in lines),
        description="The time of one image in each block, in the order measured. Where the lines rise and fall "
        "together the machine changed, and their ratio did not.",
        y_from_zero=True,
    )


def _stages(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Chart]:
    bars = []
    for card in timed:
        series = evidence.series(card.name, "stage_seconds")
        if series is not None:
            seconds = {unit.partition(" ")[2]: float(value) for unit, value in _rows(series)}
            seconds = {BETWEEN: seconds.pop(REST, 0.0), **seconds}  # first, so that networks of other parts line up
            bars.append(Series(card.name, tuple(seconds), tuple(1e3 * value for value in seconds.values())))
    if bars:
        yield Chart(
            title="Where the time goes",
            kind="bar",
            x_label="part of the network",
            y_label="ms for one image",
            series=tuple(bars),
            description="The time of each top-level part of the networks for one image, in the order in which they "
            "run, after what happens between them.",
            y_from_zero=True,
        )


def _grid(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Table]:
    """Throughput at the other batches and resolutions, with the ratio to the first contender."""
    points = {card.name: _by_point(evidence.series(card.name, "throughput_grid")) for card in timed}
    first = timed[0].name
    rows: list[tuple[Scalar, ...]] = []
    for point in points[first]:
        batch, side = point.split("/")
        for card in timed:
            if point in points[card.name]:
                sample = points[card.name][point]
                ratios = ("", "") if card.name == first else _ratio_text(points[first][point], sample)
                where = "its own" if side == "own" else side.removeprefix("r")
                rows.append((int(batch.removeprefix("b")), where, card.name, _rate(sample.values), *ratios))
    if rows:
        yield Table(
            title="Throughput over batch and resolution",
            columns=("batch", "side (px)", "contender", "images/s", f"times {first}", f"{100 * LEVEL:.0f} % interval"),
            rows=tuple(rows),
            formats=(",d", "", "", ",", "", ""),
            note="Medians over the blocks; ratios by Hodges-Lehmann over blocks, not corrected for their number.",
        )


def _by_point(sample: Sample | None) -> dict[str, Sample]:
    """The observations of each point of the grid: units "b8/r64/p0/block-003" become "p0/block-003" of "b8/r64"."""
    found: dict[str, Sample] = {}
    if sample is None:
        return found
    split = [("/".join(u.split("/")[:2]), "/".join(u.split("/")[2:]), float(v)) for u, v in _rows(sample)]
    for point, group in groupby(sorted(split), key=lambda row: row[0]):
        rows = list(group)
        found[point] = Sample(tuple(unit for _, unit, _ in rows), np.array([value for _, _, value in rows]))
    return dict(sorted(found.items(), key=lambda item: _size(item[0])))


def _rows(sample: Sample) -> Iterator[tuple[str, float]]:
    return zip(sample.units, sample.values.tolist(), strict=True)


def _size(point: str) -> tuple[float, int]:
    batch, side = point.split("/")
    return (-inf if side == "own" else int(side[1:]), int(batch[1:]))


def _ratio_text(first: Sample, other: Sample) -> tuple[str, str]:
    """The ratio over the blocks that both have, and its interval where there are enough."""
    common = set(first.units) & set(other.units)
    paired = pair(only(first, common), only(other, common)) if common else None
    effect = ratio(paired.a, paired.b, LEVEL) if paired else None
    if effect is None:
        return "", "too few blocks"
    return f"{effect.estimate:.3g}", f"[{effect.low:.3g}, {effect.high:.3g}]"


def _cold_starts(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Table]:
    metrics = ("cold_start", "cold_start_import", "cold_start_load", "cold_start_answer")
    started = [card for card in timed if evidence.series(card.name, "cold_start")]
    if started:
        yield Table(
            title="From nothing to the first answer",
            columns=("contender", "starts", "in all (s)", "imports (s)", "loading (s)", "answer (s)", "memory (MiB)"),
            rows=tuple(
                (
                    card.name,
                    len(_values(evidence, card, "cold_start")),
                    *(_median(evidence, card, metric) for metric in metrics),
                    _median(evidence, card, "memory_process", 2**-20),
                )
                for card in started
            ),
            formats=("", "d", ".3g", ".3g", ".3g", ".3g", ",.0f"),
            note="Medians over fresh interpreters whose files the system had read before. Memory is the most that the "
            "process had resident, libraries included.",
        )


def _steadiness(evidence: Evidence, timed: Sequence[ContenderCard]) -> Table:
    """Drift and memory of each contender's blocks, and of its ratio to the first contender: the latter matters."""
    first = evidence.series(timed[0].name, "latency")
    rows = []
    for card in timed:
        own = _values(evidence, card, "latency")
        sample = evidence.series(card.name, "latency")
        against = _log_ratios(first, sample) if card is not timed[0] else None
        rows.append((card.name, 100 * scatter(own), *_order(own), *_order(against)))
    return Table(
        title="How steady the timings were",
        columns=(
            "contender",
            "scatter of the blocks (%)",
            "drift",
            "autocorrelation",
            f"drift of the ratio to {timed[0].name}",
            "its autocorrelation",
        ),
        rows=tuple(rows),
        formats=("", ".1f", "+.2f", "+.2f", "+.2f", "+.2f"),
        note="Drift is the rank correlation with time, autocorrelation that of neighbouring blocks; 0 is steady. "
        "What both contenders share cancels in the ratio.",
    )


def _log_ratios(first: Sample | None, other: Sample | None) -> Array | None:
    if first is None or other is None:
        return None
    common = set(first.units) & set(other.units)
    if not common:
        return None
    paired = pair(only(first, common), only(other, common))
    return log_ratios(paired.a, paired.b)


def _order(values: Array | None) -> tuple[float | None, float | None]:
    if values is None or len(values) < 3:
        return None, None
    order: OrderEffects = order_effects(values)
    return order.trend, order.autocorrelation


def _values(evidence: Evidence, card: ContenderCard, metric: str) -> Array:
    """The values in stored order; empty where there are none."""
    series = evidence.series(card.name, metric)
    return np.empty(0) if series is None else series.values


def _median(evidence: Evidence, card: ContenderCard, metric: str, scale: float = 1.0) -> float | None:
    values = _values(evidence, card, metric)
    return float(np.median(values)) * scale if len(values) else None


def _rate(values: Array) -> float | None:
    """The median to four digits, and whole where it has as many before the point."""
    if not len(values):
        return None
    rate = float(np.median(values))
    return round(rate) if rate >= 1000 else float(f"{rate:.4g}")


def _percentile(values: Array, share: float, least: int) -> float | None:
    """In milliseconds; None of fewer values than it takes."""
    if len(values) < max(1, least):
        return None
    return float(1e3 * np.percentile(values, share, method="inverted_cdf"))
