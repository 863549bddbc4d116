from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from netversus.exhibits import Chart, Exhibit, Table, Text
from netversus.records import ContenderCard, DataCard
from netversus.statistics.pairing import Sample
from netversus.studies.speed import NOTES, WAY
from netversus.studies.speed.exhibit import exhibit
from netversus.studies.speed.step import DECODE, MOVE, NETWORK, NORMALISE, READ, RESIZE, WAY_RECORD, Way


@dataclass
class Stored:
    """Evidence that a test wrote down."""

    contenders: list[ContenderCard]
    data: DataCard
    samples: dict[tuple[str, str], Sample]
    told: Mapping[str, object] | None = None
    seeds: tuple[int, ...] = (0,)
    artifacts: dict[str, bytes] = field(default_factory=dict)

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        return self.samples.get((contender, metric))

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        told = {} if self.told is None else {NOTES: json.dumps(self.told).encode()}
        return (told | self.artifacts).get(name)


TOLD = {"notes": [], "busy": [0.01, 0.02, 0.0], "meters": [], "batch": 4, "price": None, "device": "cpu", "threads": 2}


@pytest.fixture
def stored(make_card: Callable[..., ContenderCard], data_card: DataCard) -> Stored:
    rng = np.random.default_rng(0)
    samples: dict[tuple[str, str], Sample] = {}
    blocks = tuple(f"p0/block-{i:03d}" for i in range(20))
    luck = rng.normal(0, 0.02, 20)
    for name, seconds in (("A", 0.010), ("B", 0.015)):
        raw = seconds * np.exp(np.repeat(luck, 6) + rng.normal(0, 0.005, 120))
        rows = {
            "latency_raw": (tuple(f"{b}/rep-{i}" for b in blocks for i in range(6)), raw),
            "latency": (blocks, np.median(raw.reshape(20, 6), axis=1)),
            "throughput": (blocks, 1 / np.median(raw.reshape(20, 6), axis=1)),
            "batch_used": (blocks, np.full(20, 4.0)),
            "memory": (("batch",), np.array([2.0**30])),
        }
        samples |= {(name, metric): Sample(units, values) for metric, (units, values) in rows.items()}
    return Stored([make_card("A"), make_card("B")], data_card, samples, TOLD)


def tables(stored: Stored) -> dict[str, Table]:
    return {shown.title: shown for shown in exhibit(stored) if isinstance(shown, Table)}


def texts(stored: Stored) -> list[str]:
    return [shown.text for shown in exhibit(stored) if isinstance(shown, Text)]


def cells(table: Table, row: int) -> dict[str, object]:
    return dict(zip(table.columns, table.rows[row], strict=True))


LEVELS = "Speed, memory and cost of each contender"


def test_each_contender_has_its_percentiles_rate_and_memory(stored: Stored) -> None:
    row = cells(tables(stored)[LEVELS], 1)
    raw = 1e3 * stored.samples["B", "latency_raw"].values
    assert row["contender"] == "B"
    for title, share in (("median (ms)", 50), ("95th percentile (ms)", 95), ("99th percentile (ms)", 99)):
        assert row[title] == pytest.approx(np.percentile(raw, share, method="inverted_cdf"))
    assert row["images/s in batches"] == pytest.approx(1 / 0.015, rel=0.02)
    assert row["hours for a million images"] == pytest.approx(1e6 * 0.015 / 3600, rel=0.02)
    assert row["peak memory (MiB)"] == 1024


def test_a_99th_percentile_takes_a_hundred_calls(stored: Stored) -> None:
    few = stored.samples["A", "latency_raw"]
    stored.samples["A", "latency_raw"] = Sample(few.units[:60], few.values[:60])
    table = tables(stored)[LEVELS]
    assert cells(table, 0)["99th percentile (ms)"] is None
    assert cells(table, 1)["99th percentile (ms)"] is not None
    assert "takes 100 calls" in table.note


