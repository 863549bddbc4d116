"""A cell of the study on two processes: what it measures, what its key says, and what a lost peer costs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch

from netversus.errors import CellError
from netversus.execute.inprocess import execute
from netversus.execute.listener import Silent
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.rates import nominal_rates
from netversus.lab.training import peers
from netversus.plan import make_plan
from netversus.records import Done, Failed
from netversus.request import make_request
from netversus.store import RunStore
from netversus.studies.training import WEIGHTS, measure

pytestmark = pytest.mark.kills

NAMES = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
CPU = torch.device("cpu")


class Trial:
    """The study of two tiny networks on digits, on so many processes."""

    def __init__(self, path: Path, processes: int, **options: object) -> None:
        self.data = open_data("digits")
        cards = [resolve(name, self.data.card) for name in NAMES]
        asked = {"samples": 320, "batch": 16, "rounds": 3, "curve_images": 40, "processes": processes, **options}
        request = make_request({"contenders": NAMES, "studies": ("training",), "options": {"training": asked}})
        self.plan = make_plan(request, cards, self.data.card, nominal_rates(cards), "cpu")
        self.store = RunStore.create(path)
        self.store.add_plan(self.plan)

    def run(self) -> list[object]:
        execute(self.plan, self.store, self.data, CPU, Silent())
        return [self.store.outcome(cell) for cell in self.plan.cells]

    def weights(self, number: int) -> dict[str, torch.Tensor]:
        cell = self.plan.cells[number]
        return safetensors.torch.load(self.store.cell(cell).artifact(WEIGHTS, cell.contenders[0]))

    def losses(self) -> list[list[float]]:
        return [
            sample.values.tolist()
            for cell in self.plan.cells
            for (_, metric), sample in self.store.cell(cell).observations().items()
            if metric == "train_loss"
        ]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def on_two(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    trial = Trial(tmp_path_factory.mktemp("two") / "run", 2, fractions="0.3")
    outcomes = trial.run()
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
    return trial


def test_a_cell_is_trained_on_two_processes_and_learns_about_the_same(on_two: Trial, tmp_path: Path):
    """Batch norm sees half of a batch: not the same weights, which is why their number is part of the key."""
    alone = Trial(tmp_path / "run", 1, fractions="0.3")
    alone.run()
    assert {c.key for c in alone.plan.cells}.isdisjoint(c.key for c in on_two.plan.cells)
    for number in range(2):
        assert not same(alone.weights(number), on_two.weights(number))
    for one, two in zip(alone.losses(), on_two.losses(), strict=True):
        assert two == pytest.approx(one, rel=0.1)


def test_a_cell_whose_peer_is_killed_fails_in_words_and_goes_on_to_the_same_end(
    on_two: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(measure, "CHECKPOINT_SECONDS", 0.0)
    ready, judged, others = peers._ready, measure._curve, []

    def noted(store, started, job) -> None:
        others[:] = started
        ready(store, started, job)

    def then_the_other_dies(learner, shown):
        yield from judged(learner, shown)
        for other in others:
            os.kill(other.pid, signal.SIGKILL)

    trial = Trial(tmp_path / "run", 2, fractions="0.3")
    with monkeypatch.context() as patched:
        patched.setattr(peers, "_ready", noted)
        patched.setattr(measure, "_curve", then_the_other_dies)
        outcomes = trial.run()
    assert all(isinstance(outcome, Failed) and "lost another one" in outcome.error for outcome in outcomes), outcomes
    assert all(isinstance(outcome, Done) for outcome in trial.run())
    assert all(same(trial.weights(number), on_two.weights(number)) for number in range(2))


def test_a_process_that_cannot_start_is_told_in_its_own_words(tmp_path: Path):
    job = tmp_path / "job.json"
    said = r"process 1 of the training failed to start: .*No module named"
    with pytest.raises(CellError, match=said), peers.accompanied(2, "netversus.there_is_none", job, CPU):
        pass


def test_more_processes_than_accelerators_are_refused_in_words():
    with pytest.raises(CellError, match="as many accelerators"):
        peers._refuse(2, torch.device("cuda", 1))
