"""How fast each contender is, over time and part by part, what it costs, and how far this machine can be trusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.lab.engines.shown import engines_shown
from netversus.lab.timing.quiet import NOISY_SCATTER, heard, scatter, trust
from netversus.lab.timing.turns import turns
from netversus.messages import in_a_row, listed, say, sentences, template, told
from netversus.quantities import percent
from netversus.records import ContenderCard
from netversus.statistics.ratios import signed_rank_p
from netversus.studies.speed import NOTES, REST
from netversus.studies.speed.grid import over_engines, over_grid, rate, rows_of, values_of
from netversus.studies.speed.steadiness import steadiness
from netversus.studies.speed.way_shown import way_shown
from netversus.study import Evidence

FEWEST_FOR_P99 = 100  # of fewer calls the 99th percentile is the slowest one
DISTURBED = 0.1  # how much slower a contender is after another's turn, as a share, before it is worth a word
FEWEST_AFTERMATHS = 8  # of fewer, signed ranks cannot reject at 0.01
BLOCK_METRICS = ("latency", "throughput")
MILLION = 1e6

Array = NDArray[np.float64]
Column = tuple[str, str, Callable[[ContenderCard], float | None]]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables, charts and remarks of one speed study."""
    kept = json.loads(evidence.artifact(NOTES) or b"{}")
    timed = [card for card in evidence.contenders if evidence.series(card.name, "latency")]
    if not timed:
        return
    yield Text(_trust(evidence, timed, kept))
    yield from (Text(told(note)) for note in kept.get("notes", ()))
    yield from _disturbed(evidence, timed)
    yield _levels(evidence, timed, kept)
    yield _over_time(evidence, timed)
    yield from way_shown(evidence, timed)
    yield from _stages(evidence, timed)
    yield from over_grid(evidence, timed)
    yield from over_engines(evidence, timed)
    yield from engines_shown(evidence)
    yield from _cold_starts(evidence, timed)
    yield steadiness(evidence, timed)


def _trust(evidence: Evidence, timed: Sequence[ContenderCard], kept: Mapping[str, Any]) -> str:
    """Whether the machine was quiet, said once, with the thresholds."""
    values = {(card.name, metric): values_of(evidence, card, metric) for card in timed for metric in BLOCK_METRICS}
    scatters = {key: scatter(seen) for key, seen in values.items() if len(seen)}
    worst = max(scatters, key=scatters.__getitem__)
    return trust(scatters[worst], _scattered(worst, scatters[worst]), heard(kept))


def _scattered(worst: tuple[str, str], by: float) -> str:
    """Whose times scatter most, and by how much."""
    if worst[1] == "latency":
        words = template(
            "the latency of {contender} scatters by {scatter} from block to block (more than {limit} is noisy)"
        )
    else:
        words = template(
            "the throughput of {contender} scatters by {scatter} from block to block (more than {limit} is noisy)"
        )
    return say(words, contender=worst[0], scatter=percent(by), limit=percent(NOISY_SCATTER))


def _disturbed(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Text]:
    """Who is slower after another's turn than after its own: what was timed is then partly the other's doing."""
    for card in timed:
        logs = _aftermath(evidence, timed, card)
        if len(logs) >= FEWEST_AFTERMATHS and np.median(logs) > np.log1p(DISTURBED) and signed_rank_p(logs) < 0.01:
            yield Text(
                say(
                    "{contender} takes {ratio} times as long right after another contender's turn as right after its "
                    "own (more than {limit} times is a disturbance): the other leaves threads spinning or drives it "
                    "from the caches. Compare the two in runs of their own as well.",
                    contender=card.name,
                    ratio=f"{np.exp(np.median(logs)):.2f}",
                    limit=f"{1 + DISTURBED:.2f}",
                )
            )


