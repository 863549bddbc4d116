from __future__ import annotations

import pytest
from pydantic import ValidationError

from netversus.cli.study_options import split_study_options
from netversus.records import DataCard, Rates
from netversus.studies.scaling import FEWEST_BLOCKS, FEWEST_IMAGES, LARGEST_CUT_BATCH, STUDY, ScalingOptions
from netversus.study import Work


@pytest.fixture
def work(data_card: DataCard) -> Work:
    return Work(data_card, {name: Rates(0.1, 0.3, 10**6, measured=True) for name in "AB"})


def cost(work: Work, **options: object) -> float:
    return STUDY.cost(ScalingOptions(**options), work).seconds


@pytest.mark.parametrize(
    ("flag", "text", "value"),
    [
        ("depths", "18,50,152", (18, 50, 152)),
        ("batch", " 1, 8 ,", (1, 8)),
        ("resolution", "0.5,1", (0.5, 1.0)),
        ("threads", "2", (2,)),
    ],
)
def test_lists_are_read_from_flags_and_from_a_stored_cell(flag: str, text: str, value: tuple[float, ...]) -> None:
    _, values = split_study_options([f"--scaling.{flag}", text])
    options = ScalingOptions.model_validate(values["scaling"])
    assert getattr(options, flag) == value
    assert ScalingOptions.model_validate(options.model_dump(mode="json")) == options


@pytest.mark.parametrize(
    "wrong", [{"depths": "20"}, {"depths": [19]}, {"batch": "0"}, {"batch": ""}, {"resolution": "0"}, {"blocks": 1}]
)
def test_what_cannot_be_measured_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ScalingOptions.model_validate(wrong)


def test_every_option_that_adds_work_costs_time(work: Work) -> None:
    more = {
        "blocks": 48,
        "repetitions": 20,
        "resolution": (0.5, 1, 2),
        "batch": (1, 64),
        "at_once": 16,
        "depths": (18,),
        "threads": (1, 2, 4),
        "processes": (1, 2),
        "images": 401,
    }
    small = {"resolution": (0.5, 1), "batch": (1,), "images": 100}
    for name, value in more.items():
        assert cost(work, **small | {name: value}) > cost(work, **small), name
    for name in ("workers", "roofline"):
        assert cost(work, **{name: False}) < cost(work), name
    assert cost(work, depths=(152,)) > cost(work, depths=(18,))


def test_blocks_go_first_then_batches_then_the_rest(work: Work) -> None:
    assert STUDY.fit is not None
    whole = cost(work)
    slightly = STUDY.fit(ScalingOptions(), work, 0.9 * whole)
    assert FEWEST_BLOCKS <= slightly.options.blocks < 16
    assert slightly.options.batch == ScalingOptions().batch
    assert len(slightly.cuts) == 1
    assert cost(work, **slightly.options.model_dump()) <= 0.9 * whole

    third = STUDY.fit(ScalingOptions(), work, whole / 3)
    assert third.options.blocks == FEWEST_BLOCKS
    assert max(third.options.batch) < 32
    assert cost(work, **third.options.model_dump()) <= whole / 3

    least = STUDY.fit(ScalingOptions(depths=(18,)), work, 1e-3)
    assert least.options == ScalingOptions(
        blocks=FEWEST_BLOCKS,
        batch=(1, 2, 4, LARGEST_CUT_BATCH),
        images=FEWEST_IMAGES,
        resolution=(0.5, 1.5),
        at_once=1,
        repetitions=1,
        roofline=False,
        depths=(18,),
    )
    assert least.cuts == (
        "scaling: 12 of 16 timing blocks fit the budget",
        "scaling: batches up to 8 of 32 fit the budget",
        "scaling: 100 of 400 images at each resolution fit the budget",
        "scaling: 2 of 4 resolutions fit the budget",
        "scaling: 1 of 8 images at once fit the budget",
        "scaling: 1 of 5 repetitions a turn fit the budget",
        "scaling: all but the machine's roofline fit the budget",
    )


def test_what_was_asked_to_be_small_is_not_enlarged(work: Work) -> None:
    assert STUDY.fit is not None
    asked = ScalingOptions(blocks=3, batch=(2,), resolution=(1,), at_once=1, repetitions=1, images=5, roofline=False)
    assert STUDY.fit(asked, work, 1e-3).options == asked
    assert STUDY.fit(asked, work, 1e-3).cuts == ()
