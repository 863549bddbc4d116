"""Stored observations -> findings. Pairs on the unit id, corrects once for all the questions asked; loads no torch.

The error rate is spent as the plan declared it, before anything is seen. The primary question is the family that gets
the whole rate, shared by the pairs of contenders; the secondary questions are a second family that shares the same rate
among all its comparisons; the slices of all pairs are a third. Sharing is Bonferroni's, so that the intervals that are
shown hold together and each verdict can be read off its own interval.

Where the reading could stop as soon as the verdict was certain, confidence sequences take the place of intervals, and
units that were not read in the recorded shuffle are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netversus.errors import PairingError
from netversus.evidence import StudyEvidence
from netversus.messages import noted, speaking
from netversus.plan import TEST, Plan, Reading, reading_of
from netversus.quantities import margin_text
from netversus.records import ContenderCard, Direction, Finding, Question, Role, Scale, Verdict
from netversus.statistics.anytime import compare_anytime
from netversus.statistics.comparison import Comparison, compare, compare_across_seeds
from netversus.statistics.constant import bounds_of
from netversus.statistics.order import recorded_shuffle
from netversus.statistics.pairing import Sample
from netversus.store import RunStore
from netversus.studies import is_trained
from netversus.study import LEFT_OUT
from netversus.wording import expert_sentence, sentence

FEWEST_IN_A_SLICE = 20
FEWEST_SEEDS = 3

Samples = Mapping[int, Mapping[str, Sample]]
"""seed -> metric -> observations of one contender."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question about one pair of contenders, with the level that the correction leaves it."""

    study: str
    question: Question
    a: ContenderCard
    b: ContenderCard
    level: float
    family: int = 1


def analyse(store: RunStore) -> tuple[Finding, ...]:
    """Every finding of a run, in the order of the plan; slices after their question. Its sentences are English, which
    is what is stored: `netversus.retelling` tells them in another language."""
    with speaking("en"):
        return tuple(_findings(store))


def _findings(store: RunStore) -> Iterator[Finding]:
    plan = store.plan()
    declared = _declared_margins(store)
    evidence = {study: StudyEvidence(store, plan, study) for study in plan.questions}
    for asked in _asked(plan):
        finding = _finding(store, plan, asked, evidence[asked.study], declared)
        if finding is not None:
            yield finding
            if asked.question.role is Role.PRIMARY and asked.question.scale is Scale.PROPORTION:
                yield from _slices(store, plan, asked, evidence[asked.study], finding)


def _declared_margins(store: RunStore) -> Mapping[tuple[str, str], float]:
    """The margin that each question had when it was first planned: before its data were seen."""
    declared: dict[tuple[str, str], float] = {}
    for plan in store.plans():
        for study, questions in plan.questions.items():
            for question in questions:
                declared.setdefault((study, question.metric), question.margin)
    return declared


def _asked(plan: Plan) -> Iterator[_Asked]:
    """Every comparison, with its share of the error rate; what is only described keeps the plain level."""
    for study, questions in plan.questions.items():
        for question in questions:
            family = plan.family(question.role) if question.judged else 1
            for a, b in plan.pairs(study):
                yield _Asked(study, question, a, b, plan.level(question), family)


def _finding(
    store: RunStore,
    plan: Plan,
    asked: _Asked,
    evidence: StudyEvidence,
    declared: Mapping[tuple[str, str], float],
) -> Finding | None:
    """The finding of one question about one pair; None where one of the two was not measured."""
    samples = [samples_of(evidence, card.name, asked.question) for card in (asked.a, asked.b)]
    if not samples[0] or not samples[1]:
        return None
    early = _early(plan, asked)
    try:
        comparison, scope = _comparison(store, plan, asked, samples[0], samples[1])
    except PairingError as error:
        return _refused(asked, str(error), declared)
    finding = _as_finding(asked, comparison, scope, declared)
    used = max(1, len(_seeds_together(asked, *samples)))
    caveats = (*_caveats(asked, finding, samples, used), *comparison.caveats)
    return _with_words(replace(finding, caveats=caveats, available=early.available if early else None))


