from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from netversus.cli.study_options import split_study_options
from netversus.records import DataCard, Rates
from netversus.studies.speed import FEWEST_BLOCKS, SMALLEST_CUT_BATCH, STUDY, SpeedOptions
from netversus.study import Work


@pytest.mark.parametrize(("text", "batches"), [("32", (32,)), ("1,32", (1, 32)), (" 1, 8 ,", (1, 8))])
def test_batches_are_read_from_a_flag(text: str, batches: tuple[int, ...]) -> None:
    _, values = split_study_options(["--speed.batch", text])
    assert SpeedOptions.model_validate(values["speed"]).batch == batches


@pytest.mark.parametrize("asked", ["folded,bf16", ["folded", "bf16"], " folded, bf16"])
def test_engines_are_read_by_name(asked: object) -> None:
    options = SpeedOptions.model_validate({"engines": asked})
    assert options.engines == ("folded", "bf16")
    assert SpeedOptions.model_validate(options.model_dump(mode="json")) == options


def test_a_misspelt_engine_is_told_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"there is no engine 'foldet'.*folded"):
        SpeedOptions.model_validate({"engines": "foldet"})


def test_batches_are_read_from_toml_and_from_a_stored_cell() -> None:
    asked = SpeedOptions.model_validate({"batch": [1, 32], "resolution": 64})
    assert (asked.batch, asked.resolution, asked.judged_batch) == ((1, 32), (64,), 32)
    assert SpeedOptions.model_validate(asked.model_dump(mode="json")) == asked


@pytest.mark.parametrize("wrong", [{"batch": ""}, {"batch": "0"}, {"batch": "8;16"}, {"resolution": "4"}, {"price": 0}])
def test_what_cannot_be_measured_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SpeedOptions.model_validate(wrong)


@pytest.fixture
def work(data_card: DataCard) -> Work:
    return Work(data_card, {name: Rates(0.1, 0.3, 10**6, measured=True) for name in "AB"})


def cost(work: Work, **options: object) -> float:
    return STUDY.cost(SpeedOptions(**options), work).seconds


def test_every_option_that_adds_work_costs_time(work: Work) -> None:
    more = {
        "blocks": 48,
        "repetitions": 6,
        "warmup": 30,
        "batch": (1, 32),
        "resolution": (64,),
        "engines": ("folded",),
        "processes": 4,
        "cold_start": 2,
    }
    for name, value in more.items():
        assert cost(work, **{name: value}) > cost(work), name
    assert cost(work, stages=False) < cost(work)


def test_a_larger_resolution_costs_its_pixels(work: Work) -> None:
    step = [cost(work, resolution=(side,)) - cost(work) for side in (64, 128)]
    assert step[1] == pytest.approx(4 * step[0], rel=0.05)


def test_blocks_go_first_then_the_batch_then_repetitions(work: Work) -> None:
    assert STUDY.fit is not None
    whole = cost(work)
    half = STUDY.fit(SpeedOptions(), work, 0.75 * whole)
    assert FEWEST_BLOCKS < half.options.blocks < 24
    assert (half.options.batch, half.options.repetitions) == ((32,), 3)
    assert len(half.cuts) == 1
    assert cost(work, **half.options.model_dump()) <= 0.75 * whole

    third = STUDY.fit(SpeedOptions(), work, whole / 3)
    assert (third.options.blocks, third.options.batch) == (FEWEST_BLOCKS, (16,))

    least = STUDY.fit(SpeedOptions(batch=(1, 64)), work, 1.0)
    assert (least.options.blocks, least.options.batch, least.options.repetitions) == (
        FEWEST_BLOCKS,
        (1, SMALLEST_CUT_BATCH),
        1,
    )
    assert least.cuts == (
        "speed: 12 of 24 timing blocks fit the budget",
        "speed: throughput at batch 8 instead of 64 fits the budget",
        "speed: 1 of 3 repetitions a turn fit the budget",
    )


def test_what_was_asked_to_be_small_is_not_enlarged(work: Work) -> None:
    assert STUDY.fit is not None
    asked = SpeedOptions(blocks=3, batch=(2,), repetitions=1)
    assert STUDY.fit(asked, work, 1e-3).options == asked


def test_images_that_have_to_be_decoded_cost_their_way(work: Work) -> None:
    drawn, decoded = (Work(replace(work.data, image_size=side), work.rates) for side in (224, None))
    assert cost(decoded) > cost(drawn)
    fewer = Work(replace(decoded.data, splits={"test": 2}), work.rates)
    assert cost(drawn) < cost(fewer) < cost(decoded)


def test_a_cold_start_costs_the_batch_too(work: Work) -> None:
    def extra(batch: int) -> float:
        return cost(work, batch=(batch,), cold_start=1) - cost(work, batch=(batch,))

    assert extra(64) - extra(32) == pytest.approx(32 * work.infer_seconds)
