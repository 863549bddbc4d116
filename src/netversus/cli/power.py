"""`netversus power`: how many images, seeds, sequences or timing blocks a comparison needs. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Annotated, Any

import typer

from netversus.cli.terminal import console, run_command, table
from netversus.errors import EXIT_OK, OptionError, nearest
from netversus.messages import catalogue, say, speaking, template, told
from netversus.planning import Requirement, Scatter, Unit, requirement, scatters_of
from netversus.statistics.power import DISAGREEMENTS, POWER
from netversus.statistics.sequential import PRIOR
from netversus.store import RunStore

GAP, RATIO = "1", "1.05"  # the margins that the studies declare by default

NAMES = {
    Unit.IMAGES: template("disagreement"),
    Unit.SEEDS: template("deviation over seeds"),
    Unit.SEQUENCES: template("deviation of differences"),
    Unit.BLOCKS: template("deviation of ratios"),
}

COUNTED = {
    Unit.IMAGES: template("images"),
    Unit.SEEDS: template("seeds"),
    Unit.SEQUENCES: template("sequences"),
    Unit.BLOCKS: template("blocks"),
}

TITLES = {
    Unit.IMAGES: template("How many images show the gap"),
    Unit.SEEDS: template("How many seeds show the gap"),
    Unit.SEQUENCES: template("How many sequences show the gap"),
    Unit.BLOCKS: template("How many blocks show the ratio"),
}

EXPLAINED = {
    Unit.IMAGES: template(
        "disagreement: the share of images that exactly one of the two gets right. images: a fixed sample, looked at "
        "once. decided early: with --stop-when-decided, when half and when 9 in 10 such comparisons have found the "
        "better one, looking after every image; looking every 64 takes about 5 % more."
    ),
    Unit.SEEDS: template(
        "deviation: of one contender's level, from one training seed to the next. seeds: of each contender, judged on "
        "the same images, of which there are enough. Fewer than 3 allow no claim about a recipe."
    ),
    Unit.SEQUENCES: template(
        "deviation: of the differences between the two contenders, from one sequence to the next."
    ),
    Unit.BLOCKS: template("deviation: of the ratio of the two contenders' times, from one timing block to the next."),
}


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_power, "power", arguments)


def _power(
    place: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run to estimate disagreement or deviation from.")
    ] = None,
    gap: Annotated[str | None, typer.Option(help="Gaps worth seeing, in points, such as 0.5,1,2. Default: 1.")] = None,
    unit: Annotated[str, typer.Option(help="What to count: images, seeds, sequences or blocks.")] = "images",
    disagreement: Annotated[
        str | None,
        typer.Option(help="For images: shares that exactly one contender gets right, in %. Default: 8,12,16."),
    ] = None,
    deviation: Annotated[
        str | None,
        typer.Option(help="For seeds and sequences: standard deviations in points. For blocks: of the ratio, in %."),
    ] = None,
    ratio: Annotated[str | None, typer.Option(help="For blocks: ratios worth seeing. Default: 1.05.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="The same as RUN.")] = None,
    power: Annotated[float, typer.Option(help="Probability of seeing the gap.")] = POWER,
    level: Annotated[
        float | None, typer.Option(help="Confidence level. Default: 0.95, or what a run leaves each comparison.")
    ] = None,
    stop_prior: Annotated[float, typer.Option(help="Of the sequential test, as for compare.")] = PRIOR,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; there, shares and gaps are fractions.")] = False,
    lang: Annotated[str, typer.Option(help="Language: en, or zh for Chinese.")] = "en",
) -> int:
    """Say how many units show a gap of so many points, before the time is spent on them."""
    catalogue(lang)  # one that does not exist is refused, also where only JSON is printed
    counted = _unit(unit)
    for name, value in (("power", power), ("level", level)):
        if value is not None and not 0 < value < 1:
            raise OptionError(f"--{name} must lie between 0 and 1, got {value:g}")
    if not stop_prior > 0:
        raise OptionError(f"--stop-prior must be above 0, got {stop_prior:g}")
    _refuse_other_flags(counted, gap=gap, ratio=ratio, disagreement=disagreement, deviation=deviation)
    if counted is Unit.BLOCKS:
        effects = _numbers("ratio", ratio or RATIO)
    else:
        effects = [points / 100 for points in _numbers("gap", gap or GAP)]
    needed = [
        requirement(counted, effect, scatter, level=level, power=power, prior=stop_prior)
        for scatter in _scatters(counted, disagreement or deviation, _named(place, run))
        for effect in effects
    ]
    if as_json:
        print(json.dumps(_as_json(counted, needed, power), indent=2))
    else:
        with speaking(lang):
            _print(counted, needed, power)
    return EXIT_OK


def _named(place: str | None, run: str | None) -> str | None:
    """The run, if one is named.

    Raises:
        OptionError: two are.
    """
    if place is not None and run is not None:
        raise OptionError(f"{place} and --run {run} both name a run", hint="leave out one of the two")
    return run if place is None else place


def _unit(text: str) -> Unit:
    try:
        return Unit(text)
    except ValueError:
        hint = nearest(text, list(Unit))
        raise OptionError(f"--unit must be images, seeds, sequences or blocks, got {text!r}", hint=hint) from None


def _refuse_other_flags(unit: Unit, **given: str | None) -> None:
    """What another unit takes is not ignored."""
    takes = ("ratio" if unit is Unit.BLOCKS else "gap", "disagreement" if unit is Unit.IMAGES else "deviation")
    for name, value in given.items():
        if value is not None and name not in takes:
            raise OptionError(f"--{name} says nothing of {unit}: they take --{takes[0]} and --{takes[1]}")


def _numbers(flag: str, text: str) -> list[float]:
    """The numbers of "0.5,1,2"."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(map(isfinite, numbers)):
        raise OptionError(f"--{flag} must be numbers such as 1 or 0.5,1,2, got {text!r}")
    return numbers


