from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, linregress

from netversus.exhibits import Chart, Exhibit, Table, Text
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import ContenderCard, DataCard
from netversus.report.svg.chart import draw_chart
from netversus.statistics.pairing import Sample
from netversus.studies.scaling import NOTES
from netversus.studies.scaling.depths import depth_of
from netversus.studies.scaling.exhibit import exhibit
from netversus.studies.scaling.grid import read
from netversus.study import LEFT_OUT


@dataclass
class Stored:
    """Evidence that a test wrote down."""

    contenders: list[ContenderCard]
    data: DataCard
    samples: dict[tuple[str, str], Sample]
    told: Mapping[str, Any] | None = None
    artifacts: dict[tuple[str, str], bytes] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        return self.samples.get((contender, metric))

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        if name == NOTES:
            return None if self.told is None else json.dumps(self.told).encode()
        return self.artifacts.get((name, contender))


TOLD: dict[str, Any] = {
    "notes": [],
    "busy": [0.02, 0.01],
    "device": "cpu",
    "threads": 2,
    "at_once": 8,
    "peaks": {"fp32": 100e9, "bf16": 400e9},
    "bandwidth": 10e9,
    "counted": {"A": {"flops": 10**9, "moved": 10**7, "weights": 10**7}},
    "depths": {"18": [0.02, 0.021], "50": [0.05, 0.05], "34": [0.03, 0.031]},
}
BLOCKS = 8


def along(axis: str, seconds: dict[int, float], noise: float = 0.02) -> Sample:
    rng = np.random.default_rng(len(axis))
    units = [f"{axis}-{size:04d}/block-{b:03d}" for b in range(BLOCKS) for size in seconds]
    values = [s * np.exp(rng.normal(0, noise)) for _ in range(BLOCKS) for s in seconds.values()]
    return Sample(tuple(units), np.array(values))


@pytest.fixture
def stored(make_card: Callable[..., ContenderCard], data_card: DataCard) -> Stored:
    images = tuple(f"image-{i}" for i in range(100))
    samples: dict[tuple[str, str], Sample] = {}
    for name, pace in (("A", 1.0), ("B", 2.0)):
        samples[name, "seconds_resolution"] = along("resolution", {32: 0.01 * pace, 64: 0.04 * pace})
        samples[name, "seconds_batch"] = along("batch", {1: 0.02 * pace, 4: 0.0125 * pace, 8: 0.013 * pace}, 0)
        samples[name, "seconds_threads"] = along("threads", {1: 0.04 * pace, 2: 0.025 * pace}, 0)
        samples[name, "top1_at_0032"] = Sample(images, np.repeat([1.0, 0.0], [80, 20]))
        samples[name, "top1_at_0064"] = Sample(images, np.repeat([0.0, 1.0, 0.0], [5, 85, 10]))
    return Stored([make_card("A"), make_card("B")], data_card, samples, TOLD)


def titled(stored: Stored, kind: type[Table | Chart]) -> dict[str, Any]:
    return {shown.title: shown for shown in exhibit(stored) if isinstance(shown, kind)}


def texts(stored: Stored) -> list[str]:
    return [shown.text for shown in exhibit(stored) if isinstance(shown, Text)]


def cells(table: Table, row: int) -> dict[str, object]:
    return dict(zip(table.columns, table.rows[row], strict=True))


EXPONENTS = "With which power the time of an image grows"
ROOF = "How near the limit: the roofline"
TOP1 = "Top-1 at each resolution, beside the contender's own"


def test_an_exponent_is_scipy_s_slope_over_pixels(stored: Stored) -> None:
    row = cells(titled(stored, Table)[EXPONENTS], 0)
    sample = stored.samples["A", "seconds_resolution"]
    pixels = [int(unit[11:15]) ** 2 for unit in sample.units]
    assert (row["contender"], row["with"], row["from"], row["to"]) == ("A", "pixels of an image", 32**2, 64**2)
    assert row["exponent"] == pytest.approx(linregress(np.log(pixels), np.log(sample.values)).slope)
    assert row["blocks"] == BLOCKS


def test_two_points_say_nothing_of_whether_it_is_a_power_law(stored: Stored) -> None:
    off = {row[1]: row[6] for row in titled(stored, Table)[EXPONENTS].rows if row[0] == "A"}
    assert off["pixels of an image"] is None
    assert off["images at once"] > 1


