"""Each contender's own level, against chance; where they differ, class by class; how well they are calibrated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Chart, Exhibit, Series, Table
from netversus.lab.engines.shown import engines_shown
from netversus.lab.left_out import left_out_shown
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, sentences
from netversus.records import Effect
from netversus.statistics.proportions import above_chance
from netversus.statistics.sequential import betting_interval
from netversus.studies.accuracy.disagreement import disagreements
from netversus.studies.accuracy.running import decoding, uncached
from netversus.study import Evidence

BINS = 10
LEAST_P = 1e-300


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables and charts of one accuracy study."""
    yield _levels(evidence)
    yield from _agreement(evidence)
    yield from disagreements(evidence)
    yield from _reliability(evidence)
    yield from engines_shown(evidence)
    yield from decoding(evidence)
    yield from uncached(evidence)
    yield from shortage_shown(evidence)
    yield from left_out_shown(evidence)


def _levels(evidence: Evidence) -> Table:
    chance = 1 / len(evidence.data.classes)
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            series = evidence.series(card.name, "top1", seed)
            if series is not None:
                right, n = int(series.values.sum()), len(series.units)
                effect, p = _level(series.values, chance, early=evidence.stops_early)
                interval = f"[{100 * effect.low:.1f}, {100 * effect.high:.1f}]"
                rows.append((card.name, str(seed), n, 100 * right / n, interval, _not_nought(p)))
    return Table(
        title=say("Each contender's own top-1"),
        columns=(
            say("contender"),
            say("seed"),
            say("images"),
            say("top-1 (%)"),
            say("95 % interval"),
            say("p, above {chance} %", chance=f"{100 * chance:.1f}"),
        ),
        rows=tuple(rows),
        formats=("", "", ",d", ".1f", "", ".2g"),
        note=sentences(
            _method(evidence.stops_early),
            say("Overlapping intervals do not mean that two contenders are equal: the paired difference decides."),
        ),
    )


def _level(right: NDArray[np.float64], chance: float, *, early: bool) -> tuple[Effect, float | None]:
    """The share that is right (0 or 1 for each image, in the order of reading), and p that it is chance.

    Where the reading may stop at any look, an interval and a test for a fixed number of images are wrong more often
    than they say: a confidence sequence takes the interval's place, and no p is stated.
    """
    if early:
        return betting_interval(right), None
    test = above_chance(int(right.sum()), len(right), chance)
    return test.proportion, test.p_value


def _not_nought(p: float | None) -> float | str | None:
    """A p that is smaller than any number of the machine comes as 0, which no p is."""
    return p if p is None or p > LEAST_P else f"< {LEAST_P:.0e}"


def _method(early: bool) -> str:
    if early:
        return say(
            "The interval is a confidence sequence: it holds whenever one looks, and whenever the reading stops."
        )
    return say("Clopper-Pearson interval; exact binomial test against guessing evenly.")


def _agreement(evidence: Evidence) -> Iterator[Table]:
    """How often two contenders are right together, alone, or not at all, on the first seed."""
    cards = evidence.contenders
    rows: list[tuple[str | int, ...]] = []
    for i, a in enumerate(cards):
        for b in cards[i + 1 :]:
            one, two = evidence.series(a.name, "top1"), evidence.series(b.name, "top1")
            if one is None or two is None:
                continue
            by_unit = dict(zip(two.units, two.values, strict=True))
            pairs = [(x, by_unit[u]) for u, x in zip(one.units, one.values, strict=True) if u in by_unit]
            right_a, right_b = np.array(pairs).reshape(-1, 2).T > 0
            kinds = (right_a & right_b, right_a & ~right_b, ~right_a & right_b, ~right_a & ~right_b)
            rows.append((a.name, b.name, *(int(np.count_nonzero(kind)) for kind in kinds)))
    if rows:
        yield Table(
            title=say("The same images, both contenders"),
            columns=("A", "B", say("both right"), say("only A right"), say("only B right"), say("both wrong")),
            rows=tuple(rows),
            formats=("", "", ",d", ",d", ",d", ",d"),
        )


def _reliability(evidence: Evidence) -> Iterator[Chart]:
    """Accuracy against confidence, in bins that hold enough images to mean something."""
    lines = []
    for card in evidence.contenders:
        confidence, top1 = evidence.series(card.name, "confidence"), evidence.series(card.name, "top1")
        if confidence is None or top1 is None or confidence.units != top1.units:
            continue
        bins = np.minimum((confidence.values * BINS).astype(int), BINS - 1)
        used = [b for b in range(BINS) if np.count_nonzero(bins == b) >= 5]
        lines.append(
            Series(
                name=card.name,
                x=tuple(float(100 * confidence.values[bins == b].mean()) for b in used),
                y=tuple(float(100 * top1.values[bins == b].mean()) for b in used),
            )
        )
    if lines:
        lines.append(Series(name=say("perfectly calibrated"), x=(0.0, 100.0), y=(0.0, 100.0)))
        yield Chart(
            title=say("Can the confidence be believed?"),
            kind="line",
            x_label=say("mean confidence (%)"),
            y_label=say("top-1 (%)"),
            series=tuple(lines),
            description=say("Accuracy against confidence in bins of at least five images; on the diagonal they agree."),
            y_from_zero=True,
        )
