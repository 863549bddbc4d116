"""The panel of priorities in a real browser: it says what Python says, live, by keyboard, and under a strict policy."""

from __future__ import annotations

import os
import shutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from math import isclose
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Template

from netversus.decide.choice import Field
from netversus.decide.levels import Level
from netversus.decide.priorities import Limit, Priorities
from netversus.decide.recommend import recommend
from netversus.report.priorities import (
    Shown,
    answer,
    field_of_view,
    flip_text,
    panel,
    priorities_html,
    priorities_script,
    row,
)
from netversus.report.view import ReportView
from report.conftest import example_of_many, example_view

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Debian's Chromium: apt-get install chromium")

PAGE = Template("""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>priorities</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{{ digest }}'; form-action 'none'">
</head><body><main><h1>Your priorities</h1>{{ panel }}</main><script>{{ script }}</script></body></html>""")


def with_levels(view: ReportView) -> ReportView:
    """The view with a level of 2 % around each contender's value."""
    sections = []
    for section in view.sections:
        levels = {}
        for finding in section.findings:
            for name, value in ((finding.a, finding.value_a), (finding.b, finding.value_b)):
                if not finding.slice and value is not None and np.isfinite(value):
                    ends = (value - 0.02 * abs(value), value + 0.02 * abs(value))
                    levels[finding.metric, name] = Level(
                        section.name, finding.metric, name, value, *ends, 0.95, 100, ""
                    )
        sections.append(replace(section, levels=tuple(levels.values())))
    return replace(view, sections=tuple(sections))


VIEWS = {"two": with_levels(example_view()), "many": with_levels(example_of_many())}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = driver.chromium.launch(executable_path=BROWSER, args=flags)
        yield opened
        opened.close()


class Page:
    """The panel of a view, opened from disk under a policy that allows its script alone."""

    def __init__(self, browser: Any, view: ReportView, folder: Path, *, script: bool = True) -> None:
        source = priorities_script()
        digest = b64encode(sha256(source.encode()).digest()).decode()
        path = folder / "page.html"
        path.write_text(PAGE.render(panel=priorities_html(view), script=source, digest=digest), encoding="utf-8")
        context = browser.new_context(java_script_enabled=script)
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    @property
    def answer(self) -> str:
        return self.page.inner_text("#priorities-answer")

    def field(self, kind: str, view: ReportView, name: str) -> Any:
        place = [axis["name"] for axis in panel(view)["axes"]].index(name)
        return self.page.locator(f'input[name={kind}][data-axis="{place}"]')


@pytest.fixture(params=VIEWS)
def shown(request: pytest.FixtureRequest, browser: Any, tmp_path: Path) -> tuple[ReportView, Page]:
    view = VIEWS[request.param]
    return view, Page(browser, view, tmp_path)


def cases(field: Field, model: dict[str, Any]) -> Iterator[tuple[list[float], list[float | None]]]:
    """Weights and limits an axis: the default, single ones, and many at random, at and around contenders' levels."""
    generator = np.random.default_rng(0)
    axes = model["axes"]
    yield [axis["weight"] for axis in axes], [None] * len(axes)
    yield [0.0] * len(axes), [None] * len(axes)
    for _ in range(40):
        weights = [
            float(round(generator.exponential(), 2)) if axis["weighable"] and generator.random() < 0.5 else 0.0
            for axis in axes
        ]
        limits: list[float | None] = []
        for axis in axes:
            ends = [end for level in axis["levels"] if level for end in level]
            chosen = ends and generator.random() < 0.3
            limits.append(float(generator.choice(ends) * generator.choice([0.97, 1.0, 1.01])) if chosen else None)
        yield weights, limits


