"""What the features are worth, frozen and adjusted; after a few images; and which stage carries the information."""

from __future__ import annotations

from collections.abc import Iterator

from netversus.exhibits import Chart, Exhibit, Series, Table
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, template, told
from netversus.study import Evidence

WAYS = (
    ("probe_top1", template("linear probe (%)")),
    ("knn_top1", template("nearest neighbours (%)")),
    ("partial_top1", template("last stage adjusted (%)")),
    ("finetuned_top1", template("all adjusted (%)")),
)


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables and charts of one transfer study."""
    yield from _worth(evidence)
    yield from _few_shot(evidence)
    yield from _stages(evidence)
    yield from shortage_shown(evidence)


def _mean(evidence: Evidence, contender: str, metric: str, seed: int) -> float | None:
    series = evidence.series(contender, metric, seed)
    return None if series is None else float(series.values.mean())


def _worth(evidence: Evidence) -> Iterator[Table]:
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            levels = [_mean(evidence, card.name, metric, seed) for metric, _ in WAYS]
            if any(level is not None for level in levels):
                gain = None if levels[0] is None or levels[-1] is None else 100 * (levels[-1] - levels[0])
                shown = [None if level is None else 100 * level for level in levels]
                chosen = [_mean(evidence, card.name, f"probe_{what}", seed) for what in ("strength", "iterations")]
                rows.append((card.name, str(seed), *shown, gain, *chosen))
    if rows:
        yield Table(
            title=say("What the features are worth on the test images"),
            columns=(
                say("contender"),
                say("seed"),
                *(say(title) for _, title in WAYS),
                say("adjusting brings (points)"),
                say("C of the probe"),
                say("its iterations"),
            ),
            rows=tuple(rows),
            formats=("", "", ".1f", ".1f", ".1f", ".1f", "+.1f", "g", ".0f"),
            note=say(
                "Top-1. The probe's C was chosen on a part of the train images, never on the test images; its L-BFGS "
                "ends after 1,000 iterations at the latest. Adjusting starts at the probe."
            ),
        )


def _few_shot(evidence: Evidence) -> Iterator[Chart]:
    lines = []
    for card in evidence.contenders:
        seen: dict[int, list[float]] = {}
        for seed in evidence.seeds:
            series = evidence.series(card.name, "few_shot_top1", seed)
            for unit, value in zip(series.units, series.values.tolist(), strict=True) if series else ():
                seen.setdefault(int(unit.split(" ", 1)[0]), []).append(100 * value)
        if seen:
            counts = sorted(seen)
            lines.append(
                Series(
                    name=card.name,
                    x=tuple(float(count) for count in counts),
                    y=tuple(sum(seen[count]) / len(seen[count]) for count in counts),
                    low=tuple(min(seen[count]) for count in counts),
                    high=tuple(max(seen[count]) for count in counts),
                )
            )
    if lines:
        yield Chart(
            title=say("How much a few labelled images tell the linear probe"),
            kind="line",
            x_label=say("labelled images a class"),
            y_label=say("top-1 (%)"),
            series=tuple(lines),
            description=say(
                "Test accuracy of a linear classifier on frozen features after a few labelled images a class. The line "
                "is the mean of the draws, the band reaches from the lowest to the highest. Every contender gets the "
                "same draws; the last point has all train images."
            ),
            y_from_zero=True,
        )


def _stages(evidence: Evidence) -> Iterator[Exhibit]:
    """Layer by layer, on the first seed."""
    lines: list[Series] = []
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        top1, strength = (evidence.series(card.name, f"stage_{what}") for what in ("top1", "strength"))
        if top1 is None or strength is None:
            continue
        chosen = dict(zip(strength.units, strength.values.tolist(), strict=True))
        worth = sorted(zip(top1.units, (100 * top1.values).tolist(), strict=True))
        numbers = tuple(float(unit.partition(":")[0].removeprefix("stage ")) for unit, _ in worth)
        lines.append(Series(name=card.name, x=numbers, y=tuple(value for _, value in worth)))
        rows += [(card.name, told(unit), value, chosen.get(unit)) for unit, value in worth]
    if lines:
        yield Chart(
            title=say("Which stage carries the information?"),
            kind="line",
            x_label=say("stage"),
            y_label=say("top-1 of a linear probe (%)"),
            series=tuple(lines),
            description=say(
                "Test accuracy of a linear classifier on the features that each stage leaves behind, averaged over all "
                "places of its maps."
            ),
            y_from_zero=True,
        )
        yield Table(
            title=say("The stages"),
            columns=(say("contender"), say("stage"), say("top-1 of its probe (%)"), "C"),
            rows=tuple(rows),
            formats=("", "", ".1f", "g"),
        )
