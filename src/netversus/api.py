"""The whole way: declare -> plan -> execute -> analyse -> report. What `import netversus as nv` offers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from netversus.analyse import analyse
from netversus.errors import OptionError, UsageError
from netversus.execute.executor import Placement, placement
from netversus.files import LocalFiles
from netversus.lab.contenders.availability import ensure_available
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.rates import nominal_rates
from netversus.lab.training.recipe import Recipe
from netversus.messages import noted, speaking
from netversus.plan import Plan, make_plan, settled_options, with_engines_of_now
from netversus.provenance import this_session
from netversus.records import ContenderCard, Done, Failed, Finding, Rates
from netversus.report import build_view, files, write
from netversus.request import Request, make_request
from netversus.store import RunStore, new_run_path
from netversus.studies import chosen_studies
from netversus.study import Need

if TYPE_CHECKING:
    from netversus.execute.listener import Listener
    from netversus.lab.data.dataset import Dataset

RUNS = Path("runs")
REPORT = "report.html"
HERE = Placement()


@dataclass(frozen=True)
class Run:
    """A run folder and what follows from it. Loads no torch."""

    store: RunStore

    @property
    def path(self) -> Path:
        """The run folder.

        Raises:
            RunFolderError: the run lies in an object store; `place` is its address.
        """
        return self.store.path

    @property
    def place(self) -> str:
        """Where the run lies: a path, or an address of an object store."""
        return self.store.place

    @cached_property
    def plan(self) -> Plan:
        """The plan in force."""
        return self.store.plan()

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the stored observations say, derived anew."""
        return analyse(self.store)

    @property
    def complete(self) -> bool:
        """Whether every cell that could run is done."""
        return all(isinstance(o, Done) or (o is not None and not isinstance(o, Failed)) for o in self._outcomes())

    def _outcomes(self) -> Iterable[Any]:
        return (self.store.outcome(cell) for cell in self.plan.cells)

    def table(self, lang: str = "en") -> str:
        """The verdicts as a Markdown table: a row a question; in English or Chinese ("en", "zh")."""
        from netversus.report.markdown import findings_table

        with speaking(lang):
            return findings_table(build_view(self.store, self.findings))

    def report(self, path: str | Path | None = None, lang: str = "en") -> Path | str:
        """Write the report in English or Chinese ("en", "zh"); the suffix chooses HTML (default), Markdown, JSON or
        CSV. Returns where it lies: by default with the run, as report.html, or report.zh.html.

        Raises:
            OptionError: the suffix names no format, or there is no such language.
            RunFolderError: the file cannot be written.
        """
        with speaking(lang):
            view = build_view(self.store, self.findings)
            if path is not None:
                write(view, Path(path))
                return Path(path)
            name = REPORT if lang == "en" else f"report.{lang}.html"
            for file, content in files(view, name).items():  # the pictures of a large page before the page
                self.store.write(file, content)
        return self.path / name if isinstance(self.store.files, LocalFiles) else f"{self.place}/{name}"


def open_run(path: str | Path) -> Run:
    """Open a run folder.

    Raises:
        RunFolderError: it is none.
    """
    return Run(RunStore.open(path))


def compare(
    *contenders: str,
    data: str = "digits",
    studies: Sequence[str] = (),
    seed: int = 0,
    out: str | Path | None = None,
    on: str = "",
    workers: int = 0,
    listener: Listener | None = None,
    **settings: Any,
) -> Run:
    """Compare contenders on data, and return the finished run.

    `settings` are those of `netversus.request.Request`: repeats, budget, level, device, strict, options, margins.
    `out` names the run folder or an object store's address; an existing run is continued, and what it holds is not
    measured again. `workers` and `on` say where the work is done: `netversus.execute.executor.placement`.

    Raises:
        UsageError: one line saying what was expected, what came and what to do.
        ClusterError: the cluster cannot be reached, or went away.
    """
    values = {"data": data, "studies": tuple(studies), "seed": seed, **settings}
    if contenders:
        values["contenders"] = contenders
    return start(make_request(values), out=out, place=placement(on, workers), listener=listener)


@dataclass(frozen=True)
class Prepared:
    """A request whose contenders and data were found, before anything is loaded or run."""

    request: Request
    cards: tuple[ContenderCard, ...]
    data: Dataset

    def nominal_plan(self) -> Plan:
        """The plan with rates that were not measured here. Loads no torch."""
        rates = nominal_rates(self.cards)
        return make_plan(self.request, self.cards, self.data.card, rates, self.request.device)


def prepare(request: Request) -> Prepared:
    """Find the contenders and the data. Loads no torch.

    Raises:
        UsageError: something that was asked for does not exist.
    """
    chosen_studies(request.studies)
    data = open_data(request.data, seed=request.seed, strict=request.strict)
    _refuse_unknown_benchmark(request, data)
    cards = tuple(resolve(text, data.card, request.engine) for text in request.contenders)
    names = [card.name for card in cards]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(f"{', '.join(twice)} was named twice", hint="a contender is compared with others, not itself")
    return Prepared(request, cards, data)


