"""How much of the differences between the trials each factor explains, and in which direction it pulls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netversus.errors import StatisticsError
from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.lab.shortage import shortage_shown
from netversus.messages import clauses, listed, noted, say, sentences, template, told
from netversus.quantities import percent
from netversus.statistics.anova import BETWEEN, Anova, Term, anova
from netversus.studies.factors.design import ARCHITECTURE, FACTORS, GROUPS, levels
from netversus.study import Evidence

FEWEST_TO_JUDGE = 5  # degrees of freedom that must be left for chance


@dataclass(frozen=True, slots=True)
class Trials:
    """All trials of all contenders and seeds: `top1` (float64, shape (n,)) and each factor's level, n of them."""

    top1: NDArray[np.float64]
    factors: Mapping[str, tuple[str, ...]]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """The answer in words, the shares as chart and table, each level's mean, and each contender's range."""
    trials = gather(evidence)
    if trials is None:
        return
    try:
        table = analysed(trials)
    except StatisticsError as error:
        yield Text(say("What matters more cannot be told from these trials: {reason}.", reason=told(str(error))))
    else:
        yield Text(answer(table))
        yield _shares(table)
        yield _table(table)
        yield _levels(trials)
    yield _ranges(evidence)
    yield from shortage_shown(evidence)


def gather(evidence: Evidence) -> Trials | None:
    """Every trial that is stored, with the factors of which it shows two levels or more; None where there is none."""
    rows = [
        (value, {ARCHITECTURE: card.name, **levels(unit)})
        for card in evidence.contenders
        for seed in evidence.seeds
        if (series := evidence.series(card.name, "trial_top1", seed)) is not None
        for unit, value in zip(series.units, series.values.tolist(), strict=True)
    ]
    if not rows:
        return None
    columns = {name: tuple(row[name] for _, row in rows) for name in (ARCHITECTURE, *FACTORS)}
    varied = {name: column for name, column in columns.items() if len(set(column)) > 1}
    return Trials(np.array([value for value, _ in rows]), varied)


def analysed(trials: Trials) -> Anova:
    """The analysis of variance; with the pairs of factors where the trials allow them and leave enough for chance.

    Raises:
        StatisticsError: too few trials, or all alike.
    """
    alone = anova(trials.top1, trials.factors)
    if alone.freedom < FEWEST_TO_JUDGE:
        raise StatisticsError(noted("{n} trials are too few", n=alone.n))
    try:
        paired = anova(trials.top1, trials.factors, pairs=True)
    except StatisticsError:
        return alone
    return paired if paired.freedom >= FEWEST_TO_JUDGE else alone


def answer(table: Anova) -> str:
    """Which of data set, architecture and hyper-parameters explains most, in plain words."""
    terms = [table.pooled(group, members) for group, names in GROUPS.items() if (members := _present(table, names))]
    terms.sort(key=_share, reverse=True)
    first, *others = terms
    shares = (say("{factor}: {share}", factor=say(term.name), share=_percent(term)) for term in others)
    text = say(
        "Within the ranges tried, {factor} mattered most: {shares}. The rest is interplay and chance.",
        factor=say(first.name),
        shares=clauses([say("{share} of the differences between the trials", share=_percent(first)), *shares]),
    )
    return sentences(text, _doubt(first, others))


def _doubt(first: Term, others: Sequence[Term]) -> str:
    """What stands against the order of the terms; empty where it is settled."""
    if first.low is None:
        return say("Nothing is left to chance, by which that could be judged.")
    if first.low == 0:
        return say("Even the largest share could be chance.")
    close = [say(t.name) for t in others if t.high is not None and t.high >= first.low]
    if not close:
        return ""
    return say(
        "The intervals of {first} and {others} overlap: their order is not settled.",
        first=say(first.name),
        others=listed(close),
    )


def _present(table: Anova, names: Sequence[str]) -> list[str]:
    known = {term.name for term in table.terms}
    return [name for name in names if name in known]


def _share(term: Term) -> float:
    return term.eta if term.omega is None else term.omega


def _percent(term: Term) -> str:
    if term.low is None or term.high is None:
        return percent(_share(term))
    low, high = f"{100 * term.low:.0f}", f"{100 * term.high:.0f}"
    return say("{share} ({low} to {high} %)", share=percent(_share(term)), low=low, high=high)


