"""How many units a comparison needs: from what one assumes of the contenders, or from what a run has stored.

Loads no torch. Gaps, shares and deviations are fractions here: 0.01 is a point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from netversus.errors import OptionError, PairingError, RunFolderError, StatisticsError
from netversus.evidence import StudyEvidence
from netversus.messages import noted
from netversus.plan import Plan
from netversus.records import Question, Role, Scale
from netversus.statistics.pairing import Paired, Sample, pair
from netversus.statistics.power import (
    POWER,
    blocks_for_ratio,
    images_for_proportions,
    seeds_for_recipes,
    sequences_for_means,
)
from netversus.statistics.ratios import log_ratios
from netversus.statistics.sequential import PRIOR
from netversus.statistics.stopping_time import StoppingTime, stopping_time
from netversus.store import RunStore

LEVEL = 0.95
ASSUMED = "assumed"


class Unit(StrEnum):
    """What is counted."""

    IMAGES = "images"
    SEEDS = "seeds"
    SEQUENCES = "sequences"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Scatter:
    """How much two contenders differ from unit to unit, which decides how many units are needed.

    For images the share on which exactly one of the two is right; for seeds the standard deviation of a contender's
    level from one training to another; for sequences that of the differences B - A; for timing blocks that of the
    logarithms of the ratios B / A. `level` is what a run leaves the comparison, None where nothing is known of one.
    """

    value: float
    source: str = ASSUMED
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """`count` units show `effect` (a gap as a fraction; for timing blocks a ratio) with the power that was asked for.

    `sequential` says when a comparison of images that stops once it is decided would end; None for other units, and
    for gaps so small that it was not followed so far.
    """

    effect: float
    scatter: Scatter
    level: float
    count: int
    sequential: StoppingTime | None = None


_Formula = Callable[..., int]
_FORMULAE: Mapping[Unit, _Formula] = {
    Unit.IMAGES: images_for_proportions,
    Unit.SEEDS: seeds_for_recipes,
    Unit.SEQUENCES: sequences_for_means,
    Unit.BLOCKS: blocks_for_ratio,
}


def requirement(
    unit: Unit,
    effect: float,
    scatter: Scatter,
    *,
    level: float | None = None,
    power: float = POWER,
    prior: float = PRIOR,
) -> Requirement:
    """How many units show an effect.

    Args:
        unit: what is counted.
        effect: the gap as a fraction, above 0; for timing blocks the ratio, above 0 and not 1.
        scatter: how much the units differ.
        level: confidence level; None for that of the run, or 0.95.
        power: probability of seeing the effect.
        prior: of the sequential test.

    Raises:
        OptionError: the gap is no gap, exceeds the disagreement, or is too small for any number of units.
    """
    level = level or scatter.level or LEVEL
    _check(unit, effect, scatter)
    try:
        count = _FORMULAE[unit](effect, scatter.value, level=level, power=power)
    except StatisticsError as error:
        raise OptionError(str(error)) from None
    sequential = None
    if unit is Unit.IMAGES:
        sequential = stopping_time(effect, scatter.value, level=level, prior=prior)
    return Requirement(effect, scatter, level, count, sequential)


def _check(unit: Unit, effect: float, scatter: Scatter) -> None:
    """One line in the user's own terms, where a formula would speak of fractions."""
    if unit is Unit.BLOCKS:
        if not effect > 0 or effect == 1:
            raise OptionError(f"a ratio must be above 0 and other than 1, got {effect:g}")
    elif not effect > 0:
        raise OptionError(f"a gap must be above 0 points, got {100 * effect:g}")
    if unit is Unit.IMAGES and effect > scatter.value:
        raise OptionError(
            f"a gap of {100 * effect:g} points cannot come from {100 * scatter.value:.3g} % disagreement"
            f"{'' if scatter.source == ASSUMED else f' ({scatter.source})'}",
            hint="contenders that differ by a gap disagree on that share of the images at least",
        )


def scatters_of(store: RunStore, unit: Unit) -> tuple[Scatter, ...]:
    """How much the contenders of a run differ from unit to unit: one estimate for each pair that it compares.

    Raises:
        RunFolderError: the run asks nothing that is counted in such units, or has not observed enough of it.
    """
    plan = store.plan()
    study, question = _question(store, plan, unit)
    evidence = StudyEvidence(store, plan, study)
    estimate = {
        Unit.IMAGES: _disagreement,
        Unit.SEEDS: _over_seeds,
        Unit.SEQUENCES: _of_differences,
        Unit.BLOCKS: _of_ratios,
    }[unit]
    found = []
    for a, b in plan.pairs(study):
        sides = tuple(_by_seed(evidence, card.name, question.metric) for card in (a, b))
        if all(sides):
            asked = f"{study}.{question.metric}"
            value, seen = estimate(sides[0], sides[1], f"{a.name} / {b.name}: {asked}")
            source = noted("{a} / {b}: {question} on {seen}", a=a.name, b=b.name, question=asked, seen=seen)
            found.append(Scatter(value, source, plan.level(question)))
    if not found:
        raise RunFolderError(
            f"{store.place} holds no observations of {study}.{question.metric} of two contenders",
            hint=f"go on with: netversus compare --resume {store.place}",
        )
    return tuple(found)


