"""Request -> ordered cells with their estimated cost. Pure: the same inputs give the same plan, where the same engines
are installed; loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from netversus.errors import OptionError, nearest
from netversus.lab.engines import AUTO, missing_here
from netversus.messages import noted
from netversus.quantities import duration
from netversus.records import Cell, ContenderCard, DataCard, Question, Rates, Role, Scale, digest
from netversus.request import Request, describe
from netversus.studies import chosen_studies, find_studies
from netversus.study import Cost, Need, Options, Study, Work

TEST = "test"
"""The split on which contenders are judged."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will be measured, and how it will be judged, written down before the first observation.

    `questions` holds each study's questions with the margins in force; `asks` the studies' questions in words.
    `cuts` says, a line each, what was shortened to fit the budget. `cost` is the estimate for the cells.
    """

    request: Request
    contenders: tuple[ContenderCard, ...]
    data: DataCard
    device: str
    rates: Mapping[str, Rates]
    asks: Mapping[str, str]
    questions: Mapping[str, tuple[Question, ...]]
    cells: tuple[Cell, ...]
    cost: Cost
    cuts: tuple[str, ...] = ()
    baseline: str = ""

    def pairs(self, study: str) -> tuple[tuple[ContenderCard, ContenderCard], ...]:
        """The pairs of contenders that a study compares: the baseline with each other, or all; none that the plan
        knows cannot be measured."""
        out = {name for cell in self.cells if cell.study == study and cell.blocked for name in cell.contenders}
        cards = [card for card in self.contenders if card.name not in out]
        first = [card for card in cards if card.name == self.baseline]
        if self.baseline:
            return tuple((base, card) for base in first for card in cards if card is not base)
        return tuple(combinations(cards, 2))

    def family(self, role: Role) -> int:
        """Among how many comparisons a role's error rate is shared: counted before the data are seen, so that what
        fails later changes no level."""
        asked = (len(self.pairs(s)) for s, qs in self.questions.items() for q in qs if q.judged and q.role is role)
        return max(1, sum(asked))

    def level(self, question: Question) -> float:
        """The confidence level that the sharing leaves a comparison on a question."""
        family = self.family(question.role) if question.judged else 1
        return 1 - (1 - self.request.level) / family


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A study with its options, validated and cut to the budget."""

    study: Study
    options: Options
    cost: Cost
    cuts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """How a study that may stop early reads its units: `look` of them between two looks, in the shuffle of `seed`, at
    most `available`. `population` is the whole split where the verdict is about exactly it."""

    look: int
    seed: int
    available: int
    prior: float
    population: int | None


def reading_of(plan: Plan, study: str) -> Reading | None:
    """How a study reads its units, or None where it reads all of them whatever they say."""
    sequential = find_studies()[study].sequential if study in find_studies() else None
    cell = next((cell for cell in plan.cells if cell.study == study), None)
    if not plan.request.stop_when_decided or sequential is None or cell is None:
        return None
    units = plan.data.splits.get(TEST, 0)
    return Reading(
        look=int(cell.options[sequential.look]),
        seed=int(cell.options[sequential.seed]),
        available=min(units, cell.options[sequential.most] or units),
        prior=plan.request.stop_prior,
        population=units if plan.request.stop_about == "benchmark" else None,
    )