def test_reference_depths_have_an_exponent_and_a_curve(stored: Stored) -> None:
    (row,) = [r for r in titled(stored, Table)[EXPONENTS].rows if r[1] == "depth of a ResNet"]
    theirs = linregress(np.log([18, 34, 50] * 2), np.log([0.02, 0.03, 0.05, 0.021, 0.031, 0.05])).slope
    assert row[4] == pytest.approx(theirs)
    chart = titled(stored, Chart)["Time over depth: ResNets for reference"]
    assert chart.series[0].x == (18.0, 34.0, 50.0)
    assert chart.series[0].y == pytest.approx((20.5, 30.5, 50))


def test_the_share_of_the_roof_is_what_was_reached_over_the_smaller_limit(stored: Stored) -> None:
    table = titled(stored, Table)[ROOF]
    assert [(row[0], row[1]) for row in table.rows] == [("A", 1), ("A", 4)]  # the least time an image is at batch 4
    one, best = cells(table, 0), cells(table, 1)
    assert one["reached (GFLOP/s)"] == pytest.approx(1 / 0.02)
    assert one["FLOP a byte (fp32)"] == pytest.approx(1e9 / (4 * 2e7))
    assert one["limit (fp32)"] == "arithmetic"  # 12.5 x 10 = 125 > 100
    assert one["share of the fp32 roof (%)"] == pytest.approx(50)
    assert one["share of the bf16 roof (%)"] == pytest.approx(100 * 50 / 250)
    assert best["share of the fp32 roof (%)"] == pytest.approx(80)
    assert any("100 GFLOP/s in fp32, 400 GFLOP/s in bf16" in text and "10.0 GB/s" in text for text in texts(stored))


def test_without_a_measured_roof_there_is_no_roofline(stored: Stored) -> None:
    stored.told = TOLD | {"peaks": {}, "bandwidth": None}
    assert ROOF not in titled(stored, Table)


def test_a_resolution_is_compared_with_the_contender_s_own_on_the_same_images(stored: Stored) -> None:
    table = titled(stored, Table)[TOP1]
    own, other = cells(table, 0), cells(table, 1)
    assert (own["side (px)"], own["top-1 (%)"], own["difference (points)"], own["times the time"]) == (32, 80, None, 1)
    assert (other["side (px)"], other["top-1 (%)"]) == (64, 85)
    assert other["difference (points)"] == pytest.approx(5)  # ten gained, five lost
    assert other["times the time"] == pytest.approx(4, rel=0.05)
    low, high = (float(end) for end in str(other["95 % interval"]).strip("[]").split(","))
    assert low < 5 < high


def test_quality_stands_against_cost_from_cheap_to_dear(stored: Stored) -> None:
    chart = titled(stored, Chart)["What a resolution costs, and what it brings"]
    assert chart.series[0].x == pytest.approx((10, 40), rel=0.05)
    assert chart.series[0].y == (80, 85)
    assert all(
        lo < y < hi for lo, y, hi in zip(*(getattr(chart.series[0], n) for n in ("low", "y", "high")), strict=True)
    )


def test_more_threads_are_drawn_beside_the_ideal(stored: Stored) -> None:
    chart = titled(stored, Chart)["How many times as fast with more threads"]
    assert [series.name for series in chart.series] == ["A", "B", "nothing wasted"]
    assert chart.series[0].y == pytest.approx((1, 1.6))
    assert chart.series[2].y == (1, 2)


def test_a_size_that_some_blocks_lack_is_in_no_curve_and_no_block_is_dropped(stored: Stored) -> None:
    for name in "AB":  # memory ran out after three blocks
        sample = stored.samples[name, "seconds_batch"]
        kept = [i for i, unit in enumerate(sample.units) if read(unit)[0] != 8 or read(unit)[1] < "block-003"]
        stored.samples[name, "seconds_batch"] = Sample(tuple(sample.units[i] for i in kept), sample.values[kept])
    by_axis = {(row[0], row[1]): row for row in titled(stored, Table)[EXPONENTS].rows}
    name, _, smallest, largest, *_, blocks = by_axis["A", "images at once"]
    assert (name, smallest, largest, blocks) == ("A", 1, 4, BLOCKS)
    assert titled(stored, Chart)["Time over batch"].series[0].x == ("1", "4")
    said = [text for text in texts(stored) if text.startswith("Only")]
    assert said == ["Only 3 of 8 timing blocks hold 8 (images at once): it is in no curve and in no exponent."]


def test_the_machine_is_said_once_to_be_quiet_and_what_was_left_out_is_told(stored: Stored) -> None:
    stored.told = TOLD | {"notes": ["Batch 32 was left out for all: A does not fit in memory."]}
    said = texts(stored)
    assert said[0].startswith("The machine was quiet: what it timed scatters by at most")
    assert said[1].startswith("Batch 32 was left out")
    assert len([text for text in said if "quiet" in text]) == 1