def test_cost_follows_from_the_price_and_is_absent_without_one(stored: Stored) -> None:
    assert "cost of a million images" not in tables(stored)[LEVELS].columns
    stored.told = TOLD | {"price": 3.0}
    row = cells(tables(stored)[LEVELS], 0)
    assert row["cost of a million images"] == pytest.approx(3.0 * row["hours for a million images"])


def test_energy_is_shown_where_it_was_metered_and_else_said_to_be_absent(stored: Stored) -> None:
    table = tables(stored)[LEVELS]
    assert "energy (J an image)" not in table.columns
    assert "does not tell its energy" in table.note
    stored.samples["A", "energy"] = Sample(("spell-1", "spell-2"), np.array([0.5, 0.7]))
    stored.told = TOLD | {"meters": ["RAPL package-0"]}
    table = tables(stored)[LEVELS]
    assert [cells(table, i)["energy (J an image)"] for i in (0, 1)] == [pytest.approx(0.6), None]
    assert "RAPL package-0" in table.note


def test_memory_that_cannot_be_told_is_a_gap_and_named(stored: Stored) -> None:
    del stored.samples["B", "memory"]
    table = tables(stored)[LEVELS]
    assert cells(table, 1)["peak memory (MiB)"] is None
    assert "memory of B" in table.note


def test_a_quiet_machine_is_said_to_be_quiet(stored: Stored) -> None:
    (said,) = texts(stored)
    assert said.startswith("The machine was quiet")
    assert said.endswith("others used at most 2 % of the processors.")


def test_where_nobody_listened_it_is_not_said_that_others_were_quiet(stored: Stored) -> None:
    stored.told = TOLD | {"busy": []}
    (said,) = texts(stored)
    assert "is not known" in said
    assert "quiet" not in said


def test_a_run_of_an_earlier_version_kept_the_busiest_look_alone(stored: Stored) -> None:
    stored.told = TOLD | {"busy": 0.07}
    (said,) = texts(stored)
    assert "at most 7 %" in said


def noisy(stored: Stored) -> None:
    noisy = stored.samples["B", "throughput"]
    stored.samples["B", "throughput"] = Sample(noisy.units, noisy.values * np.tile([1.0, 1.5], 10))


def busy(stored: Stored) -> None:
    stored.told = TOLD | {"busy": [0.0, 0.6, 0.1, 0.3]}


def both(stored: Stored) -> None:
    noisy(stored)
    busy(stored)


@pytest.mark.parametrize(
    ("disturb", "words"),
    [(noisy, ["throughput of B"]), (busy, ["up to 60 %", "at 2 of 4 looks"]), (both, ["throughput of B", "60 %"])],
)
def test_a_noisy_machine_is_said_once_with_its_signs(
    stored: Stored, disturb: Callable[[Stored], None], words: list[str]
) -> None:
    disturb(stored)
    (said,) = [text for text in texts(stored) if "quiet" in text]
    assert said.startswith("This machine was not quiet")
    assert all(word in said for word in words)


def test_a_contender_that_another_leaves_disturbed_is_named(stored: Stored) -> None:
    """As ONNX Runtime does, whose threads spin on: only the turns that follow it are slow."""
    sample = stored.samples["B", "latency_raw"]
    slow = np.ones(120)
    for block in range(0, 20, 2):  # A B B A
        slow[6 * block : 6 * block + 3] = 1.7
    stored.samples["B", "latency_raw"] = Sample(sample.units, sample.values * slow)
    (said,) = [text for text in texts(stored) if "turn" in text and "quiet" not in text]
    assert said.startswith("B takes 1.7")


def test_what_did_not_fit_is_told(stored: Stored) -> None:
    stored.told = TOLD | {"notes": ["Batch 32 does not fit in memory."]}
    assert "Batch 32 does not fit in memory." in texts(stored)


