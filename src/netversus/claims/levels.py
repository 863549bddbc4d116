"""Stored observations -> one contender's own level with its interval: what a finding, which compares two, lacks.

These intervals are at the run's own level and share no error rate among them: each claim about a level stands alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from scipy.stats import t as student

from netversus.claims.measured import Measured
from netversus.claims.records import Claim, FindingKey, Kind, Level, key_of
from netversus.errors import StatisticsError
from netversus.evidence import StudyEvidence
from netversus.messages import noted
from netversus.records import Effect, Finding, Question, Scale
from netversus.statistics.bootstrap import bootstrap, bootstrap_mean, draws_for, percentile_interval
from netversus.statistics.estimators import Estimator, estimator
from netversus.statistics.pairing import Sample
from netversus.statistics.ratios import blocks_of, percentile
from netversus.store import RunStore

Array = NDArray[np.float64]

_SEED = 0
_FEWEST_SEEDS = 3
_FEWEST_UNITS = 6  # with fewer no two-sided test at 0.95 could reject


def measured_by(
    store: RunStore, findings: Sequence[Finding], claims: Sequence[Claim], called: Sequence[str] = ()
) -> Measured:
    """What a run measured, with the levels that the claims ask for."""
    plan = store.plan()
    level = plan.request.level
    return Measured(tuple(findings), plan.data, tuple(called), level, dict(_levels(store, findings, claims, level)))


def _levels(
    store: RunStore, findings: Sequence[Finding], claims: Sequence[Claim], level: float
) -> Iterator[tuple[FindingKey, Level]]:
    """The levels that the findings alone do not give: all but facts, and proportions of single checkpoints."""
    plan = store.plan()
    wanted = {(b.study, b.metric) for c in claims for b in c.bindings if b.measured and b.comparison.kind is Kind.VALUE}
    for finding in findings:
        if (finding.study, finding.metric) not in wanted or finding.slice or not _needs_observations(finding):
            continue
        question = next(q for q in plan.questions[finding.study] if q.metric == finding.metric)
        evidence = StudyEvidence(store, plan, finding.study)
        for name in (finding.a, finding.b):
            samples = [parts for seed in evidence.seeds if (parts := evidence.inputs(name, question, seed))]
            if samples:
                yield key_of(finding, about=name), _level(question, samples, level)


def _needs_observations(finding: Finding) -> bool:
    from_finding = finding.scale is Scale.PROPORTION and finding.scope == "checkpoints"
    return finding.scale is not Scale.FACT and finding.available is None and not from_finding


def _level(question: Question, samples: Sequence[Mapping[str, Sample]], level: float) -> Level:
    """The level over all seeds for a mean, else of the first seed, as the findings have it."""
    try:
        if question.scale in (Scale.PROPORTION, Scale.MEAN):
            return _mean([by_metric[question.metric] for by_metric in samples], level)
        if question.scale is Scale.RATIO and not question.estimator:
            return _median(samples[0][question.metric].values, level)
        return _estimated(question, samples[0], level)
    except StatisticsError as error:
        return Level(float("nan"), None, "", str(error))


def _mean(by_seed: Sequence[Sample], level: float) -> Level:
    """The mean over seeds and units.

    Several seeds were measured on the same units, so that the variance of the mean is at most what the seeds
    and what the units contribute, added up: the interval errs to the wide side.
    """
    rows = np.stack([_in_order(sample, by_seed[0]) for sample in by_seed])
    seeds, n = rows.shape
    units, means = rows.mean(axis=0), rows.mean(axis=1)
    value = float(rows.mean())
    if n < _FEWEST_UNITS:
        return Level(value, None, "", noted("too few units for an interval at this level"))
    if seeds < _FEWEST_SEEDS:
        draws = bootstrap_mean(units, draws=draws_for(level), seed=_SEED)
        return Level(value, percentile_interval(value, draws, n, level), "Bayesian bootstrap over units")
    spread = float(np.var(units, ddof=1)) / n + float(np.var(means, ddof=1)) / seeds
    half = float(student.isf((1 - level) / 2, seeds - 1)) * spread**0.5
    return Level(value, Effect(value, value - half, value + half, level), "Student's t over seeds, units added")


def _median(values: Array, level: float) -> Level:
    """The median of timing blocks with its distribution-free interval between two order statistics."""
    ordered, n = np.sort(values), len(values)
    value = float(np.median(ordered))
    rank = int(binom.ppf((1 - level) / 2, n, 0.5))
    if binom.cdf(rank, n, 0.5) > (1 - level) / 2:
        rank -= 1
    if rank < 0:
        return Level(value, None, "", noted("too few units for an interval at this level"))
    ends = float(ordered[rank]), float(ordered[n - 1 - rank])
    return Level(value, Effect(value, *ends, level), "order statistics around the median")


def _estimated(question: Question, samples: Mapping[str, Sample], level: float) -> Level:
    """An estimator's value, with a bootstrap over units, or over blocks for a ratio's repetitions."""
    timed = question.scale is Scale.RATIO
    function: Estimator = percentile(question.estimator) if timed else estimator(question.estimator)
    first = next(iter(samples.values()))
    inputs = {metric: _in_order(sample, first) for metric, sample in samples.items()}
    clusters = blocks_of(first.units) if timed else None
    n = len(first.units) if clusters is None else int(clusters.max()) + 1
    value = float(function(inputs, np.ones((1, len(first.units))))[0])
    if n < _FEWEST_UNITS:
        return Level(value, None, "", noted("too few units for an interval at this level"))
    draws = bootstrap(
        lambda w: function(inputs, w), len(first.units), draws=draws_for(level), seed=_SEED, clusters=clusters
    )
    return Level(value, percentile_interval(value, draws, n, level), "Bayesian bootstrap")


def _in_order(sample: Sample, first: Sample) -> Array:
    """What a sample gives of each unit, in the order of another's units."""
    place = {unit: i for i, unit in enumerate(sample.units)}
    if place.keys() != set(first.units):
        raise StatisticsError("a level needs observations of the same units throughout")
    return np.asarray(sample.given[[place[unit] for unit in first.units]])