def compare_at(
    store: RunStore, evidence: StudyEvidence, question: Question, a: ContenderCard, b: ContenderCard, level: float
) -> Comparison | None:
    """A and B on one question at a level of the caller's own, by the method of the findings; None where one of the two
    was not measured.

    Raises:
        PairingError: the two were not measured on the same units.
    """
    asked = _Asked(evidence.study, question, a, b, level)
    samples = [samples_of(evidence, card.name, question) for card in (a, b)]
    if not samples[0] or not samples[1]:
        return None
    return _comparison(store, evidence.plan, asked, samples[0], samples[1])[0]


def _early(plan: Plan, asked: _Asked) -> Reading | None:
    """How the units were read, where the reading could stop before their end."""
    return reading_of(plan, asked.study) if asked.question.paired_on == "image" else None


def _comparison(store: RunStore, plan: Plan, asked: _Asked, a: Samples, b: Samples) -> tuple[Comparison, str]:
    """The comparison by the method that fits how the units were read, and what it speaks of."""
    early = _early(plan, asked)
    if early is not None:
        return _compared_anytime(store, asked, a, b, early), "checkpoints"
    return _compared(asked, a, b, plan.request.seed)


def _compared_anytime(store: RunStore, asked: _Asked, a: Samples, b: Samples, reading: Reading) -> Comparison:
    """The comparison of units that were read until the verdict was certain."""
    one, two = a[min(a)], b[min(b)]
    for samples in (one, two):
        for sample in samples.values():
            _refuse_other_order(store, asked.study, sample, reading)
    return compare_anytime(
        asked.question,
        one,
        two,
        level=asked.level,
        margin=asked.question.margin,
        look=reading.look,
        prior=reading.prior,
        population=reading.population,
    )


def _refuse_other_order(store: RunStore, study: str, sample: Sample, reading: Reading) -> None:
    """On images in folder order, sorted by class, a test that may stop early is wrong far more often than it says. What
    could not be read at all is passed over: a random order without the units of a kind is one of the others."""
    units = store.units(TEST).get("unit", ())
    left_out = _left_out(store, study)
    order = recorded_shuffle(len(units), reading.seed)[: len(sample.units) + len(left_out)]
    if [units[i] for i in order if units[i] not in left_out][: len(sample.units)] != list(sample.units):
        raise PairingError(
            "the images were not read in the recorded shuffle, so stopping early has no error rate",
            hint="measure anew, without stopping when decided",
        )


def _left_out(store: RunStore, study: str) -> set[str]:
    """The units that a study found to be unreadable."""
    cells = [cell for cell in store.plan().cells if cell.study == study]
    kept = (store.cell(cell).artifact(LEFT_OUT, name) for cell in cells for name in cell.contenders)
    return {unit for content in kept if content for unit in json.loads(content)}


def samples_of(evidence: StudyEvidence, contender: str, question: Question) -> Samples:
    """What a question needs, by seed; a seed that lacks a part of it is left out."""
    found = {seed: evidence.inputs(contender, question, seed) for seed in evidence.seeds}
    return {seed: parts for seed, parts in found.items() if parts}


def _compared(asked: _Asked, a: Samples, b: Samples, seed: int) -> tuple[Comparison, str]:
    """The comparison, and what it speaks of: these checkpoints, or the recipes that made them."""
    question, level, common = asked.question, asked.level, _seeds_together(asked, a, b)
    if len(common) >= FEWEST_SEEDS:
        recipes = [{s: side[s][question.metric] for s in common} for side in (a, b)]
        across = compare_across_seeds(question, *recipes, level=level, margin=question.margin, seed=seed)
        return across, "recipes"
    if len(common) > 1:
        bounds = bounds_of(question)  # an average over two seeds is no longer 0 or 1, but no further
        question = replace(question, scale=Scale.MEAN, bounds=bounds)
        one, two = ({question.metric: _mean(side, common, question.metric)} for side in (a, b))
    else:
        one, two = dict(a[min(a)]), dict(b[min(b)])
    return compare(question, one, two, level=level, margin=question.margin, seed=seed), "checkpoints"