def test_blocks_are_drawn_in_the_order_measured(stored: Stored) -> None:
    (chart,) = [e for e in exhibit(stored) if isinstance(e, Chart) and e.title == "Every timing block"]
    assert [series.name for series in chart.series] == ["A", "B"]
    assert chart.series[0].x == tuple(float(i) for i in range(1, 21))
    assert chart.series[1].y == pytest.approx(1e3 * stored.samples["B", "latency"].values)


STEADY = "How steady the timings were"


def steady(stored: Stored) -> dict[tuple[str, str], dict[str, object]]:
    """The row of each contender and of what was timed."""
    table = tables(stored)[STEADY]
    return {(str(row[0]), str(row[1])): cells(table, place) for place, row in enumerate(table.rows)}


@pytest.mark.parametrize(("metric", "timed"), [("latency", "one image"), ("throughput", "a batch")])
def test_drift_is_told_of_each_contender_and_of_the_ratio_in_which_it_cancels(
    stored: Stored, metric: str, timed: str
) -> None:
    for name in "AB":
        sample = stored.samples[name, metric]
        stored.samples[name, metric] = Sample(sample.units, sample.values * np.linspace(1, 3, 20))
    rows = steady(stored)
    assert list(rows) == [("A", "one image"), ("A", "a batch"), ("B", "one image"), ("B", "a batch")]
    assert rows["B", timed]["drift"] > 0.9
    assert rows["B", timed]["autocorrelation"] > 0.7
    assert abs(rows["B", timed]["drift of the ratio to A"]) < 0.5
    assert rows["A", timed]["drift of the ratio to A"] is None
    (other,) = {"one image", "a batch"} - {timed}
    assert abs(rows["B", other]["drift"]) < 0.5


def test_what_one_process_does_to_a_ratio_is_told_where_there_are_several(stored: Stored) -> None:
    assert "its spread over processes (%)" not in tables(stored)[STEADY].columns
    assert "--speed.processes" in tables(stored)[STEADY].note
    blocks = tuple(f"p{i // 10}/block-{i:03d}" for i in range(20))
    for name, slower in (("A", np.ones(20)), ("B", np.repeat([1.5, 1.5 * 1.04], 10))):
        stored.samples[name, "latency"] = Sample(blocks, 0.01 * slower)
    rows = steady(stored)
    assert rows["B", "one image"]["its spread over processes (%)"] == pytest.approx(4)
    assert rows["A", "one image"]["its spread over processes (%)"] is None
    assert "in each of the 2" in tables(stored)[STEADY].note


def test_how_an_nvidia_card_would_tell_its_energy_is_said_where_there_is_one(stored: Stored) -> None:
    stored.told = TOLD | {"device": "cuda:0"}
    assert "nvidia-ml-py" in tables(stored)[LEVELS].note
    stored.told = TOLD
    assert "nvidia-ml-py" not in tables(stored)[LEVELS].note


def test_the_host_memory_of_a_process_stands_beside_its_start_or_it_is_said_how_to_have_it(stored: Stored) -> None:
    assert "--speed.cold_start 1" in tables(stored)[LEVELS].note
    for metric, value in (("cold_start", 2.0), ("memory_process", 2.0**29), ("memory_process_batch", 2.0**30)):
        stored.samples["A", metric] = Sample(("start-01",), np.array([value]))
    shown = tables(stored)
    assert "--speed.cold_start 1" not in shown[LEVELS].note
    row = cells(shown["From nothing to the first answer"], 0)
    assert (row["memory (MiB)"], row["with a batch (MiB)"]) == (512, 1024)
    del stored.samples["A", "memory_process_batch"]  # as before version 2
    assert "with a batch (MiB)" not in tables(stored)["From nothing to the first answer"].columns