def _aftermath(evidence: Evidence, timed: Sequence[ContenderCard], card: ContenderCard) -> Array:
    """log(time after another's turn / time after its own), shape (blocks,): in the blocks A B B A of which it is B."""
    sample = evidence.series(card.name, "latency_raw")
    names = [each.name for each in timed]
    logs = []
    for block, rows in groupby(() if sample is None else rows_of(sample), key=lambda row: row[0].rpartition("/")[0]):
        calls = [seconds for _, seconds in rows]
        order = turns(names, int(block.rpartition("-")[2]))
        if len(names) > 1 and order[len(names) - 1] == card.name and len(calls) >= 2:
            after_other, after_own = np.array_split(np.array(calls), 2)
            logs.append(np.log(np.median(after_other) / np.median(after_own)))
    return np.array(logs, dtype=np.float64)


def _levels(evidence: Evidence, timed: Sequence[ContenderCard], kept: Mapping[str, Any]) -> Table:
    """A row a contender; a column that no contender has is left out."""

    def median(metric: str, scale: float = 1.0) -> Callable[[ContenderCard], float | None]:
        return lambda card: _median(evidence, card, metric, scale)

    def percentile(share: float, least: int = 1) -> Callable[[ContenderCard], float | None]:
        return lambda card: _percentile(values_of(evidence, card, "latency_raw"), share, least)

    def hours(card: ContenderCard, price: float = 1.0) -> float | None:
        images = _median(evidence, card, "throughput")
        return None if images is None else price * MILLION / images / 3600

    price = kept.get("price")
    columns: list[Column] = [
        (say("median (ms)"), ".3g", percentile(50)),
        (say("95th percentile (ms)"), ".3g", percentile(95)),
        (say("99th percentile (ms)"), ".3g", percentile(99, FEWEST_FOR_P99)),
        (say("images/s in batches"), ",", lambda card: rate(values_of(evidence, card, "throughput"))),
        (say("hours for a million images"), ".3g", hours),
        (say("cost of a million images"), ".3g", lambda card: hours(card, price) if price else None),
        (say("peak memory (MiB)"), ",.1f", median("memory", 2**-20)),
        (say("energy (J an image)"), ".3g", median("energy")),
    ]
    shown = [c for c in columns if any(c[2](card) is not None for card in timed)]
    return Table(
        title=say("Speed, memory and cost of each contender"),
        columns=(say("contender"), *(title for title, _, _ in shown)),
        rows=tuple((card.name, *(value(card) for _, _, value in shown)) for card in timed),
        formats=("", *(form for _, form, _ in shown)),
        note=_levels_note(evidence, timed, kept),
    )


def _levels_note(evidence: Evidence, timed: Sequence[ContenderCard], kept: Mapping[str, Any]) -> str:
    calls = min(len(values_of(evidence, card, "latency_raw")) for card in timed)
    batches = sorted({int(b) for card in timed for b in values_of(evidence, card, "batch_used")})
    words = [
        _how_timed(calls, listed([f"{batch:,}" for batch in batches]), kept),
        say("Preparing the images and copying them to the device are not counted."),
    ]
    if calls < FEWEST_FOR_P99:
        words.append(say("A 99th percentile takes {n} calls.", n=FEWEST_FOR_P99))
    words.append(_of_energy(kept))
    lacking = [card.name for card in timed if evidence.series(card.name, "memory") is None]
    if lacking and kept:
        names = in_a_row(lacking)
        words.append(say("The memory of {contenders} is not torch's and cannot be told.", contenders=names))
    if not any(evidence.series(card.name, "memory_process_batch") for card in timed):
        words.append(say("The most memory of the host that a whole process takes is told with --speed.cold_start 1."))
    return sentences(*words)


def _of_energy(kept: Mapping[str, Any]) -> str:
    """By which meters it was told, or that it was not."""
    if kept.get("meters"):
        return say("Energy by {meters}: all that the chip drew.", meters=in_a_row(kept["meters"]))
    if str(kept.get("device", "")).startswith("cuda"):
        return say("This machine does not tell its energy; an NVIDIA card does to the package nvidia-ml-py.")
    return say("This machine does not tell its energy.")


