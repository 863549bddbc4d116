"""Request -> ordered cells with their estimated cost. Pure: the same inputs give the same plan; loads no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from netversus.errors import OptionError, nearest
from netversus.quantities import duration
from netversus.records import Cell, ContenderCard, DataCard, Question, Rates, digest
from netversus.request import Request, describe
from netversus.studies import chosen_studies
from netversus.study import Cost, Need, Options, Study, Work


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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A study with its options, validated and cut to the budget."""

    study: Study
    options: Options
    cost: Cost
    cuts: tuple[str, ...] = ()


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
        OptionError: a study, an option or a margin that does not exist.
    """
    work = Work(data, rates)
    chosen = _choose(request, work, kept)
    cells = _cells(request, work, contenders, device, chosen)
    seconds = sum(cell.seconds or 0.0 for cell in cells)
    cuts = [cut for c in chosen for cut in c.cuts]
    if request.budget is not None and seconds > 1.01 * request.budget:
        cuts.append(f"the shortest useful plan takes {duration(seconds)}, the budget is {duration(request.budget)}")
    return Plan(
        request=request,
        contenders=tuple(contenders),
        data=data,
        device=device,
        rates=dict(rates),
        asks={c.study.name: c.study.question for c in chosen},
        questions={c.study.name: _with_margins(c.study, request.margins) for c in chosen},
        cells=cells,
        cost=Cost(
            seconds=seconds,
            memory=max((c.cost.memory for c in chosen), default=0),
            disk=sum(c.cost.disk * _runs(c.study, request) for c in chosen),
        ),
        cuts=tuple(cuts),
    )


def _seeds(request: Request) -> tuple[int, ...]:
    return tuple(request.seed + i for i in range(request.repeats))


def _runs(study: Study, request: Request) -> int:
    """How often a study is run: once a seed where it trains, or measures what was trained."""
    return request.repeats if study.seeded or Need.TRAINED_WEIGHTS in study.needs else 1


def settled_options(plan: Plan) -> Mapping[str, Mapping[str, Any]]:
    """The options of each study of a plan, as it was cut to the budget."""
    return {cell.study: dict(cell.options) for cell in plan.cells}


def _choose(request: Request, work: Work, kept: Mapping[str, Mapping[str, Any]]) -> tuple[_Chosen, ...]:
    """The studies in order, with options that fit the budget: what others need first, then the cheap ones."""
    studies = chosen_studies(request.studies)
    _refuse_unknown("options", request.options, [s.name for s in studies])
    _refuse_unknown("margins", request.margins, [f"{s.name}.{q.metric}" for s in studies for q in s.questions])
    asked = {s.name: {**kept.get(s.name, {}), **request.options.get(s.name, {})} for s in studies}
    chosen = [_with_cost(s, _options(s, asked[s.name]), work) for s in studies]
    if request.budget is not None:
        chosen = _fit(chosen, work, request, kept)
    return tuple(sorted(chosen, key=lambda c: (Need.TRAINED_WEIGHTS in c.study.needs, c.cost.seconds)))


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


def _with_margins(study: Study, margins: Mapping[str, float]) -> tuple[Question, ...]:
    return tuple(replace(q, margin=margins.get(f"{study.name}.{q.metric}", q.margin)) for q in study.questions)


def _cells(
    request: Request, work: Work, contenders: Sequence[ContenderCard], device: str, chosen: Sequence[_Chosen]
) -> tuple[Cell, ...]:
    """The cells in the order in which they are run, each naming the cells whose weights it needs."""
    providers = [c.study.name for c in chosen if c.study.weights]
    made: dict[tuple[str, str, int], str] = {}
    cells: list[Cell] = []
    for c in chosen:
        for group in [tuple(contenders)] if c.study.together else [(card,) for card in contenders]:
            learners = [card.name for card in group if card.untrained and Need.TRAINED_WEIGHTS in c.study.needs]
            blocked = _blocked(c.study, group, work.data, learners and not providers)
            for seed in _seeds(request) if c.study.seeded or learners else (request.seed,):
                after = tuple(made[p, name, seed] for p in providers for name in learners)
                cell = _cell(c, group, work, seed, device, after)
                cells.append(replace(cell, blocked=blocked))
                made |= {(c.study.name, card.name, seed): cell.key for card in group}
    return tuple(cells)


def _cell(
    c: _Chosen, group: Sequence[ContenderCard], work: Work, seed: int, device: str, after: tuple[str, ...]
) -> Cell:
    """A cell whose key covers everything that determines its result."""
    options = c.options.model_dump(mode="json")
    digests = [card.digest for card in group]
    key = digest(c.study.name, c.study.version, digests, work.data.digest, options, seed, device, after)
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
        return f"{group[0].name} has random weights and no study of this run trains it"
    for need, split in ((Need.TRAIN_SPLIT, "train"), (Need.LABELLED_IMAGES, "test")):
        if need in study.needs and not data.splits.get(split):
            return f"{data.name} has no {split} split"
    return next((reason for card in group if (reason := _unfit(study, card, data))), "")


def _unfit(study: Study, card: ContenderCard, data: DataCard) -> str:
    """Why a study has nothing to ask of a contender."""
    if Need.LABELLED_IMAGES in study.needs and not card.answers:
        return f"the outputs of {card.name} do not stand for the classes of {data.name}"
    if Need.SCRATCH_WEIGHTS in study.needs and not card.untrained:
        return f"{card.name} comes with weights ({card.weights}); only @scratch is trained here"
    if Need.TORCH_MODULE in study.needs and card.source == "onnx":
        return f"{card.name} is an ONNX graph, not a torch module"
    return ""