def _question(store: RunStore, plan: Plan, unit: Unit) -> tuple[str, Question]:
    """The study and the question that speak of such units: the primary one if it does, else the first."""
    asked = [(s, q) for s, questions in plan.questions.items() for q in questions if q.judged and _counts(unit, q)]
    if not asked:
        raise RunFolderError(
            f"{store.place} asks nothing that is counted in {unit}", hint="give the figures instead of --run"
        )
    return next((each for each in asked if each[1].role is Role.PRIMARY), asked[0])


def _counts(unit: Unit, question: Question) -> bool:
    """Whether more of these units would answer the question better."""
    if unit is Unit.BLOCKS:
        return question.scale is Scale.RATIO and question.paired_on == "timing block" and not question.estimator
    if unit is Unit.SEQUENCES:
        return question.scale in (Scale.PROPORTION, Scale.MEAN) and question.paired_on == "sequence"
    return question.scale is Scale.PROPORTION and question.paired_on == "image"


_BySeed = Mapping[int, Sample]


def _by_seed(evidence: StudyEvidence, contender: str, metric: str) -> _BySeed:
    series = ((seed, evidence.series(contender, metric, seed)) for seed in evidence.seeds)
    return {seed: sample for seed, sample in series if sample is not None}


def _disagreement(a: _BySeed, b: _BySeed, who: str) -> tuple[float, str]:
    """The share of the images seen by both on which exactly one is right, averaged over seeds."""
    shares, images = [], 0
    for seed_a, seed_b in _together(a, b):
        of_a, of_b = (dict(zip(s.units, s.values, strict=True)) for s in (a[seed_a], b[seed_b]))
        common = of_a.keys() & of_b.keys()
        if common:
            shares.append(sum(of_a[unit] != of_b[unit] for unit in common) / len(common))
            images = max(images, len(common))
    if not shares:
        raise RunFolderError(f"{who} saw no image together")
    if not any(shares):
        raise RunFolderError(
            f"{who} never differs on {images:,} images, which estimates nothing", hint="name a --disagreement instead"
        )
    n, seeds = f"{images:,}", len(shares)
    seen = noted("{n} images, {seeds} seeds", n=n, seeds=seeds) if seeds > 1 else noted("{n} images", n=n)
    return float(np.mean(shares)), seen


def _together(a: _BySeed, b: _BySeed) -> Iterator[tuple[int, int]]:
    """The seeds that both have; where there are none, the first of each (published weights have no seed in common)."""
    common = sorted(set(a) & set(b))
    yield from ((seed, seed) for seed in common) if common else [(min(a), min(b))]


def _over_seeds(a: _BySeed, b: _BySeed, who: str) -> tuple[float, str]:
    """The standard deviation of a contender's level over its seeds, pooled over both."""
    fewest = min(len(a), len(b))
    if fewest < 2:
        raise RunFolderError(
            f"{who} has {fewest} training seed of each contender, a scatter needs at least 2",
            hint="measure with --repeats, or name a --deviation",
        )
    variances = [np.var([sample.values.mean() for sample in side.values()], ddof=1) for side in (a, b)]
    return _positive(float(np.sqrt(np.mean(variances))), who), noted("{n} seeds of each", n=fewest)


def _of_differences(a: _BySeed, b: _BySeed, who: str) -> tuple[float, str]:
    paired = _paired(a, b, who)
    return _positive(float(paired.differences.std(ddof=1)), who), noted("{n} sequences", n=f"{len(paired):,}")


def _of_ratios(a: _BySeed, b: _BySeed, who: str) -> tuple[float, str]:
    paired = _paired(a, b, who)
    return _positive(float(log_ratios(paired.a, paired.b).std(ddof=1)), who), noted(
        "{n} timing blocks", n=f"{len(paired):,}"
    )


def _paired(a: _BySeed, b: _BySeed, who: str) -> Paired:
    """The pairs of the first seed of each, two at least."""
    try:
        paired = pair(a[min(a)], b[min(b)])
    except PairingError as error:
        raise RunFolderError(f"{who}: {error.message}", hint=error.hint) from None
    if len(paired) < 2:
        raise RunFolderError(f"{who} was observed once, which has no scatter", hint="name a --deviation instead")
    return paired


def _positive(deviation: float, who: str) -> float:
    if deviation > 0:
        return deviation
    raise RunFolderError(f"{who} never varies, which estimates nothing", hint="name a --deviation instead")
