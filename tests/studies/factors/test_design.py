from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from pydantic import ValidationError

from netversus.studies.factors import SIZES, STUDY, FactorsOptions
from netversus.studies.factors.design import FACTORS, Setting, design, levels
from netversus.study import Work


def table(trials: int) -> np.ndarray:
    """The design with −1 and +1 for the lower and the higher level, shape (trials, factors)."""
    rows = [levels(setting.unit) for setting in design(FactorsOptions(trials=trials))]
    low = {name: min(float(row[name]) for row in rows) for name in FACTORS}
    return np.array([[-1 if float(row[name]) == low[name] else 1 for name in FACTORS] for row in rows])


@pytest.mark.parametrize("trials", SIZES)
def test_every_two_factors_meet_at_their_four_combinations_equally_often(trials: int) -> None:
    signs = table(trials)
    assert signs.shape == (trials, 5)
    for i, j in combinations(range(5), 2):
        assert Counter(map(tuple, signs[:, [i, j]])) == dict.fromkeys([(-1, -1), (-1, 1), (1, -1), (1, 1)], trials // 4)


@pytest.mark.parametrize("trials", [16, 32])
def test_from_16_trials_on_pairs_of_factors_are_clear_of_factors_and_of_each_other(trials: int) -> None:
    signs = table(trials)
    products = [signs[:, i] * signs[:, j] for i, j in combinations(range(5), 2)]
    columns = np.column_stack([np.ones(trials), signs, *products])
    assert np.array_equal(columns.T @ columns, trials * np.eye(16))


def test_a_trial_is_the_same_in_every_fraction() -> None:
    whole = {setting.unit: setting for setting in design(FactorsOptions(trials=32))}
    for trials in (8, 16):
        assert all(whole[setting.unit] == setting for setting in design(FactorsOptions(trials=trials)))


def test_a_unit_names_its_levels() -> None:
    unit = Setting(3, 3e-4, 0.0, 0.125, 16, 0.25).unit
    assert unit == "learning rate 0.0003, weight decay 0, augmentation 0.125, batch 16, data 0.25"
    assert levels(unit) == {
        "learning rate": "0.0003",
        "weight decay": "0",
        "augmentation": "0.125",
        "batch": "16",
        "data": "0.25",
    }


def test_the_seeds_of_two_seeds_of_a_run_do_not_meet() -> None:
    settings = design(FactorsOptions(trials=32))
    seeds = [setting.seed(run) for setting in settings for run in range(3)]
    assert len(set(seeds)) == 96


def test_levels_that_are_not_two_are_refused_in_words() -> None:
    with pytest.raises(ValidationError, match="batch_low must be below batch_high, got 64 and 64"):
        FactorsOptions(batch_low=64)


def test_a_small_budget_shortens_the_trials_before_it_drops_any(data_card, rates) -> None:
    work = Work(data_card, rates("a", "b"))
    whole = STUDY.cost(FactorsOptions(), work).seconds
    half = STUDY.fit(FactorsOptions(), work, whole / 2).options
    least = STUDY.fit(FactorsOptions(), work, 0.0).options
    assert (half.trials, least.trials) == (16, 8)
    assert 256 < half.samples < 2000
    assert least.samples == 256
    assert STUDY.cost(half, work).seconds <= whole / 2
