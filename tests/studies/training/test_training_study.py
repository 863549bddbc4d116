"""The training study: what is equal, what is held out, what is kept, and what happens when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from netversus.evidence import StudyEvidence
from netversus.execute.inprocess import execute
from netversus.execute.listener import Silent
from netversus.exhibits import Chart, Table, Text
from netversus.lab.bench import Bench
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.lab.rates import nominal_rates
from netversus.lab.timing.energy import Meter
from netversus.lab.training.judge import answers
from netversus.plan import make_plan
from netversus.records import DataCard, Done, Failed, Rates
from netversus.request import make_request
from netversus.store import RunStore
from netversus.studies.training import STUDY, WEIGHTS, TrainingOptions, budget, measure, total_samples
from netversus.studies.training.budget import operations, steps_for
from netversus.studies.training.exhibit import exhibit
from netversus.studies.training.views import views, with_noise
from netversus.study import Work

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"
CPU = torch.device("cpu")
QUICK = {"samples": 320, "batch": 16, "rounds": 4, "curve_images": 40}


class Trial:
    """The study of two tiny networks on digits."""

    def __init__(
        self, path: Path, options: dict[str, Any], contenders: tuple[str, ...] = (NARROW, WIDE), repeats: int = 1
    ):
        self.data = open_data("digits")
        self.cards = [resolve(each, self.data.card) for each in contenders]
        request = make_request(
            {
                "contenders": (NARROW, WIDE),
                "studies": ("training",),
                "options": {"training": options},
                "repeats": repeats,
            }
        )
        self.plan = make_plan(request, self.cards, self.data.card, nominal_rates(self.cards), "cpu")
        self.store = RunStore.create(path)
        self.store.add_plan(self.plan)

    def run(self) -> None:
        execute(self.plan, self.store, self.data, CPU, Silent())

    def evidence(self) -> StudyEvidence:
        return StudyEvidence(self.store, self.plan, "training")

    def values(self, contender: str, metric: str) -> dict[str, float]:
        sample = self.evidence().series(contender, metric)
        return {} if sample is None else dict(zip(sample.units, sample.values.tolist(), strict=True))


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    def make(data: Dataset | None = None, **options: Any) -> Bench:
        data = data or open_data("digits")
        return Bench(
            contenders=[resolve(each, data.card) for each in (NARROW, WIDE)],
            data=data,
            options=TrainingOptions.model_validate(QUICK | options),
            seed=0,
            device=CPU,
            stored=lambda *_: (),
            scratch=lambda _: tmp_path,
            flush=lambda: None,
        )

    return make


def shown(bench: Bench):
    return views(bench, bench.contenders[0].preprocessing)


def test_equal_samples_are_the_same_steps_for_all(bench):
    made = bench()
    assert {steps_for(made, card, shown(made).train) for card in made.contenders} == {20}


def test_the_operations_of_training_are_those_that_one_can_count(bench):
    """narrow: a 3x3 convolution 3 -> 4 from 32 to 16 px, one 4 -> 8 from 16 to 8 px, 8 -> 10. The backward pass costs
    twice the forward one, except that nobody needs the gradient of the images."""
    made = bench()
    first, second, last = 2 * 9 * 3 * 4 * 16 * 16, 2 * 9 * 4 * 8 * 8 * 8, 2 * 8 * 10
    assert operations(made, made.contenders[0]) == 2 * first + 3 * second + 3 * last


def test_equal_operations_give_the_cheaper_network_more_steps(bench):
    made = bench(equal="flops", teraflops=1e-4)
    narrow, wide = (steps_for(made, card, shown(made).train) for card in made.contenders)
    assert narrow > 2 * wide > 0
    for card, steps in zip(made.contenders, (narrow, wide), strict=True):
        assert steps * 16 * operations(made, card) == pytest.approx(1e8, rel=0.2)
    assert operations(bench(sharpness=0.1), made.contenders[0]) == 2 * operations(made, made.contenders[0])


def test_equal_time_is_turned_into_steps_once(bench):
    made = bench(equal="time", seconds=1.0)
    card, train = made.contenders[0], shown(made).train
    steps = steps_for(made, card, train)
    assert steps >= 4
    assert steps_for(made, card, train) == steps  # a resumed cell does not time again


@pytest.mark.parametrize(("step_seconds", "steps"), [(0.01, 100), (0.025, 40), (9.0, 4)])
def test_equal_time_gives_as_many_steps_as_fit_and_one_a_round(
    bench, monkeypatch: pytest.MonkeyPatch, step_seconds: float, steps: int
):
    made = bench(equal="time", seconds=1.0)
    monkeypatch.setattr(budget, "_step_seconds", lambda *_: step_seconds)
    assert steps_for(made, made.contenders[0], shown(made).train) == steps


@pytest.mark.parametrize("equal", ["samples", "time", "flops"])
def test_whatever_is_equal_a_budget_cuts_it_and_says_so(equal: str, data_card: DataCard):
    work = Work(data_card, {"a": Rates(0.01, 0.03, 10**6, True), "b": Rates(0.02, 0.06, 10**6, True)})
    options = TrainingOptions(equal=equal, seconds=1000, teraflops=100)
    whole = STUDY.cost(options, work).seconds
    fit = STUDY.fit(options, work, whole / 3)
    assert STUDY.cost(fit.options, work).seconds <= whole / 3 * 1.01
    assert len(fit.cuts) == 1
    assert STUDY.fit(options, work, 2 * whole).cuts == ()


def test_samples_are_whole_batches():
    options = TrainingOptions(batch=32, epochs=2.5)
    assert total_samples(options, 1000) == 78 * 32
    assert total_samples(options.model_copy(update={"samples": 5}), 1000) == 32


def test_what_is_held_out_comes_from_the_train_split_and_is_not_learned_from(bench):
    made = bench(validation=0.2, fraction=0.5)
    seen = shown(made)
    train_ids, test_ids = set(made.data.split("train").ids), set(made.data.split("test").ids)
    learned, held = set(seen.train.ids), set(seen.validation.ids)
    assert learned | held <= train_ids
    assert not learned & held
    assert not (learned | held) & test_ids
    assert len(learned | held) == pytest.approx(500, abs=10)
    assert len(held) == pytest.approx(100, abs=10)
    counts = np.bincount(seen.validation.labels.numpy(), minlength=10)
    assert counts.min() >= 7  # in proportion to the classes


def test_a_class_of_one_image_is_learned_from_and_not_held_out(bench):
    data = open_data("digits")
    train = data.split("train")
    keep = np.concatenate([np.flatnonzero(train.labels != 3), np.flatnonzero(train.labels == 3)[:1]])

    class Fewer(type(train)):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ids = tuple(train.ids[i] for i in keep)
            self.labels = train.labels[keep]
            self.factors = {}

        def image(self, index: int):
            return train.image(int(keep[index]))

    seen = shown(bench(replace(data, splits={**data.splits, "train": Fewer()}), validation=0.5))
    assert int((seen.train.labels == 3).sum()) == 1
    assert int((seen.validation.labels == 3).sum()) == 0


def test_the_views_are_the_same_for_every_contender_and_follow_the_seed(bench):
    made = bench(validation=0.2, label_noise=0.3)
    one, two = shown(made), shown(made)
    assert one.train.ids == two.train.ids
    assert torch.equal(one.train.labels, two.train.labels)
    made.seed = 1
    assert shown(made).train.ids != one.train.ids


def test_noise_makes_just_that_share_of_the_labels_wrong():
    labels = np.arange(1000) % 10
    noisy, wrong = with_noise(labels, 0.25, 10, seed=0)
    assert len(wrong) == len(set(wrong.tolist())) == 250
    assert set(np.flatnonzero(noisy != labels).tolist()) == set(wrong.tolist())
    assert noisy.min() >= 0
    assert noisy.max() <= 9
    assert (with_noise(labels, 0.0, 10, seed=0)[0] == labels).all()
    assert len(with_noise(labels, 0.5, 1, seed=0)[1]) == 0


def test_early_stopping_keeps_the_round_that_was_best_on_the_images_held_out(tmp_path: Path, bench):
    # A rate at which it jumps about, so that the last round is not always the best.
    options = QUICK | {"validation": 0.3, "learning_rate": 0.2, "schedule": "constant", "rounds": 12, "samples": 1920}
    trial = Trial(tmp_path / "run", options)
    trial.run()
    not_last = 0
    for card in trial.cards:
        curve = list(trial.values(card.name, "curve_validation_top1").values())
        assert len(curve) == 12
        held = shown(bench(**options)).validation
        model = load(card, classes=10, seed=0)
        model.load_state_dict(safetensors.torch.load(trial.evidence().artifact(WEIGHTS, card.name)))
        said = answers(model, held.images, np.arange(len(held.labels)), card.preprocessing, CPU)
        assert (said == held.labels.numpy()).mean() == pytest.approx(max(curve))
        not_last += max(curve) > curve[-1]
    assert not_last >= 1  # else the test could not tell


def test_memorised_labels_are_watched_where_labels_are_made_wrong(tmp_path: Path):
    trial = Trial(tmp_path / "run", QUICK | {"label_noise": 0.4})
    trial.run()
    for card in trial.cards:
        assert all(0 <= value <= 1 for value in trial.values(card.name, "memorised").values())
        assert len(trial.values(card.name, "memorised")) == 4
    assert "Wrong labels that were learned" in {x.title for x in exhibit(trial.evidence()) if isinstance(x, Chart)}


def test_a_training_that_diverges_is_an_outcome_and_the_rounds_before_it_are_kept(tmp_path: Path):
    options = QUICK | {"optimizer": "sgd", "learning_rate": 1e30, "warmup": 0}
    trial = Trial(tmp_path / "run", options)
    trial.run()
    outcomes = [trial.store.outcome(cell) for cell in trial.plan.cells]
    assert all(isinstance(outcome, Failed) for outcome in outcomes)
    assert all("the loss became" in outcome.error for outcome in outcomes if isinstance(outcome, Failed))


def test_a_damaged_checkpoint_of_a_cell_costs_time_and_not_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measure, "CHECKPOINT_SECONDS", 0.0)
    whole, broken = Trial(tmp_path / "whole", QUICK), Trial(tmp_path / "broken", QUICK)
    whole.run()
    finish = measure._finish

    def dies(_learner, _train):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(measure, "_finish", dies)
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    monkeypatch.setattr(measure, "_finish", finish)
    newest = [max(state.glob("*.pt")) for state in (tmp_path / "broken").glob("cells/*/state")]
    assert len(newest) == 2
    newest[0].write_bytes(newest[0].read_bytes()[:1000])
    with pytest.warns(RuntimeWarning, match="is damaged"):
        broken.run()
    assert all(isinstance(broken.store.outcome(cell), Done) for cell in broken.plan.cells)
    for card in whole.cards:
        for metric in ("train_loss", "curve_test_top1", "gradient_norm", "dead_units", "fit_top1"):
            assert broken.values(card.name, metric) == whole.values(card.name, metric), metric
        kept = [trial.evidence().artifact(WEIGHTS, card.name) for trial in (whole, broken)]
        first, second = (safetensors.torch.load(each) for each in kept)
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_report_shows_curves_with_bands_and_what_accuracies_cost(tmp_path: Path):
    trial = Trial(tmp_path / "run", QUICK | {"samples": 8000, "learning_rate": 0.02}, repeats=2)
    trial.run()
    found = list(exhibit(trial.evidence()))
    accuracy = next(x for x in found if isinstance(x, Chart) and x.title.startswith("Top-1"))
    assert {series.name for series in accuracy.series} == {NARROW, WIDE}
    assert all(len(series.low) == len(series.y) == 4 for series in accuracy.series)
    assert {"Change of the loss from step to step, the mean of each round", "Dead units while learning"} <= {
        x.title for x in found if isinstance(x, Chart)
    }
    cost = table(found, "What an accuracy costs")
    for contender, seed, target, reached, images, seconds, *_ in cost.rows:  # joules where this machine tells them
        curve = trial.evidence().series(contender, "curve_test_top1", int(seed))
        first = next((u for u, v in zip(curve.units, curve.values, strict=True) if 100 * v >= target), None)
        assert (reached == "yes") == (first is not None)
        assert images == (float(first.removeprefix("samples-")) if first else 8000)
        assert 0 < seconds < 60
    assert not [x for x in found if isinstance(x, Text)]


def table(found: list[object], title: str) -> Table:
    return next(x for x in found if isinstance(x, Table) and x.title == title)


class Counting:
    """A meter that has spent one more joule whenever it is read."""

    def __init__(self) -> None:
        self.read = 0

    def joules(self) -> float:
        self.read += 1
        return float(self.read)


def test_a_target_is_priced_in_time_and_energy_and_paired_over_the_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    meter = Counting()
    monkeypatch.setattr(measure, "find_meters", lambda _device: (Meter("counting", meter.joules),))
    trial = Trial(tmp_path / "run", QUICK | {"target": 0.05, "samples": 960, "learning_rate": 0.02}, repeats=3)
    trial.run()
    found = list(exhibit(trial.evidence()))
    cost = table(found, "What an accuracy costs")
    assert {row[2] for row in cost.rows} == {5.0}
    assert len(cost.rows) == 6
    for contender, seed, _, reached, images, _, joules in cost.rows:
        assert reached == "yes"
        assert joules == pytest.approx(images / 240)  # a joule a round of 240 images
        assert trial.evidence().series(contender, "train_energy", int(seed)) is not None
    (ratios,) = table(found, "The price of the same accuracy, seed by seed").rows
    names, target, seeds, images, seconds, low, high, joules = ratios
    assert (names, target, seeds) == (f"{WIDE} / {NARROW}", 5.0, 3)
    assert low < seconds < high
    by = {(row[0], row[1]): row for row in cost.rows}
    logs = [np.log(by[WIDE, str(seed)][5] / by[NARROW, str(seed)][5]) for seed in range(3)]
    assert seconds == pytest.approx(float(np.exp(np.mean(logs))))
    assert joules == pytest.approx(images)


def test_a_target_that_is_not_reached_is_said_and_not_compared(tmp_path: Path):
    trial = Trial(tmp_path / "run", QUICK | {"target": 0.99})
    trial.run()
    found = list(exhibit(trial.evidence()))
    cost = table(found, "What an accuracy costs")
    assert {row[3] for row in cost.rows} == {"not reached in the budget"}
    assert {row[4] for row in cost.rows} == {320.0}
    assert not [x for x in found if isinstance(x, Table) and x.title.startswith("The price of the same")]
    (said,) = [x.text for x in found if isinstance(x, Text)]
    assert "99 % test top-1 was not reached" in said
    assert f"{NARROW} (0) and {WIDE} (0)" in said


def test_without_meters_there_is_no_energy_rather_than_none_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measure, "find_meters", lambda _device: ())
    trial = Trial(tmp_path / "run", QUICK | {"target": 0.1})
    trial.run()
    assert trial.values(NARROW, "train_energy") == {}
    assert "joules" not in table(list(exhibit(trial.evidence())), "What an accuracy costs").columns


def test_shares_of_the_data_are_trained_as_long_and_drawn_as_a_curve(tmp_path: Path):
    options = QUICK | {"samples": 960, "fractions": "0.05,0.4"}
    trial, plain = Trial(tmp_path / "run", options), Trial(tmp_path / "plain", QUICK | {"samples": 960})
    trial.run()
    plain.run()
    for card in trial.cards:
        assert set(trial.values(card.name, "fraction_test_top1")) == {"fraction-0.05", "fraction-0.4"}
        timed = trial.values(card.name, "fraction_train_time")
        assert set(timed) == {f"fraction-{share}/round-00{n}" for share in ("0.05", "0.4") for n in (1, 2, 3, 4)}
        assert all(seconds > 0 for seconds in timed.values())
        assert trial.values(card.name, "train_loss") == plain.values(card.name, "train_loss")  # the whole is as it was
    charts = {x.title: x for x in exhibit(trial.evidence()) if isinstance(x, Chart)}
    for series in charts["Top-1 over the data"].series:
        assert series.x == (5.0, 40.0, 100.0)
        assert series.y[-1] == pytest.approx(100 * list(trial.values(series.name, "curve_test_top1").values())[-1])
    powers = table(list(exhibit(trial.evidence())), "With which power error and time change with the data")
    assert [(row[0], row[2], row[3], row[7]) for row in powers.rows] == [
        (name, 5, 100, 1) for name in (NARROW, WIDE)
    ] * 2
    assert {row[5] for row in powers.rows} == {"fewer than three seeds"}
    assert "Generalisation gap over the data" in charts


def test_a_larger_share_holds_the_smaller_one(bench):
    made = bench()
    few, more = (views(made, made.contenders[0].preprocessing, share).train for share in (0.1, 0.5))
    assert set(few.ids) < set(more.ids)
    assert len(few.ids) == pytest.approx(100, abs=5)


def test_shares_cost_a_training_each_and_a_budget_knows_it(data_card: DataCard):
    work = Work(data_card, {"a": Rates(0.0, 0.03, 10**6, True)})
    once, thrice = (STUDY.cost(TrainingOptions(fractions=f), work).seconds for f in ("", "0.1,0.5"))
    assert thrice == pytest.approx(3 * once)
    fit = STUDY.fit(TrainingOptions(fractions="0.1,0.5"), work, thrice / 2)
    assert STUDY.cost(fit.options, work).seconds <= thrice / 2 * 1.01


def test_the_cost_follows_the_recipe_that_was_timed(data_card: DataCard):
    plain = Work(data_card, {"a": Rates(0.0, 0.03, 10**6, True)})
    timed = Work(data_card, {"a": Rates(0.0, 0.03, 10**6, True, recipe_seconds=0.02)})
    options, sharp = TrainingOptions(precision="bfloat16"), TrainingOptions(sharpness=0.05)
    assert STUDY.cost(options, timed).seconds == pytest.approx(STUDY.cost(options, plain).seconds * 2 / 3)
    assert STUDY.cost(sharp, plain).seconds == pytest.approx(2 * STUDY.cost(options, plain).seconds)


def test_equal_time_is_not_asked_of_several_processes():
    with pytest.raises(ValueError, match="equal=time is timed on one process"):
        TrainingOptions(equal="time", processes=2)


def test_a_batch_that_does_not_fit_fails_its_own_cell_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = measure.make_learner

    def greedy(task: Any, model: torch.nn.Module, *rest: Any) -> Any:
        if task.card.name == WIDE:  # 2^50 bytes: PyTorch's own message for a CPU, not one made up here
            model.register_forward_pre_hook(lambda *_: torch.empty(2**50, dtype=torch.uint8) and None)
        return made(task, model, *rest)

    monkeypatch.setattr(measure, "make_learner", greedy)
    trial = Trial(tmp_path / "run", QUICK)
    trial.run()
    by_name = {cell.contenders[0]: trial.store.outcome(cell) for cell in trial.plan.cells}
    assert isinstance(by_name[NARROW], Done)
    assert isinstance(by_name[WIDE], Failed)
    assert by_name[WIDE].error == "a batch of 16 images does not fit in memory (ask for batch=8)"


def test_labels_beyond_the_head_fail_their_own_cell_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    load = Bench.model

    def short(self: Bench, card: Any, *, train: bool = False) -> torch.nn.Module:
        return replace(self, data=replace(self.data, card=replace(self.data.card, classes=tuple("012")))).short(card)

    monkeypatch.setattr(Bench, "short", lambda self, card: load(self, card, train=True), raising=False)
    monkeypatch.setattr(Bench, "model", short)
    trial = Trial(tmp_path / "run", QUICK)
    trial.run()
    outcomes = [trial.store.outcome(cell) for cell in trial.plan.cells]
    assert all(isinstance(outcome, Failed) and "the labels go up to 9" in outcome.error for outcome in outcomes)


def test_classes_without_images_are_told_in_the_report(tmp_path: Path):
    trial = Trial(tmp_path / "run", QUICK | {"fraction": 0.01})
    trial.run()
    said = [x.text for x in exhibit(trial.evidence()) if isinstance(x, Text)]
    assert any("have one image each" in text for text in said)