def _refuse_unknown_benchmark(request: Request, data: Dataset) -> None:
    """A verdict about exactly a benchmark needs to know how many images it has; unreadable ones are none."""
    about = request.stop_when_decided and request.stop_about == "benchmark"
    if about and any(not images.checked for images in data.splits.values()):
        raise OptionError(
            f"{data.card.name} was not decoded on opening, so that nobody knows how many of its images can be read, "
            "and no verdict about exactly this benchmark can be reached early",
            hint="leave stop-about out, or open the data with check=full",
        )


def start(
    request: Request, *, out: str | Path | None, place: Placement = HERE, listener: Listener | None = None
) -> Run:
    """Plan and run a request in a new run folder, or in an existing one, whose observations are used again."""
    prepared = prepare(request)
    prepared.nominal_plan()  # wrong options and margins are refused before anything slow happens
    ensure_available(prepared.cards)
    store = RunStore.create(out or new_run_path(RUNS, "-vs-".join(request.contenders[:3])))
    with store.locked():
        return _measure(prepared, store, None, place, listener)


def resume(path: str | Path, *, place: Placement = HERE, listener: Listener | None = None) -> Run:
    """Go on with a run where it was interrupted, with the plan that it has.

    Raises:
        RunFolderError: it is no run folder, or another process works on it.
        UsageError: the data or a contender are no longer what was planned.
    """
    store = RunStore.open(path)
    with store.locked():
        plan = store.plan()
        prepared = prepare(plan.request)
        _refuse_changes(plan, prepared)
        ensure_available(prepared.cards)
        return _measure(prepared, store, with_engines_of_now(plan), place, listener)


def _refuse_changes(plan: Plan, now: Prepared) -> None:
    if now.data.card.digest != plan.data.digest:
        raise UsageError(
            f"the data {plan.data.spec} changed since the run was planned",
            hint="compare anew, with --out naming a new folder",
        )
    for before, card in zip(plan.contenders, now.cards, strict=True):
        if before.digest != card.digest:
            raise UsageError(
                f"{card.name} changed since the run was planned (its file, or the library's version)",
                hint="compare anew, with --out naming a new folder",
            )


def _measure(
    prepared: Prepared, store: RunStore, plan: Plan | None, place: Placement, listener: Listener | None
) -> Run:
    """Everything that needs torch."""
    from netversus.execute.inprocess import execute
    from netversus.execute.listener import Silent
    from netversus.lab.devices import describe_device, make_deterministic, resolve_device

    listener = listener or Silent()
    listener.opened(store.place)
    device = resolve_device(prepared.request.device if plan is None else plan.device)
    make_deterministic()
    if plan is None:
        plan = _calibrated_plan(prepared, str(device), store, listener)
    store.add_plan(plan)
    store.add_session(this_session(_command(), describe_device(device)))
    _add_units(store, prepared.data)
    listener.planned(plan)
    if place == HERE:
        execute(plan, store, prepared.data, device, listener)
    else:
        from netversus.execute.cluster import execute_on

        execute_on(place, plan, store, listener)
    run = Run(store)
    store.write_findings(run.findings)
    return run


def _command() -> list[str]:
    """How this process was started."""
    name = Path(sys.argv[0]).name
    return ["netversus" if name == "__main__.py" else name, *map(shlex.quote, sys.argv[1:])]


def _calibrated_plan(prepared: Prepared, device: str, store: RunStore, listener: Listener) -> Plan:
    """The plan with rates measured here where a budget needs them, and with what the run settled on before."""
    import time

    from netversus.lab.calibration import calibrate
    from netversus.lab.devices import resolve_device

    request = prepared.request
    kept = settled_options(store.plan()) if store.plans() else {}
    rates: Mapping[str, Rates] = nominal_rates(prepared.cards)
    if request.budget is not None:
        listener.noted(noted("calibrating: a few steps of each contender, to see what fits the budget"))
        begin = time.monotonic()
        train = any(Need.SCRATCH_WEIGHTS in study.needs for study in chosen_studies(request.studies))
        classes = len(prepared.data.card.classes)
        recipe = _recipe(request, kept)
        rates = calibrate(prepared.cards, classes, resolve_device(device), train=train, recipe=recipe)
        request = replace_budget(request, time.monotonic() - begin)
    plan = make_plan(request, prepared.cards, prepared.data.card, rates, device, kept)
    return replace(plan, request=prepared.request)


def _recipe(request: Request, kept: Mapping[str, Mapping[str, Any]]) -> Recipe | None:
    """The recipe under which this run trains its contenders, or None where none does, or its options are wrong: the
    plan says so in its own words."""
    for study in chosen_studies(request.studies):
        if issubclass(study.options, Recipe):
            with suppress(ValidationError, OptionError):
                return study.options.model_validate({**kept.get(study.name, {}), **request.options.get(study.name, {})})
    return None


def replace_budget(request: Request, spent: float) -> Request:
    """The request with what the calibration spent taken off its budget; a tenth of it stays at least."""
    assert request.budget is not None
    return request.model_copy(update={"budget": max(0.1 * request.budget, request.budget - spent)})


def _add_units(store: RunStore, data: Dataset) -> None:
    for name, images in data.splits.items():
        columns = {"label": images.labels.tolist(), **{k: list(v) for k, v in images.factors.items()}}
        store.add_units(name, images.ids, columns)


__all__ = ["Prepared", "Run", "compare", "open_run", "prepare", "resume", "start"]