def _seeds_together(asked: _Asked, a: Samples, b: Samples) -> Sequence[int]:
    """The training seeds that a comparison takes in together: those that both have. None for a function of the whole
    set, which is no mean over seeds, and none where one of the two is the same checkpoint whatever the seed: another
    measurement of it tells nothing of its recipe. Then the first seed of each stands."""
    averaged = asked.question.scale in (Scale.PROPORTION, Scale.MEAN)
    if not (averaged and is_trained(asked.study, asked.a) and is_trained(asked.study, asked.b)):
        return ()
    return sorted(set(a) & set(b))


def _mean(samples: Samples, seeds: Sequence[int], metric: str) -> Sample:
    """The mean over seeds on each unit."""
    first = samples[seeds[0]][metric]
    rows = []
    for seed in seeds:
        values = dict(zip(samples[seed][metric].units, samples[seed][metric].values, strict=True))
        if values.keys() != set(first.units):
            raise PairingError(f"seed {seed} was not measured on the units of seed {seeds[0]}")
        rows.append([values[unit] for unit in first.units])
    return Sample(first.units, np.mean(rows, axis=0))


def _as_finding(
    asked: _Asked, comparison: Comparison, scope: str, declared: Mapping[tuple[str, str], float]
) -> Finding:
    question = asked.question
    p = comparison.p_value
    return Finding(
        study=asked.study,
        metric=question.metric,
        a=asked.a.name,
        b=asked.b.name,
        verdict=comparison.verdict if question.role is not Role.DESCRIPTIVE else Verdict.DESCRIBED,
        role=question.role,
        scale=question.scale,
        direction=question.direction,
        unit=question.unit,
        paired_on=question.paired_on,
        n=comparison.n,
        value_a=comparison.value_a,
        value_b=comparison.value_b,
        effect=comparison.effect,
        margin=question.margin,
        margin_declared=declared[asked.study, question.metric],
        method=comparison.method,
        sentence="",
        expert="",
        p_raw=p,
        p_value=None if p is None else min(1.0, p * asked.family),
        e_value=comparison.e_value,
        further_units=comparison.further_units,
        scope=scope,
    )


def _refused(asked: _Asked, reason: str, declared: Mapping[tuple[str, str], float]) -> Finding:
    """Contenders that cannot be paired: no verdict, and the reason in the place of one."""
    nothing = Comparison(
        n=0,
        value_a=0.0,
        value_b=0.0,
        effect=None,
        p_value=None,
        verdict=Verdict.UNDECIDED,
        further_units=None,
        method=noted("refused"),
    )
    finding = _as_finding(asked, nothing, "checkpoints", declared)
    return _with_words(replace(finding, value_a=None, value_b=None, caveats=(reason,)))


def _with_words(finding: Finding) -> Finding:
    return replace(finding, sentence=sentence(finding), expert=expert_sentence(finding))


def _caveats(asked: _Asked, finding: Finding, samples: Sequence[Samples], used: int) -> tuple[str, ...]:
    """What the reader must know before believing the finding, which rests on `used` of the training seeds."""
    found: list[str] = []
    a, b = asked.a, asked.b
    counted = finding.scale in (Scale.FACT, Scale.RATIO) or finding.paired_on == "timing block"
    speaks_of_weights = not counted and finding.direction is not Direction.NEITHER
    if a.recipe != b.recipe and speaks_of_weights:
        found.append(
            noted(
                "The weights come from different recipes ({a}; {b}): what the architecture does and what the recipe "
                "does cannot be told apart here.",
                a=a.recipe,
                b=b.recipe,
            )
        )
    trained = [len(side) for card, side in zip((a, b), samples, strict=True) if is_trained(asked.study, card)]
    of_checkpoints = finding.scope == "checkpoints" and finding.paired_on in ("image", "sequence")
    if trained and of_checkpoints and speaks_of_weights:
        found.append(_about_checkpoints(used, max(trained)))
    if finding.margin != finding.margin_declared:
        before = margin_text(finding.margin_declared, finding.scale, finding.unit)
        found.append(noted("The margin was {before} when the run was planned and was changed later.", before=before))
    return tuple(found)