def make_plan(
    request: Request,
    contenders: Sequence[ContenderCard],
    data: DataCard,
    rates: Mapping[str, Rates],
    device: str,
    kept: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Plan:
    """The plan of a request, for resolved contenders and opened data.

    `kept` are the options, by study, that an earlier plan of the same run settled on: they stay, whatever the
    budget, so that what was observed under them is used again. The request's own options win over them.

    Raises:
        OptionError: a study, an option, a margin, a baseline or a primary question that does not exist.
    """
    work = Work(data, rates)
    chosen = _engines_last(_choose(request, work, kept), contenders)
    questions = {c.study.name: _as_asked(c.study, request, [d.study for d in chosen]) for c in chosen}
    if request.stop_when_decided:
        _refuse_to_stop(request, chosen, questions)
    cells = _cells(request, work, contenders, device, chosen)
    seconds = sum(cell.seconds or 0.0 for cell in cells)
    cuts = [cut for c in chosen for cut in c.cuts]
    if request.budget is not None and seconds > 1.01 * request.budget:
        cuts.append(
            noted(
                "the shortest useful plan takes {long}, the budget is {budget}",
                long=duration(seconds),
                budget=duration(request.budget),
            )
        )
    return Plan(
        request=request,
        contenders=tuple(contenders),
        data=data,
        device=device,
        rates=dict(rates),
        asks={c.study.name: c.study.question for c in chosen},
        questions=questions,
        cells=cells,
        cost=Cost(
            seconds=seconds,
            memory=max((c.cost.memory for c in chosen), default=0),
            disk=sum(c.cost.disk * _runs(c.study, request) for c in chosen),
        ),
        cuts=tuple(cuts),
        baseline=_baseline(request, contenders),
    )


def with_engines_of_now(plan: Plan) -> Plan:
    """The plan of a run that goes on: it is the same, but that contenders whose engine was missing when it was made,
    and is here now, are measured after all."""
    lacking = {cell.blocked for cell in plan.cells}
    was_out = (card for card in plan.contenders if any(each.startswith(_lacking(card)) for each in lacking))
    if all(missing_here(card.engine, plan.device) for card in was_out):
        return plan
    again = make_plan(plan.request, plan.contenders, plan.data, plan.rates, plan.device, settled_options(plan))
    return replace(again, cuts=plan.cuts)


def _baseline(request: Request, contenders: Sequence[ContenderCard]) -> str:
    """The baseline's name; it may be given as it was written among the contenders."""
    if not request.baseline:
        return ""
    by_word = {word: card.name for card in contenders for word in (card.spec, card.name)}
    for text, card in zip(request.contenders, contenders, strict=False):
        by_word[text] = card.name
    if request.baseline not in by_word:
        hint = nearest(request.baseline, by_word) or f"one of {', '.join(c.name for c in contenders)}"
        raise OptionError(f"the baseline {request.baseline!r} is not among the contenders", hint=hint)
    return by_word[request.baseline]


def _refuse_to_stop(request: Request, chosen: Sequence[_Chosen], questions: Mapping[str, tuple[Question, ...]]) -> None:
    """Stopping early needs a primary question that can be judged while its units are read, and one seed."""
    primary = [(c.study, q) for c in chosen for q in questions[c.study.name] if q.role is Role.PRIMARY]
    if not any(study.sequential and question.scale is Scale.PROPORTION for study, question in primary):
        asked = ", ".join(f"{study.name}.{question.metric}" for study, question in primary) or "none"
        raise OptionError(
            f"stopping when decided needs a primary question of proportions that is read unit by unit, got {asked}",
            hint="such as accuracy.top1",
        )
    if request.repeats > 1:
        raise OptionError(
            f"stopping when decided speaks of one training seed, {request.repeats} were asked for",
            hint="leave out one of the two",
        )


def _seeds(request: Request) -> tuple[int, ...]:
    return tuple(request.seed + i for i in range(request.repeats))


def _runs(study: Study, request: Request) -> int:
    """How often a study is run: once a seed where it trains, or measures what was trained."""
    return request.repeats if study.seeded or study.takes_weights else 1


def settled_options(plan: Plan) -> Mapping[str, Mapping[str, Any]]:
    """The options of each study of a plan, as it was cut to the budget."""
    return {cell.study: dict(cell.options) for cell in plan.cells}


def _choose(request: Request, work: Work, kept: Mapping[str, Mapping[str, Any]]) -> tuple[_Chosen, ...]:
    """The studies in order, with options that fit the budget: what others need first, then the cheap ones."""
    studies = chosen_studies(request.studies)
    _refuse_unknown("options", request.options, [s.name for s in studies])
    _refuse_unknown("margins", request.margins, [f"{s.name}.{q.metric}" for s in studies for q in s.questions])
    asked = {s.name: _over(kept.get(s.name, {}), request.options.get(s.name, {}), s.options) for s in studies}
    chosen = [_with_cost(s, _options(s, asked[s.name]), work) for s in studies]
    if request.budget is not None:
        chosen = _fit(chosen, work, request, kept)
    return tuple(sorted(chosen, key=lambda c: (c.study.takes_weights, c.cost.seconds)))


def _engines_last(chosen: Sequence[_Chosen], contenders: Sequence[ContenderCard]) -> tuple[_Chosen, ...]:
    """Where "auto" chooses an engine for a network that is trained in this run, what does without its weights comes
    last: so the engine is chosen on the weights that are judged, and not on random ones."""
    providers = any(c.study.weights for c in chosen)
    if not providers or not any(card.untrained and card.engine == AUTO for card in contenders):
        return tuple(chosen)
    return tuple(sorted(chosen, key=lambda c: not (c.study.weights or c.study.takes_weights)))


def _over(kept: Mapping[str, Any], named: Mapping[str, Any], options: type[Options]) -> Mapping[str, Any]:
    """What the user named, over what the run settled on before; another recipe starts afresh."""
    anew = any(name in named and named[name] != kept.get(name) for name in options.leading)
    return {**({} if anew else kept), **named}


def _with_cost(study: Study, options: Options, work: Work, cuts: tuple[str, ...] = ()) -> _Chosen:
    return _Chosen(study, options, study.cost(options, work), cuts)


def _options(study: Study, values: Mapping[str, Any]) -> Options:
    try:
        return study.options.model_validate(values)
    except ValidationError as error:
        wrong = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else ""
        hint = nearest(wrong, study.options.model_fields) if wrong not in study.options.model_fields else ""
        raise OptionError(f"study {study.name}: {describe(error)}", hint=hint) from None


def _refuse_unknown(what: str, given: Iterable[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"known here: {', '.join(known)}"
            raise OptionError(f"{what} for {name!r}, which is not part of this comparison", hint=hint)


def _fit(chosen: list[_Chosen], work: Work, request: Request, kept: Collection[str]) -> list[_Chosen]:
    """Share the budget: what needs less than its share leaves the rest to the others (water-filling)."""
    left = float(request.budget or 0.0)
    runs = {c.study.name: _runs(c.study, request) for c in chosen}
    waiting = sorted(chosen, key=lambda c: c.cost.seconds * runs[c.study.name] / c.study.share)
    waiting.sort(key=lambda c: _can_be_cut(c.study, kept))
    done = {}
    while waiting:
        c = waiting.pop(0)
        share = left * c.study.share / (c.study.share + sum(w.study.share for w in waiting))
        seconds = share / runs[c.study.name]
        if _can_be_cut(c.study, kept) and c.cost.seconds > seconds:
            assert c.study.fit is not None
            fit = c.study.fit(c.options, work, seconds)
            c = _with_cost(c.study, fit.options, work, fit.cuts)
        left = max(0.0, left - c.cost.seconds * runs[c.study.name])
        done[c.study.name] = c
    return [done[c.study.name] for c in chosen]


def _can_be_cut(study: Study, kept: Collection[str]) -> bool:
    return study.fit is not None and study.name not in kept


def _as_asked(study: Study, request: Request, chosen: Sequence[Study]) -> tuple[Question, ...]:
    """A study's questions with the margins and the primary question that the user named."""
    known = [f"{s.name}.{q.metric}" for s in chosen for q in s.questions if q.judged]
    if request.primary and request.primary not in known:
        hint = nearest(request.primary, known) or f"known here: {', '.join(known)}"
        raise OptionError(f"there is no question {request.primary!r} to rest the verdict on", hint=hint)
    return tuple(_question(f"{study.name}.{q.metric}", q, request) for q in study.questions)


def _question(name: str, question: Question, request: Request) -> Question:
    role = question.role
    if request.primary:
        role = Role.PRIMARY if name == request.primary else Role.SECONDARY if role is Role.PRIMARY else role
    return replace(question, margin=request.margins.get(name, question.margin), role=role)


def _cells(
    request: Request, work: Work, contenders: Sequence[ContenderCard], device: str, chosen: Sequence[_Chosen]
) -> tuple[Cell, ...]:
    """The cells in the order in which they are run, each naming the cells whose weights it needs."""
    providers = [c.study.name for c in chosen if c.study.weights]
    made: dict[tuple[str, str, int], str] = {}
    cells: list[Cell] = []
    for c in chosen:
        rule = _stopping_rule(request, c.study, len(contenders))
        for group in _groups(c.study, contenders, device):
            learners = [card.name for card in group if card.untrained and c.study.takes_weights]
            lacking = learners and not providers and Need.TRAINED_WEIGHTS in c.study.needs
            blocked = _without_engine(group, device) or _blocked(c.study, group, work.data, lacking)
            for seed in _seeds(request) if c.study.seeded or learners else (request.seed,):
                after = tuple(made[p, name, seed] for p in providers for name in learners)
                cell = _cell(c, group, work, seed, device, after, rule)
                cells.append(replace(cell, blocked=blocked))
                made |= {(c.study.name, card.name, seed): cell.key for card in group}
    return tuple(cells)


def _groups(study: Study, contenders: Sequence[ContenderCard], device: str) -> list[tuple[ContenderCard, ...]]:
    """The contenders of each cell. Who are measured against each other share one; whose engine is missing here has one
    by itself, so that the others go on."""
    if not study.together:
        return [(card,) for card in contenders]
    out = [card for card in contenders if missing_here(card.engine, device)]
    able = tuple(card for card in contenders if card not in out)
    return [*([able] if able else []), *((card,) for card in out)]


def _without_engine(group: Sequence[ContenderCard], device: str) -> str:
    """Why contenders cannot run here, as far as their engines are concerned."""
    for card in group:
        if why := missing_here(card.engine, device):
            return _lacking(card, why)
    return ""


def _lacking(card: ContenderCard, why: str = "") -> str:
    return noted("the engine {engine} cannot run here: {why}", engine=card.engine, why=why)


def _stopping_rule(request: Request, study: Study, contenders: int) -> tuple[Any, ...]:
    """What decides when a study stops, as far as it may: with another rule other units are read."""
    if not (request.stop_when_decided and study.sequential):
        return ()
    margins = {q.metric: request.margins.get(f"{study.name}.{q.metric}", q.margin) for q in study.questions}
    rule = (request.stop_about, request.stop_prior, request.level, request.primary, bool(request.baseline))
    return (*rule, contenders, margins)


def _cell(
    c: _Chosen,
    group: Sequence[ContenderCard],
    work: Work,
    seed: int,
    device: str,
    after: tuple[str, ...],
    rule: tuple[Any, ...],
) -> Cell:
    """A cell whose key covers everything that determines its result."""
    options = c.options.model_dump(mode="json")
    digests = [card.digest for card in group]
    called = [card.name for card in group if card.name != card.spec]  # observations are stored under it
    rule = (*rule, called) if called else rule
    key = digest(c.study.name, c.study.version, digests, work.data.digest, options, seed, device, after, *rule)
    alone = Work(work.data, {card.name: work.rates[card.name] for card in group})
    return Cell(
        study=c.study.name,
        version=c.study.version,
        contenders=tuple(card.name for card in group),
        seed=seed,
        options=options,
        key=f"{c.study.name}-{key[:24]}",
        after=after,
        seconds=c.study.cost(c.options, alone).seconds,
    )


def _blocked(study: Study, group: Sequence[ContenderCard], data: DataCard, untrained: object) -> str:
    """Why a cell can be known not to run; empty when nothing stands in its way."""
    if untrained:
        return noted("{contender} has random weights and no study of this run trains it", contender=group[0].name)
    for need, split in ((Need.TRAIN_SPLIT, "train"), (Need.LABELLED_IMAGES, TEST)):
        if need in study.needs and not data.splits.get(split):
            return noted("{data} has no {split} split", data=data.name, split=split)
    for need, held in ((Need.BOXES, data.frames), (Need.SEQUENCES, data.sequences)):
        if need in study.needs and not held.get(TEST):
            return noted("{data} has no {what}", data=data.name, what=need)
    return next((reason for card in group if (reason := _unfit(study, card, data))), "")


def _unfit(study: Study, card: ContenderCard, data: DataCard) -> str:
    """Why a study has nothing to ask of a contender."""
    of = {"contender": card.name}
    if card.source == "results" and not (study.tracks if card.head == "tracks" else study.detections):
        return noted("{contender} is a file of results: there is no network to ask", **of)
    if card.head == "boxes" and not study.detections:
        return noted("{contender} is a detector: it answers with boxes, not with classes", **of)
    if Need.LABELLED_IMAGES in study.needs and not card.answers:
        return noted("the outputs of {contender} do not stand for the classes of {data}", **of, data=data.name)
    if Need.SCRATCH_WEIGHTS in study.needs and not card.untrained:
        weights = card.weights
        return noted("{contender} comes with weights ({weights}); only @scratch is trained here", **of, weights=weights)
    if Need.TORCH_MODULE in study.needs and card.source == "onnx":
        return noted("{contender} is an ONNX graph, not a torch module", **of)
    return ""
