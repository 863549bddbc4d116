"""What every study must keep, whoever wrote it: run against each study here, and against CONTRIBUTING's example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from netversus.evidence import StudyEvidence
from netversus.execute import inprocess
from netversus.execute.inprocess import execute
from netversus.execute.listener import Silent
from netversus.execute.passes import Pass
from netversus.exhibits import Chart, Diagram, Gallery, Heatmap, Table, Text
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.lab.rates import nominal_rates
from netversus.plan import make_plan
from netversus.records import Done, Progress, Rates, Scale
from netversus.request import make_request
from netversus.statistics.order import recorded_shuffle
from netversus.store import RunStore
from netversus.studies import get_study
from netversus.study import Need, Study, Work

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"
SCENES = "scenes?size=16&train=48&test=32&frame_size=64&frames=8&test_frames=6&sequences=1&test_sequences=3&length=4"
Seen = Mapping[tuple[str, str], tuple[tuple[str, ...], list[float]]]


def data_for(study: Study) -> Dataset:
    """The least that the study can be asked of: digits, or scenes where it needs boxes or tracks."""
    return open_data(SCENES if study.needs & {Need.BOXES, Need.SEQUENCES} else "digits")


class Trial:
    """One study, cut to the least that its `fit` allows, with the training that it needs."""

    def __init__(self, path: Path, name: str, contenders: tuple[str, ...] = (NARROW, WIDE)) -> None:
        self.study = get_study(name)
        self.data = data_for(self.study)
        names = ("training", name) if Need.TRAINED_WEIGHTS in self.study.needs else (name,)
        request = make_request({"contenders": (NARROW, WIDE), "studies": names, "budget": 1e-3})
        cards = [resolve(each, self.data.card) for each in contenders]
        self.plan = make_plan(request, cards, self.data.card, nominal_rates(cards), "cpu")
        self.store = RunStore.create(path)
        self.store.add_plan(self.plan)

    def run(self, listener: Silent | None = None) -> None:
        execute(self.plan, self.store, self.data, torch.device("cpu"), listener or Silent())

    def outcomes(self) -> list[object]:
        return [self.store.outcome(cell) for cell in self.plan.cells]

    def seen(self) -> Seen:
        """Observations by contender and metric. What a clock made differs from run to run: of that the units are
        seen, and a value only where it is no number."""
        timed = {q.metric for q in self.study.questions if q.scale is Scale.RATIO}
        clocked = Need.QUIET_MACHINE in self.study.needs
        return {
            pair: (
                tuple(s.units),
                np.where(np.isfinite(s.values) & (clocked or pair[1] in timed), 0, s.values).tolist(),
            )
            for cell in self.plan.cells
            if cell.study == self.study.name
            for pair, s in self.store.cell(cell).observations().items()
        }

    def metrics(self, contender: str) -> set[str]:
        cells = [c for c in self.plan.cells if c.study == self.study.name and contender in c.contenders]
        return {m for cell in cells for (who, m) in self.store.cell(cell).observations() if who == contender}


def options_are_declared_whole(study: Study) -> None:
    study.options()  # every option has a default
    assert study.options.model_config.get("frozen")
    for name, field in study.options.model_fields.items():
        assert field.description, f"{study.name}.{name} needs a description"


def questions_are_whole(study: Study) -> None:
    names = [question.metric for question in study.questions]
    assert len(set(names)) == len(names)
    for question in study.questions:
        assert question.asks.endswith("?")
        assert question.margin > 0 or question.scale is Scale.FACT or question.direction == "neither"
        assert bool(question.estimator) == bool(question.inputs)
        assert bool(question.estimator) or question.scale is not Scale.AGGREGATE
        assert not question.estimator or question.scale in (Scale.AGGREGATE, Scale.RATIO)


def cost_is_pure_and_grows_with_the_rates(study: Study) -> None:
    data = data_for(study).card
    slow, fast = (Work(data, {"a": Rates(t, 3 * t, 10**6, True), "b": Rates(t, 3 * t, 10**6, True)}) for t in (1, 0.1))
    options = study.options()
    assert study.cost(options, slow) == study.cost(options, slow)
    assert study.cost(options, slow).seconds >= study.cost(options, fast).seconds > 0
    assert all(getattr(study.cost(options, slow), f.name) >= 0 for f in fields(study.cost(options, slow)))


def a_budget_shortens_and_says_so(study: Study) -> None:
    if study.fit is None:
        return
    work = Work(data_for(study).card, {"a": Rates(0.5, 1.5, 10**6, True), "b": Rates(0.7, 2.1, 10**6, True)})
    whole = study.cost(study.options(), work).seconds
    fit = study.fit(study.options(), work, whole / 3)
    assert study.cost(fit.options, work).seconds < whole
    assert fit.cuts
    assert all(study.name in cut for cut in fit.cuts)
    assert study.fit(study.options(), work, 2 * whole).cuts == ()


def observes_every_metric_of_every_contender(study: Study, folder: Path) -> None:
    trial = Trial(folder / "run", study.name)
    steps: list[Progress] = []

    class Watching(Silent):
        def progressed(self, work: Pass, progress: Progress) -> None:
            if work.study == study.name:
                steps.append(progress)

    trial.run(Watching())
    assert all(isinstance(outcome, Done) for outcome in trial.outcomes()), trial.outcomes()
    for question in (each for each in study.questions if each.metric not in study.sometimes):
        wanted = set(question.inputs) or {question.metric}
        for contender in (NARROW, WIDE):
            assert wanted <= trial.metrics(contender), (question.metric, contender)
    assert steps
    assert all(0 <= step.done <= step.total for step in steps)
    for units, values in trial.seen().values():
        assert len(set(units)) == len(units)
        assert np.isfinite(values).all()


def does_not_depend_on_who_else_is_measured(study: Study, folder: Path) -> None:
    if study.together:
        return
    both, alone = Trial(folder / "both", study.name), Trial(folder / "alone", study.name, (WIDE,))
    both.run()
    alone.run()
    assert {pair: s for pair, s in both.seen().items() if pair[0] == WIDE} == alone.seen()


def resumes_to_the_same_end(study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = Trial(folder / "whole", study.name), Trial(folder / "broken", study.name)
    whole.run()
    take, taken = inprocess._take, 0

    def interrupted(runner, work, sink, emission) -> None:
        nonlocal taken
        take(runner, work, sink, emission)
        if work.study == study.name:
            taken += 1
            if taken in (1, 4, 9, 16, 25):
                raise KeyboardInterrupt

    monkeypatch.setattr(inprocess, "_take", interrupted)
    for _ in range(6):
        try:
            broken.run()
            break
        except KeyboardInterrupt:
            continue
    assert taken > 0
    assert all(isinstance(outcome, Done) for outcome in broken.outcomes())
    assert _sorted(broken.seen()) == _sorted(whole.seen())


def _sorted(seen: Seen) -> dict[tuple[str, str], list[tuple[str, float]]]:
    return {pair: sorted(zip(units, values, strict=True)) for pair, (units, values) in seen.items()}


def reads_in_the_recorded_shuffle(study: Study, folder: Path) -> None:
    if study.sequential is None:
        return
    options = study.options().model_dump()
    assert {study.sequential.look, study.sequential.seed, study.sequential.most} <= set(options)
    trial = Trial(folder / "run", study.name)
    trial.run()
    ids = trial.data.split("test").ids
    order = [ids[i] for i in recorded_shuffle(len(ids), options[study.sequential.seed])]
    judged = {metric for question in study.questions for metric in question.inputs or (question.metric,)}
    for (_, metric), (units, _) in trial.seen().items():
        assert metric not in judged or list(units) == order[: len(units)]


def shows_what_it_has_and_copes_with_nothing(study: Study, folder: Path) -> None:
    exhibit = study.load_exhibit()
    if exhibit is None:
        return
    trial = Trial(folder / "run", study.name)
    assert isinstance(list(exhibit(StudyEvidence(trial.store, trial.plan, study.name))), list)
    trial.run()
    shown = list(exhibit(StudyEvidence(trial.store, trial.plan, study.name)))
    assert shown
    assert all(isinstance(each, Text | Table | Chart | Heatmap | Diagram | Gallery) for each in shown)
    for table in (each for each in shown if isinstance(each, Table)):
        assert all(len(row) == len(table.columns) for row in table.rows)
    for gallery in (each for each in shown if isinstance(each, Gallery)):
        assert gallery.pictures
        assert all(picture.alt for picture in gallery.pictures)
    for chart in (each for each in shown if isinstance(each, Chart)):
        assert chart.description
        assert all(len(series.x) == len(series.y) for series in chart.series)
