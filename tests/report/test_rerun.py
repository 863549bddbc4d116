"""The command that a report prints asks for the same again: read back by the command line itself."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Any

import pytest

from netversus.cli import compare
from netversus.plan import Plan, make_plan
from netversus.records import ContenderCard, DataCard
from netversus.report.rerun import rerun_command
from netversus.request import Request, make_request

STUDY = """
from typing import Annotated
from pydantic import Field
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Options, Study


class Mine(Options):
    count: Annotated[int, Field(description="A number.")] = 3
    rate: Annotated[float, Field(description="A real number.")] = 1e-3
    fast: Annotated[bool, Field(description="Yes or no.")] = False
    mode: Annotated[str, Field(description="A word.")] = "plain"
    limit: Annotated[int | None, Field(description="May be absent.")] = None


STUDY = Study(
    name="mine",
    question="Is it?",
    questions=(Question("value", "What is it?", Scale.FACT, Direction.NEITHER, "", "contender"),),
    cost=lambda options, work: Cost(seconds=1.0),
    options=Mine,
    default=False,
)
"""


@pytest.fixture
def plan_of(make_card: Callable[..., ContenderCard], data_card: DataCard, rates: Callable[..., Any]):
    """The plan of a request, as the whole way would make it."""

    def make(request: Request) -> Plan:
        cards = [make_card(name) for name in request.contenders]
        return make_plan(request, cards, data_card, rates(*request.contenders), "cpu")

    return make


class Understood(Exception):  # noqa: N818 -- it ends the command where the request is known, before anything is run
    pass


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch):
    """What the command line makes of a command."""

    def read(command: str) -> Request:
        asked: list[Request] = []

        def understood(values: dict[str, Any]) -> Request:
            asked.append(make_request(values))
            raise Understood

        monkeypatch.setattr(compare, "make_request", understood)
        program, verb, *words = shlex.split(command)
        assert (program, verb) == ("netversus", "compare")
        with pytest.raises(Understood):
            compare.run(words)
        return asked[0]

    return read


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"contenders": ("resnet18", "file:my nets/it's $HOME; rm -rf.pt?arch=resnet18"), "data": "folder with spaces"},
        {"seed": 7, "repeats": 3, "level": 0.99, "device": "cpu", "strict": True},
        {"studies": ("training", "accuracy"), "baseline": "resnet50", "primary": "accuracy.top5"},
        {"studies": ("training", "accuracy"), "stop_when_decided": True, "stop_about": "benchmark", "stop_prior": 10.0},
        {"studies": ("training", "accuracy"), "margins": {"accuracy.top1": 0.012345678901, "training.train_time": 0.0}},
        {
            "studies": ("training", "accuracy"),
            "options": {
                "training": {"samples": 320, "learning_rate": 3e-4, "zero_init_residual": False, "augment": "none"},
                "accuracy": {"images": 150, "order_seed": 3},
            },
        },
        {
            "studies": ("training", "speed", "scaling"),
            "options": {
                "speed": {"batch": [1, 8], "engines": ["folded", "bf16"], "resolution": [64]},
                "scaling": {"resolution": [0.5, 1.0], "depths": [18, 50], "processes": [1, 2]},
            },
        },
    ],
    ids=["defaults", "awkward names", "settings", "primary", "stopping", "margins", "options", "lists"],
)
def test_the_command_asks_for_the_same_cells_judged_the_same_way(plan_of, read_back, values: dict[str, Any]):
    plan = plan_of(make_request(values))
    again = read_back(rerun_command(plan))
    assert plan_of(again).cells == plan.cells
    assert plan_of(again).questions == plan.questions
    assert again.model_dump(exclude={"options"}) == plan.request.model_dump(exclude={"options"})


def test_what_a_budget_cut_is_said_as_options_and_the_budget_is_not(plan_of, read_back):
    plan = plan_of(make_request({"studies": ("training", "accuracy"), "budget": 60.0}))
    assert plan.cuts
    command = rerun_command(plan)
    assert "budget" not in command
    again = read_back(command)
    assert again.budget is None
    assert [cell.key for cell in plan_of(again).cells] == [cell.key for cell in plan.cells]


def test_default_options_are_not_repeated(plan_of):
    plan = plan_of(make_request({"studies": ("training", "accuracy")}))
    assert rerun_command(plan) == (
        "netversus compare resnet50 resnet101 --data digits --seed 0 --study training --study accuracy"
    )


def test_one_study_brings_those_whose_weights_it_needs(plan_of, read_back):
    values = {"contenders": ("resnet50", "resnet101"), "studies": ("training", "accuracy")}
    plan = plan_of(make_request({**values, "options": {"training": {"samples": 64}, "accuracy": {"images": 100}}}))
    accuracy, training = (read_back(rerun_command(plan, name)) for name in ("accuracy", "training"))
    assert accuracy.studies == ("training", "accuracy")
    assert training.studies == ("training",)
    assert training.options == {"training": {"samples": "64"}}
    keys = {cell.key for cell in plan.cells}
    for request in (accuracy, training):
        assert {cell.key for cell in plan_of(request).cells} <= keys


def test_one_study_leaves_out_what_concerns_others_only(plan_of, read_back):
    plan = plan_of(
        make_request(
            {
                "studies": ("training", "accuracy"),
                "primary": "accuracy.top1",
                "stop_when_decided": True,
                "margins": {"accuracy.top1": 0.02, "training.train_time": 0.1},
            }
        )
    )
    request = read_back(rerun_command(plan, "training"))
    assert (request.primary, request.stop_when_decided) == ("", False)
    assert request.margins == {"training.train_time": 0.1}
    assert read_back(rerun_command(plan, "accuracy")).stop_when_decided


def test_options_of_every_type_come_back(add_study, plan_of, read_back):
    add_study("mine", __init__=STUDY)
    given = {"count": 5, "rate": 2.5e-7, "fast": True, "mode": "a b'c", "limit": 9}
    plan = plan_of(make_request({"studies": ("mine",), "options": {"mine": given}}))
    assert plan_of(read_back(rerun_command(plan))).cells == plan.cells
    assert plan.cells[0].options == given


def test_the_options_of_a_study_that_is_gone_are_all_said(add_study, plan_of, monkeypatch: pytest.MonkeyPatch):
    add_study("mine", __init__=STUDY)
    plan = plan_of(make_request({"studies": ("mine",)}))
    assert "--mine.count" not in rerun_command(plan)
    monkeypatch.setattr("netversus.report.rerun.find_studies", dict)
    assert "--mine.count 3 --mine.rate 0.001 --mine.fast false --mine.mode plain" in rerun_command(plan)