def _about_checkpoints(used: int, trained: int) -> str:
    """What so few training seeds allow to say."""
    if used > 1:
        return noted(
            "{n} training seeds: this is about these checkpoints, not about the architectures or the recipe; that "
            "takes an average over {fewest} seeds at least.",
            n=used,
            fewest=FEWEST_SEEDS,
        )
    if trained > 1:
        return noted(
            "Of {n} training seeds only the first is used here: this is about these two checkpoints, not about the "
            "architectures or the recipe.",
            n=trained,
        )
    return noted(
        "1 training seed: this is about these two checkpoints, not about the architectures or the recipe; that takes "
        "an average over {fewest} seeds at least.",
        fewest=FEWEST_SEEDS,
    )


def _slices(store: RunStore, plan: Plan, asked: _Asked, evidence: StudyEvidence, whole: Finding) -> Iterator[Finding]:
    """The primary question within each class and each level of each nuisance factor: where do they differ? On the first
    training seed; the slices of a pair share what the pair has of the error rate."""
    if whole.verdict is Verdict.DESCRIBED or not whole.n or whole.available is not None:
        return  # where the reading stopped early, an interval within a slice would not hold
    question = asked.question
    seeds = [samples_of(evidence, card.name, question) for card in (asked.a, asked.b)]
    a, b = (side[min(side)][question.metric] for side in seeds)
    groups = dict(_groups(store, plan, a.units))
    sharing = max(1, len(groups))
    asked = replace(asked, level=1 - (1 - asked.level) / sharing, family=asked.family * sharing)
    declared = {(asked.study, question.metric): whole.margin_declared}
    places = [{unit: place for place, unit in enumerate(sample.units)} for sample in (a, b)]
    for name, units in groups.items():
        parts = [_part(sample, known, units) for sample, known in zip((a, b), places, strict=True)]
        one, two = ({question.metric: part} for part in parts)
        comparison = compare(question, one, two, level=asked.level, margin=question.margin, seed=0)
        finding = _as_finding(asked, comparison, "checkpoints", declared)
        caveats = _caveats(asked, finding, seeds, 1)
        yield _with_words(replace(finding, role=Role.DESCRIPTIVE, slice=name, caveats=caveats))


def _part(sample: Sample, places: Mapping[str, int], units: set[str]) -> Sample:
    """What `pairing.only` gives, without a walk over the whole sample: a thousand classes would be a thousand walks."""
    keep = sorted(places[unit] for unit in units if unit in places)
    return Sample(tuple(sample.units[place] for place in keep), sample.values[keep])


def _groups(store: RunStore, plan: Plan, measured: Sequence[str]) -> Iterator[tuple[str, set[str]]]:
    """Slices that hold enough measured units, by name."""
    columns = store.units(TEST)
    if not columns:
        return
    seen = set(measured)
    for column in [name for name in columns if name != "unit"]:
        groups: dict[str, set[str]] = {}
        for unit, value in zip(columns["unit"], columns[column], strict=True):
            if unit in seen:
                label = plan.data.classes[value] if column == "label" else str(value)
                name = noted("class: {name}", name=label) if column == "label" else f"{column}: {label}"
                groups.setdefault(name, set()).add(unit)
        yield from ((name, units) for name, units in sorted(groups.items()) if len(units) >= FEWEST_IN_A_SLICE)
