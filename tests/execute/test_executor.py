"""Where the work is done, from what was asked."""

from __future__ import annotations

import pytest

from netversus.errors import OptionError
from netversus.execute.executor import Placement, placement


@pytest.mark.parametrize(
    ("on", "workers", "meant"),
    [
        ("", 0, Placement()),
        ("", 3, Placement("workers", workers=3)),
        ("local-cluster", 0, Placement("local-cluster", workers=2)),
        ("local-cluster", 4, Placement("local-cluster", workers=4)),
        ("tcp://node-7:8786", 0, Placement("scheduler", "tcp://node-7:8786")),
        ("shared/scheduler.json", 0, Placement("file", "shared/scheduler.json")),
        ("slurm", 8, Placement("queue", "slurm", 8)),
    ],
)
def test_a_place_is_understood(on: str, workers: int, meant: Placement):
    assert placement(on, workers) == meant


@pytest.mark.parametrize(
    ("on", "workers", "said"),
    [
        ("", -1, "must not be negative"),
        ("slrum", 0, "did you mean slurm"),
        ("10.0.0.1:8786", 0, "a scheduler file .json"),
        ("tcp://node-7:8786", 2, "--workers goes with"),
    ],
)
def test_a_place_that_is_none_is_refused(on: str, workers: int, said: str):
    with pytest.raises(OptionError) as caught:
        placement(on, workers)
    assert said in str(caught.value)