def test_the_script_comes_to_python_s_numbers_and_sentences(shown: tuple[ReportView, Page]):
    view, opened = shown
    field, model = field_of_view(view), panel(view)
    data = {key: value for key, value in model.items() if key not in ("answer", "rows", "flips")}
    names = [axis["name"] for axis in model["axes"]]
    tried = list(cases(field, model))
    found = opened.page.evaluate(
        "([data, tried]) => tried.map(([w, t]) => { const f = priorities.recommend(data, w, t);"
        " return [f, priorities.tell(data, w, f)]; })",
        [data, tried],
    )
    answers = " ".join(told["answer"] for _, told in found)
    for key in ("sure", "ahead", "maybe", "none", "nothing"):  # the cases meet every kind of answer
        assert model["words"][key].partition("{choice}")[2 if key == "maybe" else 0] in answers, key
    for (weights, limits), (numbers, told) in zip(tried, found, strict=True):
        priorities = Priorities(
            dict(zip(names, weights, strict=True)),
            tuple(
                Limit(axis["name"], axis["atLeast"], limit)
                for axis, limit in zip(model["axes"], limits, strict=True)
                if limit is not None
            ),
        )
        python = recommend(field, priorities)
        chosen = None if numbers["choice"] is None else field.contenders[numbers["choice"]]
        assert (chosen, numbers["certain"]) == (python.choice, python.certain)
        for option, chance in zip(python.options, numbers["chances"], strict=True):
            assert (option.chance is None) == (chance is None)
            assert chance is None or isclose(chance, option.chance, abs_tol=1e-6)
        assert [(f["kind"], names[f["axis"]], f["side"]) for f in numbers["flips"]] == [
            (f.kind, f.axis, f.side) for f in python.flips
        ]
        for mine, theirs in zip(python.flips, numbers["flips"], strict=True):
            assert isclose(mine.at, theirs["at"], rel_tol=1e-9)
        assert told["answer"] == answer(priorities, python)
        assert told["rows"] == [row(option) for option in python.options]
        assert told["flips"] == [flip_text(field, flip) for flip in python.flips]


def test_the_page_opens_without_a_complaint_and_says_what_it_said_without_script(
    shown: tuple[ReportView, Page], browser: Any, tmp_path: Path
):
    view, opened = shown
    assert opened.complaints == []
    assert len(opened.asked) == 1  # the page itself
    still = Page(browser, view, tmp_path, script=False)
    assert still.answer == opened.answer == panel(view)["answer"]
    assert not still.page.is_visible("#priorities-form")
    assert opened.page.is_visible("#priorities-form")
    table = "#priorities-contenders"
    assert still.page.inner_text(table) == opened.page.inner_text(table)


def test_a_weight_typed_by_keyboard_turns_the_answer_and_reset_turns_it_back(browser: Any, tmp_path: Path):
    view = VIEWS["many"]
    opened = Page(browser, view, tmp_path)
    before = opened.answer
    box = opened.field("weight", view, "speed.latency")
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        if box.evaluate("box => box === document.activeElement"):
            break
    opened.page.keyboard.press("Control+A")
    opened.page.keyboard.type("50")
    assert opened.answer != before
    assert "resnet18@scratch" in opened.answer
    opened.page.keyboard.press("Enter")  # sends nothing
    opened.page.click("button[type=reset]")
    opened.page.wait_for_function("text => document.querySelector('#priorities-answer').innerText === text", arg=before)
    assert opened.complaints == []


def test_a_limit_in_the_shown_unit_shuts_contenders_out(browser: Any, tmp_path: Path):
    view = VIEWS["many"]
    opened = Page(browser, view, tmp_path)
    opened.field("limit", view, "speed.latency").fill("5")  # ms
    assert opened.answer.startswith("Take resnet18@scratch. No other contender keeps the limits.")
    opened.field("limit", view, "speed.latency").fill("1")
    assert opened.answer == "No contender keeps the limits."
    opened.field("limit", view, "speed.latency").fill("")
    assert opened.answer == panel(view)["answer"]


def test_every_field_has_a_name_and_the_answer_is_announced(shown: tuple[ReportView, Page]):
    _, opened = shown
    assert opened.page.get_attribute("#priorities-answer", "aria-live") == "polite"
    assert opened.page.locator("input").count() > 2
    for box in opened.page.locator("input").all():
        assert box.get_attribute("aria-label")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(opened.page)
    assert found.violations_count == 0, found.generate_report()


def test_hostile_names_are_text(browser: Any, tmp_path: Path):
    view = VIEWS["many"]
    opened = Page(browser, view, tmp_path)
    hostile = next(card.name for card in view.contenders if "<b>" in card.name)
    assert hostile in opened.page.inner_text("#priorities-contenders")
    assert opened.page.locator("#priorities b").count() == 0
    broken = replace(view, contenders=(replace(view.contenders[0], name="</script><script>x"), *view.contenders[1:]))
    assert str(priorities_html(broken)).count("</script>") == 1


def test_the_script_is_small_and_whole():
    assert len(priorities_script().encode()) < 8192
    assert "//" not in priorities_script()


@pytest.mark.parametrize(
    ("number", "unit", "said"),
    [
        (226826.0, Shown(1.0, ""), "226,826"),
        (50.0, Shown(1.0, "layers"), "50 layers"),
        (0.0302, Shown(1.0, ""), "0.0302"),
        (0.5, Shown(0.01, "%"), "50.0 %"),
    ],
)
def test_what_is_counted_one_by_one_is_whole(number: float, unit: Shown, said: str):
    assert unit.seen(number) == said
