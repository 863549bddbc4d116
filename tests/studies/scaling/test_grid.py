from __future__ import annotations

import pytest

from netversus.studies.scaling import ScalingOptions
from netversus.studies.scaling.grid import Point, Setup, doubled, setups, side_of, unit


@pytest.mark.parametrize(
    ("crop", "factor", "side"),
    [(224, 0.5, 128), (224, 0.75, 160), (224, 1, 224), (224, 1.5, 352), (256, 0.5, 128), (32, 0.5, 32), (299, 1, 299)],
)
def test_a_side_is_the_nearest_multiple_of_32_and_a_contender_s_own_stays(crop: int, factor: float, side: int) -> None:
    assert side_of(crop, factor) == side


def test_a_side_that_several_factors_lead_to_is_measured_once() -> None:
    points = setups(ScalingOptions(resolution=(1.5, 0.5, 1.0)), 32)
    assert [(p.size, s.side) for p, s in points.items() if p.axis == "resolution"] == [(0.5, 32), (1.5, 64)]


def test_each_axis_varies_one_thing() -> None:
    points = setups(ScalingOptions(resolution=(1,), batch=(4, 1), at_once=8), 64, threads=(1, 2), devices=(1, 2))
    assert points == {
        Point("resolution", 1): Setup(8, 64),
        Point("batch", 1): Setup(1, 64),
        Point("batch", 4): Setup(4, 64),
        Point("threads", 1): Setup(8, 64, threads=1),
        Point("threads", 2): Setup(8, 64, threads=2),
        Point("devices", 1): Setup(8, 64, devices=1),
        Point("devices", 2): Setup(8, 64, devices=2),
    }
    assert points[Point("devices", 2)].images == 16


@pytest.mark.parametrize(("most", "steps"), [(1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))])
def test_workers_are_doubled_up_to_all(most: int, steps: tuple[int, ...]) -> None:
    assert doubled(most) == steps


def test_a_unit_tells_axis_size_and_block() -> None:
    assert unit("resolution", Setup(8, 64), 2) == "resolution-0064/block-002"
    assert unit("batch", Setup(8, 64), 12) == "batch-0008/block-012"
    assert unit("threads", Setup(8, 64, threads=2), 0) == "threads-0002/block-000"
