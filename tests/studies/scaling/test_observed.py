"""What is stored of the timing blocks, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import linregress

from netversus.records import Observations
from netversus.studies.scaling.observed import growths, held_by_all, rows


def block(number: int, seconds: Mapping[int, float], axis: str = "resolution", name: str = "A") -> Observations:
    units = tuple(f"{axis}-{size:04d}/block-{number:03d}" for size in seconds)
    return Observations(name, f"seconds_{axis}", units, tuple(seconds.values()))


def by_metric(*blocks: Observations) -> dict[tuple[str, str], dict[str, float]]:
    return {(o.contender, o.metric): dict(zip(o.units, o.values, strict=True)) for o in growths(blocks)}


def test_what_was_stored_is_read_back_block_by_block() -> None:
    stored = block(3, {32: 0.1, 64: 0.4})
    found = rows(stored.units, stored.values)
    assert found == {"block-003": {32: 0.1, 64: 0.4}}
    assert held_by_all(found) == (32, 64)
    assert held_by_all({}) == ()


def test_a_point_that_later_blocks_lack_is_left_out_of_every_block_and_no_block_is_dropped() -> None:
    """Else the growth of some blocks would be to another resolution than that of the others."""
    found = by_metric(block(0, {32: 0.1, 64: 0.4, 96: 0.9}), block(1, {32: 0.1, 64: 0.5}), block(2, {32: 0.2, 64: 0.6}))
    assert found["A", "resolution_growth"] == pytest.approx({"block-000": 4, "block-001": 5, "block-002": 3})
    slopes = [np.log(ratio) / np.log(64**2 / 32**2) for ratio in (4, 5, 3)]
    assert list(found["A", "resolution_exponent"].values()) == pytest.approx(slopes)


def test_an_exponent_of_a_block_is_scipy_s_slope() -> None:
    seconds = {1: 0.1, 4: 0.07, 16: 0.05}
    found = by_metric(block(0, seconds, "batch"), block(0, {32: 0.1, 64: 0.3, 96: 0.9}, name="B"))
    theirs = linregress(np.log(list(seconds)), np.log(list(seconds.values()))).slope
    assert found["A", "batch_exponent"]["block-000"] == pytest.approx(theirs)
    pixels = linregress(np.log(np.array([32, 64, 96]) ** 2), np.log([0.1, 0.3, 0.9])).slope
    assert found["B", "resolution_exponent"]["block-000"] == pytest.approx(pixels)


def test_where_the_blocks_share_one_size_nothing_follows() -> None:
    assert by_metric(block(0, {32: 0.1, 64: 0.4}), block(1, {32: 0.1})) == {}
