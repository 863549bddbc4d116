"""What an accuracy costs: images, seconds and joules until the test accuracy first reached a target. Loads no torch.

A training that does not reach it within its budget is censored: what it spent is a lower bound, said as such, and never
compared as if it were a price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import exp

import numpy as np

from netversus.exhibits import Exhibit, Scalar, Table, Text
from netversus.messages import listed, say
from netversus.statistics.means import paired_t
from netversus.statistics.ratios import log_ratios
from netversus.studies.training import TARGET
from netversus.studies.training.curves import by_round, curve
from netversus.study import Evidence

USUAL = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
LEVEL, FEWEST_SEEDS = 0.95, 3


@dataclass(frozen=True, slots=True)
class Price:
    """What one training had spent when it first reached `target`, or, if it never did, in all. `joules` is None where
    the machine tells no energy."""

    target: float
    reached: bool
    images: float
    seconds: float
    joules: float | None


_Prices = Mapping[tuple[str, int], Price]
"""By contender and seed."""


def prices(evidence: Evidence) -> Iterator[Exhibit]:
    """Every training's price of each target, and, of one target that all reached, the ratios over the seeds."""
    asked = _asked(evidence)
    tables = {target: _at(evidence, target) for target in ((asked,) if asked else USUAL)}
    told = {t: found for t, found in tables.items() if t == asked or any(p.reached for p in found.values())}
    if not any(told.values()):
        return
    yield _table([(who, price) for found in told.values() for who, price in found.items()])
    whole = [target for target, found in told.items() if all(price.reached for price in found.values())]
    if asked and not whole:
        yield _censored(asked, told[asked])
    elif whole and len(rows := _ratios(evidence, max(whole), told[max(whole)])):
        yield _ratio_table(rows)


def _asked(evidence: Evidence) -> float | None:
    """The target that the options name."""
    found = (evidence.series(card.name, TARGET) for card in evidence.contenders)
    return next((float(sample.values[0]) for sample in found if sample is not None), None)


def _at(evidence: Evidence, target: float) -> _Prices:
    found = {}
    for card in evidence.contenders:
        for seed in evidence.seeds:
            if (price := _price(evidence, card.name, seed, target)) is not None:
                found[card.name, seed] = price
    return found


def _price(evidence: Evidence, contender: str, seed: int, target: float) -> Price | None:
    accuracy = curve(evidence, contender, "curve_test_top1", seed)
    seconds = by_round(evidence, contender, "train_time", seed)
    if accuracy is None or seconds is None or len(seconds) < len(accuracy[0]):
        return None
    shown, values = accuracy
    images = np.diff(shown, prepend=0.0)
    joules = by_round(evidence, contender, "train_energy", seed)
    metered = joules is not None and len(joules) == len(seconds)
    reached = np.flatnonzero(values >= target)
    stop = int(reached[0]) + 1 if len(reached) else len(shown)
    return Price(
        target=target,
        reached=bool(len(reached)),
        images=float(shown[stop - 1]),
        seconds=float((images * seconds[: len(images)])[:stop].sum()),
        joules=float((images * joules[: len(images)])[:stop].sum()) if metered and joules is not None else None,
    )


def _table(found: Sequence[tuple[tuple[str, int], Price]]) -> Table:
    metered = any(price.joules is not None for _, price in found)
    rows = []
    for (contender, seed), price in sorted(found, key=lambda each: (each[1].target, each[0])):
        reached = say("yes") if price.reached else say("not reached in the budget")
        row: list[Scalar] = [contender, str(seed), 100 * price.target, reached, price.images, price.seconds]
        rows.append((*row, price.joules) if metered else tuple(row))
    columns = (
        say("contender"),
        say("seed"),
        say("test top-1 (%)"),
        say("reached"),
        say("training images shown"),
        say("seconds of training"),
    )
    note = say(
        "At the first round that reached it. Where it was not reached, the numbers are what was spent in all: it would "
        "take more. Seconds are those of the steps alone, on this machine."
    )
    if metered:
        more = say("Joules are those of the whole chips, whoever made them work, during the steps.")
        return Table(
            say("What an accuracy costs"),
            (*columns, say("joules")),
            tuple(rows),
            ("", "", ".4g", "", ",.0f", ".1f", ",.0f"),
            f"{note} {more}",
        )
    return Table(
        say("What an accuracy costs"),
        columns,
        tuple(rows),
        ("", "", ".4g", "", ",.0f", ".1f"),
        note,
    )


def _censored(target: float, found: _Prices) -> Text:
    """Why times are not compared: a sample of those that reached it would be a chosen one."""
    short = listed([f"{contender} ({seed})" for (contender, seed), price in sorted(found.items()) if not price.reached])
    return Text(
        say(
            "{target} % test top-1 was not reached in the budget by (contender and seed): {who}. So the times to it "
            "are not compared: the trainings that did reach it are a chosen sample.",
            target=f"{100 * target:.4g}",
            who=short,
        )
    )


def _ratios(evidence: Evidence, target: float, found: _Prices) -> list[tuple[Scalar, ...]]:
    """For each pair of contenders, B's price over A's under the same seeds: the geometric mean, with Student's t
    interval of the log-ratios from three seeds on."""
    rows: list[tuple[Scalar, ...]] = []
    for a, b in combinations([card.name for card in evidence.contenders], 2):
        seeds = [seed for seed in evidence.seeds if (a, seed) in found and (b, seed) in found]
        if not seeds:
            continue
        of_a, of_b = ([found[name, seed] for seed in seeds] for name in (a, b))
        logs = log_ratios([p.seconds for p in of_a], [p.seconds for p in of_b])
        ends: tuple[float | None, float | None] = (None, None)
        if len(seeds) >= FEWEST_SEEDS:
            effect = paired_t(logs, LEVEL).effect
            ends = exp(effect.low), exp(effect.high)
        images = exp(float(log_ratios([p.images for p in of_a], [p.images for p in of_b]).mean()))
        joules = [(p.joules, q.joules) for p, q in zip(of_a, of_b, strict=True) if p.joules and q.joules]
        energy = None
        if len(joules) == len(seeds):
            energy = exp(float(log_ratios([p for p, _ in joules], [q for _, q in joules]).mean()))
        rows.append((f"{b} / {a}", 100 * target, len(seeds), images, exp(float(logs.mean())), *ends, energy))
    return rows


def _ratio_table(rows: Sequence[tuple[Scalar, ...]]) -> Table:
    return Table(
        title=say("The price of the same accuracy, seed by seed"),
        columns=(
            say("contenders"),
            say("test top-1 (%)"),
            say("seeds"),
            say("images, ratio"),
            say("seconds, ratio"),
            say("low"),
            say("high"),
            say("joules, ratio"),
        ),
        rows=tuple(rows),
        formats=("", ".4g", "d", ".2f", ".2f", ".2f", ".2f", ".2f"),
        note=say(
            "Of the highest accuracy that every training reached, or of the one that was asked for. Ratios are "
            "geometric means over seeds under which both saw the same images in the same order; the interval (95 %, "
            "not corrected for the other questions) needs three seeds. Energy is absent where the machine tells none."
        ),
    )
