"""Whether a machine was quiet, as every study that times says it. What it says in full: see the speed study's report."""

from __future__ import annotations

import numpy as np
import pytest

from netversus.lab.timing.quiet import NOISY_BUSY, NOISY_SCATTER, heard, scatter, trust


def test_scatter_is_a_standard_deviation_that_an_outlier_does_not_move() -> None:
    values = np.random.default_rng(0).normal(10, 1, 5000)
    assert scatter(values) == pytest.approx(0.1, rel=0.05)
    values[:50] = 1e6
    assert scatter(values) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    ("notes", "looks"),
    [({"busy": [0.1, 0.3]}, [0.1, 0.3]), ({"busy": 0.07}, [0.07]), ({"busy": 0}, [0]), ({"busy": []}, []), ({}, [])],
)
def test_notes_of_every_version_are_read_and_none_is_not_nought(notes: dict[str, object], looks: list[float]) -> None:
    assert list(heard(notes)) == looks


def test_a_machine_at_its_thresholds_is_quiet_and_beyond_either_is_not() -> None:
    assert trust(NOISY_SCATTER, "A scatters", [NOISY_BUSY]).startswith("The machine was quiet")
    scattered = trust(NOISY_SCATTER + 0.001, "A scatters", [0.0])
    assert scattered.startswith("This machine was not quiet: A scatters. ")
    busy = trust(0.0, "A scatters", [0.0, NOISY_BUSY + 0.01])
    assert "at 1 of 2 looks" in busy
    assert "A scatters" not in busy
