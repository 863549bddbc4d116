"""What is timed before a plan is made: a plain step, and one as the recipe has it."""

from __future__ import annotations

import pytest
import torch

from netversus.lab import calibration
from netversus.lab.calibration import calibrate
from netversus.lab.contenders.resolve import resolve
from netversus.lab.training.recipe import make_recipe
from netversus.lab.training.trainee import Trainee
from netversus.records import ContenderCard, DataCard

CPU = torch.device("cpu")


@pytest.fixture
def card(data_card: DataCard) -> ContenderCard:
    return resolve("py:tiny_nets:narrow@scratch", data_card)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The precision and the batch of every pass through a network in training by the engine's own step."""
    seen: list[tuple[str, int]] = []
    gradients = Trainee._gradients

    def noted(self, inputs, labels, highest):
        seen.append((self.recipe.precision, len(inputs)))
        return gradients(self, inputs, labels, highest)

    monkeypatch.setattr(Trainee, "_gradients", noted)
    monkeypatch.setattr(calibration, "SECONDS_EACH", 1e-9)  # one repetition after the warm-up
    return seen


def rates(card: ContenderCard, train: bool = True, **recipe: object):
    made = make_recipe(recipe) if recipe else None
    return calibrate([card], 10, CPU, train=train, recipe=made)[card.name]


def test_a_step_is_timed_as_the_recipe_has_it(card: ContenderCard, passes: list[tuple[str, int]]):
    monkey = rates(card, precision="bfloat16", ema=0.9, mixup=0.2, batch=15)
    assert monkey.recipe_seconds > 0
    assert set(passes) == {("bfloat16", 14)}  # mixing takes pairs


def test_sharpness_takes_two_passes_a_step(card: ContenderCard, passes: list[tuple[str, int]]):
    rates(card, sharpness=0.0)
    once = len(passes)
    rates(card, sharpness=0.05)
    assert len(passes) - once == 2 * once > 0


def test_a_published_batch_is_not_calibrated_whole(card: ContenderCard, passes: list[tuple[str, int]]):
    rates(card, recipe="a1", optimizer="sgd", auto_augment="")
    assert {batch for _, batch in passes} == {32}


def test_without_a_recipe_or_a_training_nothing_is_made_up(card: ContenderCard, passes: list[tuple[str, int]]):
    assert rates(card).recipe_seconds is None
    assert rates(card).train_seconds > 0
    untrained = rates(card, train=False, batch=16)
    assert (untrained.recipe_seconds, untrained.train_seconds) == (None, 0.0)
    assert not passes


def test_a_network_that_cannot_be_trained_is_left_to_its_cell_to_say(
    card: ContenderCard, monkeypatch: pytest.MonkeyPatch
):
    """An answer that is no number diverges in its cell, not before the plan."""

    def broken(_card, classes, seed):
        class Nothing(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.fc = torch.nn.Linear(3, classes)

            def forward(self, images):
                return self.fc(images.mean((2, 3))) * float("nan")

        return Nothing()

    monkeypatch.setattr(calibration, "load", broken)
    assert rates(card, batch=16).recipe_seconds is None