def scattering(stored: Stored) -> None:
    sample = stored.samples["B", "seconds_threads"]
    noise = [1.5 if read(unit)[0] == 2 and int(read(unit)[1][-1]) % 2 else 1.0 for unit in sample.units]
    stored.samples["B", "seconds_threads"] = Sample(sample.units, sample.values * np.array(noise))


def busy(stored: Stored) -> None:
    stored.told = TOLD | {"busy": [0.6, 0.01]}


def busy_as_kept_before(stored: Stored) -> None:
    stored.told = TOLD | {"busy": 0.6}


def both(stored: Stored) -> None:
    scattering(stored)
    busy(stored)


@pytest.mark.parametrize(
    ("disturb", "words"),
    [
        (scattering, ["the time of B (threads: 2) scatters by 30 %"]),
        (busy, ["others used up to 60 %"]),
        (busy_as_kept_before, ["others used up to 60 %"]),
        (both, ["the time of B (threads: 2)", "others used up to 60 %"]),
    ],
)
def test_a_noisy_machine_is_said_once_with_its_signs(
    stored: Stored, disturb: Callable[[Stored], None], words: list[str]
) -> None:
    disturb(stored)
    (said,) = [text for text in texts(stored) if "quiet" in text]
    assert said.startswith("This machine was not quiet")
    assert all(word in said for word in words)


def test_unreadable_images_and_memory_that_ran_out_are_told(stored: Stored) -> None:
    stored.artifacts = {
        (LEFT_OUT, "A"): json.dumps({"x": "x: torn", "y": "y: torn"}).encode(),
        (MEMORY_FILE, "B"): b"[64, 32]",
    }
    said = texts(stored)
    assert "2 images could not be read and were left out for every contender: x: torn; y: torn." in said
    assert any("64 images at once did not fit in memory: B was shown 16 at once" in text for text in said)


DEPTHS = "What depth costs, and what it brings"


def test_reference_depths_stand_beside_no_quality_and_it_is_said_why(stored: Stored) -> None:
    table = titled(stored, Table)[DEPTHS]
    assert [row[0] for row in table.rows] == [18, 34, 50]
    assert {(row[1], row[4], row[5], row[6]) for row in table.rows} == {("for reference", None, None, "random weights")}
    assert "no quality, and none is made up" in table.note


def test_contenders_that_are_depths_have_their_top1_beside_their_time(
    stored: Stored, make_card: Callable[..., ContenderCard]
) -> None:
    stored.contenders = [make_card("A", architecture="resnet50"), make_card("B", architecture="resnet101")]
    table = titled(stored, Table)[DEPTHS]
    assert [(row[0], row[1]) for row in table.rows][2:] == [(50, "A"), (50, "for reference"), (101, "B")]
    row = cells(table, 2)
    assert (row["side (px)"], row["images"], row["top-1 (%)"]) == (32, 100, 80)
    assert row["ms an image"] == pytest.approx(10, rel=0.05)
    low, high = (float(end) for end in str(row["95 % interval"]).strip("[]").split(","))
    theirs = binomtest(80, 100).proportion_ci(0.95, "exact")
    assert (low, high) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=0.05)
    stored.told = TOLD | {"depths": {}}
    assert "random weights" not in titled(stored, Table)[DEPTHS].note


def test_what_is_no_whole_resnet_is_no_depth(make_card: Callable[..., ContenderCard]) -> None:
    cut = make_card("cut", spec="resnet101?stages=3", architecture="resnet101")
    assert [depth_of(card) for card in (make_card("resnet101"), cut, make_card("wide_resnet50_2"))] == [101, None, None]


def test_an_unfinished_cell_shows_what_it_has(stored: Stored) -> None:
    stored.told = None
    stored.samples = {key: s for key, s in stored.samples.items() if key == ("A", "seconds_batch")}
    shown: list[Exhibit] = list(exhibit(stored))
    assert [type(each) for each in shown] == [Text, Table, Chart]
    assert isinstance(shown[0], Text)
    assert "how busy others kept it is not known" in shown[0].text  # absent, and not none
    stored.samples = {}
    assert list(exhibit(stored)) == []


def test_every_chart_can_be_drawn(stored: Stored) -> None:
    charts = list(titled(stored, Chart).values())
    assert len(charts) == 5
    assert all(draw_chart(chart, width=600, contenders=["A", "B"], key="k") for chart in charts)