def _scatters(unit: Unit, given: str | None, run: str | None) -> Iterable[Scatter]:
    """How much the units differ: as given, as a run says, or for images as backbones typically do."""
    flag = "disagreement" if unit is Unit.IMAGES else "deviation"
    if given is not None and run is not None:
        raise OptionError(f"--{flag} and a run both say how much {unit} differ", hint="leave out one of the two")
    if run is not None:
        return scatters_of(RunStore.open(run), unit)
    if given is None:
        if unit is not Unit.IMAGES:
            raise OptionError(
                f"--unit {unit} needs --{flag}: how much they differ, in {'%' if unit is Unit.BLOCKS else 'points'}",
                hint="or a run, to estimate it from what is stored there",
            )
        return [Scatter(share) for share in DISAGREEMENTS]
    values = _numbers(flag, given)
    for value in values:
        if not value > 0 or (unit is Unit.IMAGES and value > 100):
            raise OptionError(f"--{flag} must be above 0{' and at most 100' * (unit is Unit.IMAGES)}, got {value:g}")
    return [Scatter(value / 100) for value in values]


def _as_json(unit: Unit, needed: Sequence[Requirement], power: float) -> dict[str, Any]:
    effect = "ratio" if unit is Unit.BLOCKS else "gap"
    scatter = "disagreement" if unit is Unit.IMAGES else "deviation"
    rows = []
    for one in needed:
        row = {
            effect: round(one.effect, 12),
            scatter: one.scatter.value,
            "source": one.scatter.source,
            "level": one.level,
            unit.value: one.count,
        }
        if unit is Unit.IMAGES:
            row["sequential"] = asdict(one.sequential) if one.sequential else None
        rows.append(row)
    return {"unit": unit.value, "power": power, "rows": rows}


def _print(unit: Unit, needed: Sequence[Requirement], power: float) -> None:
    screen = console()
    from_run = any(one.scatter.level is not None for one in needed)
    columns = [say("ratio") if unit is Unit.BLOCKS else say("gap"), say(NAMES[unit]), say(COUNTED[unit])]
    if unit is Unit.IMAGES:
        columns += [say("decided early: half by"), say("9 in 10 by")]
    if from_run:
        columns.append(say("estimated from"))
    rows = [_row(unit, one, from_run=from_run) for one in needed]
    screen.print(table(say(TITLES[unit]), columns, rows))
    shares = {"level": f"{100 * needed[0].level:.4g}", "power": f"{100 * power:.4g}"}
    screen.print(say("confidence level {level} %, power {power} %", **shares), markup=False)
    screen.print(say(EXPLAINED[unit]), markup=False)
    if from_run and needed[0].level == needed[0].scatter.level:
        of_run = say("The level is what the run leaves each of its comparisons, which share its error rate.")
        screen.print(of_run, markup=False)


def _row(unit: Unit, one: Requirement, *, from_run: bool) -> list[str]:
    percent = f"{100 * one.scatter.value:.3g}"
    if unit is Unit.BLOCKS:
        cells = [say("{number}×", number=f"{one.effect:g}"), say("{number} %", number=percent)]
    else:
        scatter = template("{number} %") if unit is Unit.IMAGES else template("{number} points")
        cells = [_points(f"{100 * one.effect:g}"), say(scatter, number=percent)]
    cells.append(f"{one.count:,}")
    if unit is Unit.IMAGES:
        soon = one.sequential
        cells += [f"{soon.median:,}", f"{soon.ninth_decile:,}"] if soon else ["–", "–"]
    return [*cells, told(one.scatter.source)] if from_run else cells


def _points(number: str) -> str:
    return say("{n} point", n=number) if number == "1" else say("{number} points", number=number)
