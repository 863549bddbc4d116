"""`recommend`: the answer, the exit codes, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WIDE = "py:tiny_nets:wide@scratch"


@pytest.fixture
def stored(repository: Path) -> str:
    """A stored run: the wide network is right on 30 % of 300 images, the narrow one on 10 %."""
    return str(repository / "tests" / "golden" / "run")


def test_without_priorities_the_primary_question_decides(netversus, stored: str):
    ended = netversus("recommend", stored)
    assert ended.code == 0
    assert f"Take {WIDE}." in ended.out


def test_the_answer_for_machines_is_whole(netversus, stored: str):
    ended = netversus("recommend", stored, "--weight", "accuracy.top1=2", "--at-least", "accuracy.top1=20%", "--json")
    found = json.loads(ended.out)
    assert ended.code == found["exit_code"] == 0
    assert (found["choice"], found["certain"]) == (WIDE, True)
    assert found["weights"] == {"accuracy.top1": 2.0}
    assert found["limits"] == [{"axis": "accuracy.top1", "at_least": True, "threshold": 0.2}]
    assert [option["fit"] for option in found["contenders"]] == ["no", "surely"]


def test_a_limit_that_nobody_keeps_fails(netversus, stored: str):
    ended = netversus("recommend", stored, "--at-least", "accuracy.top1=99%")
    assert ended.code == 3
    assert "No contender keeps the limits." in ended.out


def test_a_limit_within_an_interval_is_undecided(netversus, stored: str):
    ended = netversus("recommend", stored, "--at-least", "accuracy.top1=30%")
    assert ended.code == 4
    assert "whether it keeps the limits is not certain" in " ".join(ended.out.split())


def test_a_question_without_an_interval_cannot_be_judged_on(netversus, stored: str):
    ended = netversus("recommend", stored, "--weight", "training.train_time=1")
    assert ended.code == 5
    assert "no contender was measured on all that is asked" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--weight", "accuracy.top2=1"), "did you mean"),
        (("--weight", "accuracy.top1"), "study.metric=value"),
        (("--weight", "accuracy.top1=-1"), "from 0 on"),
        (("--weight", "accuracy.top1=0"), "nothing has a weight"),
        (("--weight", "training.fit_top1=1"), "cannot be weighed"),
        (("--at-most", "accuracy.top1=75"), "write 0.75 or 75%"),
        (("--at-least", "speed.latency=1"), "there is no study 'speed' in this run"),
    ],
)
def test_wrong_use_ends_with_2_and_one_line(netversus, stored: str, arguments: tuple[str, ...], told: str):
    ended = netversus("recommend", stored, *arguments)
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1