def _shares(table: Anova) -> Chart:
    pairs = [term.name for term in table.terms if BETWEEN in term.name]
    terms = [term for term in table.terms if BETWEEN not in term.name]
    terms += [table.pooled(template("interplay of two"), pairs)] if pairs else []
    sure = all(term.low is not None for term in terms)
    return Chart(
        title=say("What explains the differences between the trials?"),
        kind="bar",
        x_label=say("factor"),
        y_label=say("share of the variance (%)"),
        series=(
            Series(
                name=say("share explained"),
                x=tuple(_term(term.name) for term in terms),
                y=tuple(100 * _share(term) for term in terms),
                low=tuple(100 * (term.low or 0.0) for term in terms) if sure else (),
                high=tuple(100 * (term.high or 0.0) for term in terms) if sure else (),
            ),
        ),
        description=say(
            "Omega squared of each factor, with its interval: the share of the variance of top-1 between the trials "
            "that the factor explains, corrected for what chance alone would give."
        )
        if sure
        else say("Eta squared of each factor: the share of the squares, with nothing left to chance."),
        y_from_zero=True,
    )


def _term(name: str) -> str:
    """A factor, or two whose interplay is meant."""
    return BETWEEN.join(say(factor) for factor in name.split(BETWEEN))


def _table(table: Anova) -> Table:
    rows: list[tuple[str | int | float | None, ...]] = []
    for t in sorted(table.terms, key=lambda term: -term.squares):
        between = None if t.low is None or t.high is None else f"[{100 * t.low:.1f}, {100 * t.high:.1f}]"
        omega = None if t.omega is None else 100 * t.omega
        rows.append((_term(t.name), t.freedom, t.squares, t.f, t.p_value, 100 * t.eta, omega, between))
    rest = 100 * table.squares / table.total
    chance = say("chance, and interplay of three and more")
    rows.append((chance, table.freedom, table.squares, None, None, rest, None, None))
    return Table(
        title=say("Analysis of variance of the trials' top-1"),
        columns=(
            say("term"),
            say("degrees of freedom"),
            say("squares"),
            "F",
            "p",
            "eta² (%)",
            "omega² (%)",
            say("{level} % interval", level=f"{100 * table.level:g}"),
        ),
        rows=tuple(rows),
        formats=("", "d", ".4f", ".2f", ".2g", ".1f", ".1f", ""),
        note=say(
            "{n} trials, sums of squares of type II. The p-values are not corrected for their number: they describe, "
            "and decide nothing.",
            n=table.n,
        ),
    )


def _levels(trials: Trials) -> Table:
    rows: list[tuple[str | int | float, ...]] = []
    for name, column in trials.factors.items():
        for level in dict.fromkeys(column):
            chosen = trials.top1[[each == level for each in column]]
            rows.append((say(name), level, len(chosen), 100 * float(chosen.mean())))
    return Table(
        title=say("The mean of each level, over all other settings"),
        columns=(say("factor"), say("level"), say("trials"), say("top-1 (%)")),
        rows=tuple(rows),
        formats=("", "", ",d", ".1f"),
    )


def _ranges(evidence: Evidence) -> Table:
    """What the settings alone do to each contender."""
    rows: list[tuple[str | int | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            top1 = evidence.series(card.name, "trial_top1", seed)
            diverged = evidence.series(card.name, "trial_diverged", seed)
            if top1 is not None and diverged is not None:
                points = (100 * np.quantile(top1.values, (0, 0.5, 1))).tolist()
                rows.append((card.name, str(seed), len(top1.units), int(diverged.values.sum()), *points))
    return Table(
        title=say("How far each contender moves with its settings"),
        columns=(
            say("contender"),
            say("seed"),
            say("trials"),
            say("diverged"),
            say("lowest (%)"),
            say("median (%)"),
            say("highest (%)"),
        ),
        rows=tuple(rows),
        formats=("", "", ",d", ",d", ".1f", ".1f", ".1f"),
        note=say(
            "Top-1 on images held out of the train split. The highest of several trials is flattered by the choice."
        ),
    )