def _how_timed(calls: int, batches: str, kept: Mapping[str, Any]) -> str:
    counts = {"calls": f"{calls:,}", "batches": batches}
    if not kept:
        return say("Single calls of one image: {calls} a contender. Batches of {batches}. unfinished.", **counts)
    return say(
        "Single calls of one image: {calls} a contender. Batches of {batches}. {device}, {threads} threads.",
        **counts,
        device=kept["device"],
        threads=kept["threads"],
    )


def _over_time(evidence: Evidence, timed: Sequence[ContenderCard]) -> Chart:
    lines = [(card.name, 1e3 * values_of(evidence, card, "latency")) for card in timed]
    return Chart(
        title=say("Every timing block"),
        kind="line",
        x_label=say("timing block, in the order measured"),
        y_label=say("median of a block (ms an image)"),
        series=tuple(Series(name, tuple(map(float, range(1, len(y) + 1))), tuple(y.tolist())) for name, y in lines),
        description=say(
            "The time of one image in each block, in the order measured. Where the lines rise and fall together the "
            "machine changed, and their ratio did not."
        ),
        y_from_zero=True,
    )


def _stages(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Chart]:
    bars, between = [], say("between the parts")
    for card in timed:
        series = evidence.series(card.name, "stage_seconds")
        if series is not None:
            seconds = {unit.partition(" ")[2]: float(value) for unit, value in rows_of(series)}
            seconds = {between: seconds.pop(REST, 0.0), **seconds}  # first, so that networks of other parts line up
            bars.append(Series(card.name, tuple(seconds), tuple(1e3 * value for value in seconds.values())))
    if bars:
        yield Chart(
            title=say("Where the time goes"),
            kind="bar",
            x_label=say("part of the network"),
            y_label=say("ms for one image"),
            series=tuple(bars),
            description=say(
                "The time of each top-level part of the networks for one image, in the order in which they run, after "
                "what happens between them."
            ),
            y_from_zero=True,
        )


def _cold_starts(evidence: Evidence, timed: Sequence[ContenderCard]) -> Iterator[Table]:
    columns = {
        "cold_start": (say("in all (s)"), ".3g", 1.0),
        "cold_start_import": (say("imports (s)"), ".3g", 1.0),
        "cold_start_load": (say("loading (s)"), ".3g", 1.0),
        "cold_start_answer": (say("answer (s)"), ".3g", 1.0),
        "memory_process": (say("memory (MiB)"), ",.0f", 2**-20),
        "memory_process_batch": (say("with a batch (MiB)"), ",.0f", 2**-20),
    }
    started = [card for card in timed if evidence.series(card.name, "cold_start")]
    shown = {m: c for m, c in columns.items() if any(evidence.series(card.name, m) for card in started)}
    if started:
        yield Table(
            title=say("From nothing to the first answer"),
            columns=(say("contender"), say("starts"), *(title for title, _, _ in shown.values())),
            rows=tuple(
                (
                    card.name,
                    len(values_of(evidence, card, "cold_start")),
                    *(_median(evidence, card, metric, scale) for metric, (_, _, scale) in shown.items()),
                )
                for card in started
            ),
            formats=("", "d", *(form for _, form, _ in shown.values())),
            note=say(
                "Medians over fresh interpreters whose files the system had read before. Memory is the most that the "
                "process had resident, libraries included."
            ),
        )


def _median(evidence: Evidence, card: ContenderCard, metric: str, scale: float = 1.0) -> float | None:
    values = values_of(evidence, card, metric)
    return float(np.median(values)) * scale if len(values) else None


def _percentile(values: Array, share: float, least: int) -> float | None:
    """In milliseconds; None of fewer values than it takes."""
    if len(values) < max(1, least):
        return None
    return float(1e3 * np.percentile(values, share, method="inverted_cdf"))
