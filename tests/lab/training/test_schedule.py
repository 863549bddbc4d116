"""Learning rates: scaled to the steps there are, and found again by a resumed training."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lab.training.material import recipe
from netversus.lab.training.schedule import Schedule
from netversus.lab.training.sizes import side_at


def rates(steps: int, **settings: object) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2, momentum=0.9)
    schedule = Schedule(optimizer, recipe(learning_rate=0.2, **settings), steps)
    seen = []
    for step in range(steps):
        schedule.before(step)
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
    return seen


@pytest.mark.parametrize("steps", [10, 100, 1000])
def test_the_cosine_reaches_its_peak_after_the_warm_up_and_nothing_at_the_end(steps: int):
    seen = rates(steps, warmup=0.1)
    warm = steps // 10
    assert seen[:warm] == pytest.approx([0.2 * (i + 1) / warm for i in range(warm)])
    assert max(seen) == pytest.approx(0.2)
    expected = [0.1 * (1 + math.cos(math.pi * (i - warm + 1) / (steps - warm + 1))) for i in range(warm, steps)]
    assert seen[warm:] == pytest.approx(expected)


def test_steps_drop_after_every_third_as_published():
    seen = rates(90, schedule="step", warmup=0.0)
    assert seen == pytest.approx([0.2] * 30 + [0.02] * 30 + [0.002] * 30)


def test_one_cycle_goes_up_and_down_once_and_moves_the_momentum_against_it():
    seen = rates(100, schedule="onecycle", warmup=0.3)
    top = seen.index(max(seen))
    assert 28 <= top <= 32
    assert seen[:top] == sorted(seen[:top])
    assert seen[top:] == sorted(seen[top:], reverse=True)
    assert seen[-1] < 0.001


def test_constant_stays():
    assert rates(20, schedule="constant", warmup=0.0) == [0.2] * 20


@pytest.mark.parametrize("schedule", ["cosine", "onecycle", "step", "constant"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_trainings_have_rates_too(schedule: str, steps: int):
    seen = rates(steps, schedule=schedule)
    assert len(seen) == steps
    assert all(rate > 0 for rate in seen)


def test_sizes_grow_to_the_full_side_in_the_last_quarter():
    sides = [side_at(recipe(first_size=0.5), 64, step, 100) for step in range(100)]
    assert sides[0] == 32
    assert sides == sorted(sides)
    assert sides[75:] == [64] * 25
    assert {side % 4 for side in sides} == {0}
    assert {side_at(recipe(first_size=1.0), 65, step, 100) for step in range(100)} == {65}