def test_the_way_of_an_image_is_told_in_medians_without_the_first_repetition(stored: Stored) -> None:
    own = {
        RESIZE: ((9.0, 9.0), (0.002, 0.004), (0.002, 0.004)),
        NORMALISE: ((9.0,), (0.002,)),
        NETWORK: ((9.0,), (0.4,)),
    }
    moved = own | {MOVE: ((9.0,), (0.004,))}
    shared = {READ: ((9.0, 9.0), (0.001, 0.001)), DECODE: ((9.0, 9.0), (0.005, 0.007))}
    stored.artifacts[WAY] = WAY_RECORD.dump_json(Way(2, 4, shared, {"A": own, "B": moved}))
    table = tables(stored)["Where the time of an image goes"]
    ours, theirs = cells(table, 0), cells(table, 1)
    assert [ours[f"{part} (ms)"] for part in ("reading", "decoding", "resizing and cropping")] == pytest.approx(
        [1, 6, 3]
    )
    assert (ours["normalising (ms)"], ours["network (ms)"]) == (pytest.approx(0.5), pytest.approx(100))
    assert ours["moving to the device (ms)"] is None
    assert theirs["moving to the device (ms)"] == pytest.approx(1)
    assert theirs["one after another (ms)"] == pytest.approx(1 + 6 + 3 + 1 + 0.5 + 100)
    assert "2 of the data's own images" in table.note


def test_without_images_to_decode_there_is_no_way_to_show(stored: Stored) -> None:
    assert "Where the time of an image goes" not in tables(stored)


def test_the_grid_has_a_row_a_point_and_ratios_to_the_first_contender(stored: Stored) -> None:
    blocks = tuple(f"p0/block-{i:03d}" for i in range(20))
    for name, rate in (("A", 100.0), ("B", 50.0)):
        units = tuple(f"{point}/{b}" for b in blocks for point in ("b8/own", "b2/own", "b8/r224", "b8/r64"))
        stored.samples[name, "throughput_grid"] = Sample(
            units, rate * np.exp(np.random.default_rng(1).normal(0, 0.01, 80))
        )
    table = tables(stored)["Throughput over batch and resolution"]
    assert [(row[0], row[1], row[2]) for row in table.rows[::2]] == [
        (2, "its own", "A"),
        (8, "its own", "A"),
        (8, "64", "A"),
        (8, "224", "A"),
    ]
    assert cells(table, 1)["times A"] == "0.5"
    assert cells(table, 0)["times A"] == ""


def test_the_parts_of_the_networks_stand_side_by_side(stored: Stored) -> None:
    stored.samples["A", "stage_seconds"] = Sample(("01 stem", "02 layer 1", "03 rest"), np.array([1e-3, 2e-3, 3e-3]))
    (chart,) = [e for e in exhibit(stored) if isinstance(e, Chart) and e.title == "Where the time goes"]
    assert chart.kind == "bar"
    assert chart.series[0].x == ("between the parts", "stem", "layer 1")
    assert chart.series[0].y == pytest.approx((3, 1, 2))


def test_an_unfinished_cell_shows_what_it_has(stored: Stored) -> None:
    stored.told = None
    stored.samples = {key: s for key, s in stored.samples.items() if key[0] == "A" and key[1] != "memory"}
    shown: list[Exhibit] = list(exhibit(stored))
    assert {type(each) for each in shown} == {Text, Table, Chart}
    stored.samples = {}
    assert list(exhibit(stored)) == []


def test_engines_stand_beside_the_contenders_own_at_the_same_batch(stored: Stored) -> None:
    blocks = [f"p0/block-{i:03d}" for i in range(20)]
    for name in "AB":
        own = stored.samples[name, "throughput"].values
        units = tuple(f"b4/own@fused-bf16/{block}" for block in blocks)
        stored.samples[name, "throughput_grid"] = Sample(units, 2.5 * own)
    table = tables(stored)["Throughput over engine and precision"]
    assert [row[:5] for row in table.rows] == [(name, "fused-bf16", "bf16", 4, "its own") for name in "AB"]
    assert cells(table, 0)["times its own engine"] == "2.5"
    assert "Throughput over batch and resolution" not in tables(stored)
