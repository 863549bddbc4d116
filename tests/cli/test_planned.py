"""A plan as it is printed stays readable, whatever its size, and leaves nothing out."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from netversus.cli.planned import MOST_CELLS, print_plan
from netversus.execute.passes import passes
from netversus.plan import Plan, make_plan
from netversus.records import ContenderCard, DataCard, Rates
from netversus.request import make_request

DECLARATION = """
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Study

STUDY = Study(
    name="{name}",
    question="?",
    questions=(Question("value", "?", Scale.MEAN, Direction.HIGHER, "", "number"),),
    cost=lambda options, work: Cost(seconds=60.0 * len(work.rates)),
    seeded={seeded},
    together={together},
    default=False,
)
"""
STUDIES = tuple(f"question{number:02d}" for number in range(15))


@pytest.fixture
def studies(add_study: Callable[..., None]) -> None:
    """Fifteen: all but the last trained under each seed; the last takes all contenders together."""
    for name in STUDIES:
        last = name == STUDIES[-1]
        add_study(name, __init__=DECLARATION.format(name=name, seeded=not last, together=last), measure="")


def a_plan(make_card: Callable[..., ContenderCard], contenders: int, repeats: int) -> Plan:
    names = [f"timm:resnet{18 + number}.a1_in1k_long@pretrained" for number in range(contenders)]
    cards = [make_card(name) for name in names]
    data = DataCard("many", "many", "many", ("a", "b"), {"train": 1_281_167, "test": 50_000}, None)
    request = make_request({"contenders": names, "studies": STUDIES, "repeats": repeats})
    return make_plan(request, cards, data, {name: Rates(0.01, 0.03, 10**6, measured=False) for name in names}, "cpu")


def printed(plan: Plan, width: int = 120) -> str:
    screen = Console(file=io.StringIO(), width=width, highlight=False)
    print_plan(screen, plan)
    return screen.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 120])
def test_twenty_contenders_fifteen_studies_and_five_seeds_fit_a_page(studies, make_card, width: int):
    plan = a_plan(make_card, 20, 5)
    assert len(plan.cells) == 14 * 20 * 5 + 1
    text = printed(plan, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < 2 * 20 + 15 + 10  # a long name takes two lines of a narrow terminal
    assert "1,401 cells" in text
    for name in STUDIES[:-1]:  # 20 contenders, 5 seeds, a minute each
        (row,) = [line for line in lines if name in line]
        assert re.split(r"\s*│\s*", row.strip("│ ")) == [name, "all 20", "0 to 4", "100", "1 h 40 min"]
    (row,) = [line for line in lines if STUDIES[-1] in line]
    assert re.split(r"\s*│\s*", row.strip("│ ")) == [STUDIES[-1], "all 20", "0", "1", "20 min"]
    for card in plan.contenders:
        assert text.count(f"{card.name}:") == 1
    assert "in all     23 h 40 min" in text


def test_what_is_not_run_is_counted_apart_with_its_reason(studies, make_card):
    plan = a_plan(make_card, 20, 5)
    out = {card.name for card in plan.contenders[:5]}
    cells = [
        replace(c, blocked="no boxes") if c.study == STUDIES[0] and c.contenders[0] in out else c for c in plan.cells
    ]
    text = " ".join(printed(replace(plan, cells=tuple(cells)), 300).split())
    assert f"{STUDIES[0]} │ timm:resnet18.a1_in1k_long@pretrained, " in text
    assert "and 2 more │ 0 to 4 │ 25 │ not run: no boxes" in text
    assert re.search(rf"{STUDIES[0]} │ [^│]* and 12 more │ 0 to 4 │ 75 │ 75 min", text)


def test_a_pass_of_many_contenders_is_a_line_and_of_few_names_them_all(studies, make_card):
    (work, *_) = passes(a_plan(make_card, 20, 1).cells, lambda _: False)
    assert work.label == (
        "question00 of timm:resnet18.a1_in1k_long@pretrained, timm:resnet19.a1_in1k_long@pretrained, "
        "timm:resnet20.a1_in1k_long@pretrained and 17 more"
    )
    (work, *_) = passes(a_plan(make_card, 4, 1).cells, lambda _: False)
    assert work.label.count("timm:") == 4


def test_few_cells_are_printed_each(studies, make_card):
    plan = a_plan(make_card, 2, 1)
    assert len(plan.cells) <= MOST_CELLS
    text = printed(plan)
    for cell in plan.cells:
        assert re.search(rf"{cell.study} *│ {re.escape(cell.contenders[0])}", text)


def test_what_data_without_images_of_classes_hold_is_told(studies, make_card):
    plan = a_plan(make_card, 2, 1)
    holds = {"classes": (), "splits": {}, "box_classes": ("ring",) * 3}
    boxes = replace(plan, data=replace(plan.data, **holds, frames={"train": 1200, "test": 30}))
    assert "data       many: 1,200 train, 30 test pictures with boxes; 3 classes" in printed(boxes)
    tracks = replace(plan, data=replace(plan.data, **holds, sequences={"test": 7}))
    assert "data       many: 7 test sequences with tracks; 3 classes" in printed(tracks)
