"""A run folder becomes a view, whatever the studies of others do, and without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netversus.analyse import analyse
from netversus.errors import OptionError, RunFolderError
from netversus.exhibits import Block, Chart, Diagram, Heatmap, Series, Table, Text
from netversus.plan import make_plan
from netversus.records import ContenderCard, DataCard, Done, Failed, Observations, Session
from netversus.report import build_view, write
from netversus.report.soundness import flaw
from netversus.report.view import ReportView
from netversus.report.writer import FORMATS
from netversus.request import make_request
from netversus.store import RunStore

IMAGES = 200
MINE = """
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Study

STUDY = Study(
    name="mine",
    question="What do they weigh?",
    questions=(Question("weight", "Which is lighter?", Scale.FACT, Direction.LOWER, "bytes", "contender"),),
    cost=lambda options, work: Cost(seconds=1.0),
    default=False,
)
"""


@pytest.fixture
def measured(
    tmp_path: Path, make_card: Callable[..., ContenderCard], data_card: DataCard, rates: Callable[..., Any]
) -> Callable[..., RunStore]:
    """A run of some studies whose cells are all done, with observations written by hand."""

    def make(*studies: str, names: Sequence[str] = ("a", "b"), **settings: object) -> RunStore:
        cards = [make_card(name, weights="x") for name in names]
        request = make_request({"contenders": names, "studies": studies, **settings})
        store = RunStore.create(tmp_path / "run")
        plan = make_plan(request, cards, data_card, rates(*names), "cpu")
        store.add_plan(plan)
        store.add_session(Session("2025-11-24T14:03:12+00:00", "netversus compare", {"python": "3.11"}, {"cores": "2"}))
        rng = np.random.default_rng(0)
        units = tuple(f"test/{i:05d}" for i in range(IMAGES))
        for number, cell in enumerate(plan.cells):
            (name,) = cell.contenders
            if cell.study == "accuracy":
                right = tuple((rng.random(IMAGES) < 0.6 + 0.3 * number).astype(float).tolist())
                seen = [Observations(name, "top1", units, right), Observations(name, "confidence", units, right)]
            else:
                seen = [Observations(name, "weight", (name,), (float(100 + number),))]
            store.cell(cell).append(seen)
            store.cell(cell).end(Done(cell.key, 3.0, IMAGES))
        return store

    return make


def _view(store: RunStore) -> ReportView:
    return build_view(store, analyse(store))


def test_a_view_holds_what_the_run_holds(measured: Callable[..., RunStore]):
    store = measured("accuracy", margins={"accuracy.top1": 0.02}, level=0.9)
    view = _view(store)
    plan = store.plan()
    assert view.run_id == "run"
    assert view.created == store.created
    assert view.contenders == plan.contenders
    assert view.findings == analyse(store)
    assert (view.level, view.seed, view.repeats, view.device) == (0.9, 0, 1, "cpu")
    assert view.margins == {"accuracy.top1": 0.02}
    assert view.sessions == store.sessions()
    (section,) = view.sections
    assert section.questions == plan.questions["accuracy"]
    assert [cell for cell, _ in section.cells] == list(plan.cells)
    assert all(isinstance(outcome, Done) for _, outcome in section.cells)
    assert "# accuracy" in section.method
    assert [type(e) for e in section.exhibits] == [Table, Table, Chart]


def test_the_words_at_the_top_follow_from_the_findings(measured: Callable[..., RunStore]):
    view = _view(measured("accuracy"))
    assert view.headline.startswith("Take b: it is more accurate than a by ")
    assert view.reasons[0].startswith("Which contender's first answer is right more often? b is better than a")
    assert view.caveats == ()


def test_a_failed_cell_is_counted_among_the_caveats(measured: Callable[..., RunStore]):
    store = measured("accuracy")
    cell = store.plan().cells[0]
    store.cell(cell).end(Failed(cell.key, "out of memory"))
    view = _view(store)
    assert view.caveats[-1].startswith("1 planned cell was not measured whole")
    assert isinstance(view.sections[0].cells[0][1], Failed)


def test_a_baseline_reaches_the_view(measured: Callable[..., RunStore]):
    view = _view(measured("accuracy", names=("a", "b", "c"), baseline="b"))
    assert view.baseline == "b"
    assert {(f.a, f.b) for f in view.findings if not f.slice} == {("b", "a"), ("b", "c")}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {},
            "The primary question has the whole error rate for itself. The 4 secondary comparisons share the same rate",
        ),
        ({"names": ("a", "b", "c")}, "The 3 comparisons on the primary question share the whole error rate. The 12 "),
        ({"names": ("a", "b", "c"), "baseline": "a"}, "The 2 comparisons on the primary question share"),
    ],
)
def test_how_the_error_rate_was_shared_is_said(measured: Callable[..., RunStore], settings: dict, said: str):
    assert _view(measured("accuracy", **settings)).multiplicity.startswith(said)


# -- studies of others


def test_a_study_without_exhibits_is_shown_with_its_findings(measured: Callable[..., RunStore], add_study):
    add_study("mine", __init__=MINE)
    (section,) = _view(measured("mine")).sections
    assert section.exhibits == ()
    assert section.method == ""
    assert len(section.findings) == 1


@pytest.mark.parametrize(
    ("source", "kept", "said"),
    [
        ("def exhibit(evidence):\n    raise ValueError('no\\nluck')", 0, "could not be made: ValueError: no luck"),
        ("def exhibit(evidence):\n    yield Text('one')\n    1 / 0", 1, "could not be made: ZeroDivisionError"),
        ("def exhibit(evidence):\n    return None", 0, "could not be made: TypeError"),
        ("def exhibit():\n    return ()", 0, "could not be made: TypeError"),
        ("import a_package_that_is_not_there", 0, "could not be made: ModuleNotFoundError"),
        ("def exhibit(evidence)\n", 0, "could not be made: SyntaxError"),
        ("other = 1", 0, "could not be made: AttributeError"),
        ("def exhibit(evidence):\n    yield 7\n    yield Text('two')", 1, "is left out: expected a Text, Table, Chart"),
        ("def exhibit(evidence):\n    yield Table('t', ('x', 'y'), ((1,),))", 0, "row 1 of 't' has 1 cells under 2"),
    ],
)
def test_a_study_whose_exhibit_raises_does_not_take_the_report_down(
    measured: Callable[..., RunStore], add_study, tmp_path: Path, source: str, kept: int, said: str
):
    add_study("mine", __init__=MINE, exhibit=f"from netversus.exhibits import Table, Text\n\n{source}\n")
    view = _view(measured("mine"))
    (section,) = view.sections
    texts = [e.text for e in section.exhibits if isinstance(e, Text)]
    assert len(texts) == kept + 1
    assert any(said in text for text in texts), texts
    assert len(section.findings) == 1
    for suffix in FORMATS:
        write(view, tmp_path / f"report{suffix}")


def test_a_study_that_is_gone_is_shown_with_its_findings_and_a_note(
    measured: Callable[..., RunStore], add_study, monkeypatch: pytest.MonkeyPatch
):
    add_study("mine", __init__=MINE)
    store = measured("mine")
    for module in ("build", "rerun"):
        monkeypatch.setattr(f"netversus.report.{module}.find_studies", dict)
    (section,) = _view(store).sections
    assert section.exhibits == (Text("The study mine is not installed here, so its tables and charts are not shown."),)
    assert section.question == "What do they weigh?"
    assert len(section.findings) == 1
    assert section.rerun.startswith("netversus compare a b")


def test_a_study_that_observed_nothing_shows_nothing(measured: Callable[..., RunStore], tmp_path: Path):
    store = measured("accuracy")
    parts = list((tmp_path / "run").glob("cells/*/observations-*"))
    assert parts
    for part in parts:
        part.unlink()
    (section,) = _view(store).sections
    assert section.exhibits == section.findings == ()


def test_a_run_without_a_plan_is_refused(tmp_path: Path):
    with pytest.raises(RunFolderError, match="holds no plan"):
        build_view(RunStore.create(tmp_path / "run"), ())


NAN = float("nan")


@pytest.mark.parametrize(
    ("exhibit", "said"),
    [
        (Text("fine"), ""),
        (Text(7), "a Text holds a str, got int"),  # type: ignore[arg-type]
        (Table("t", ("a",), ((1,), (None,), ("x",), (NAN,), (np.int64(3),))), ""),
        (Table("t", ("a",), ((1, 2),)), "row 1 of 't' has 2 cells under 1 columns"),
        (Table("t", ("a",), (([],),)), "a cell of 't' is neither text nor a number"),  # type: ignore[arg-type]
        (Chart("c", "line", "x", "y", (Series("s", (1.0,), (NAN,)),), "d"), ""),
        (Chart("c", "pie", "x", "y", (), "d"), "'c' is a chart of kind 'pie', known are line, bar, dot"),
        (Chart("c", "bar", "x", "y", (Series("s", ("a",), ()),), "d"), "series 's' has 1 x and 0 y"),
        (Chart("c", "bar", "x", "y", (Series("s", ("a",), (1.0,), low=(0.0,)),), "d"), "1 and 0 ends for 1 values"),
        (Chart("c", "bar", "x", "y", (Series("s", ("a",), ("b",)),), "d"), "holds what is no number"),  # type: ignore[arg-type]
        (Heatmap("h", "y", "x", ("a",), ("b", "c"), ((0.5, None),), "d"), ""),
        (Heatmap("h", "y", "x", ("a",), ("b", "c"), ((0.5,),), "d"), "the values of 'h' are not 1 rows of 2"),
        (Heatmap("h", "y", "x", ("a",), ("b",), (("c",),), "d"), "'h' holds what is no number"),  # type: ignore[arg-type]
        (Heatmap("h", "y", "x", ("a",), ("b",), ((1.0,),), "d", low=1.0), "'h' reaches from 1.0 to 1.0"),
        (Diagram("d", (("a", (Block("b", 3),)),), "d"), ""),
        (Diagram("d", (("a", (Block("b", -3),)),), "d"), "block 'b' of 'd' has -3 units"),
        ({"title": "no exhibit"}, "expected a Text, Table, Chart, Heatmap, Diagram or Gallery, got dict"),
    ],
)
def test_what_cannot_be_shown_is_named(exhibit: object, said: str):
    assert (said in flaw(exhibit)) if said else flaw(exhibit) == ""


# -- writing


@pytest.mark.parametrize(("name", "begins"), [("r.html", "<!DOCTYPE html>"), ("r.HTM", "<!DOCTYPE html>"),
                                              ("r.md", "# "), ("r.json", "{"), ("r.csv", "study,metric")])  # fmt: skip
def test_the_suffix_chooses_the_format(view: ReportView, tmp_path: Path, name: str, begins: str):
    write(view, tmp_path / "new folder" / name)
    assert (tmp_path / "new folder" / name).read_text(encoding="utf-8").startswith(begins)


@pytest.mark.parametrize(("name", "said"), [("r.pdf", "got '.pdf'"), ("r.htlm", "did you mean .htm or .html?"),
                                            ("report", "got a name without one")])  # fmt: skip
def test_an_unknown_suffix_is_refused_before_anything_is_written(
    view: ReportView, tmp_path: Path, name: str, said: str
):
    with pytest.raises(OptionError) as error:
        write(view, tmp_path / name)
    assert said in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(view: ReportView, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot write the report"):
        write(view, tmp_path / "file" / "r.html")


def test_a_report_that_fails_leaves_the_old_one_alone(view: ReportView, tmp_path: Path):
    target = tmp_path / "r.json"
    write(view, target)
    before = target.read_bytes()
    broken = replace(view, budget=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        write(broken, target)
    assert target.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["r.json"]


def test_no_renderer_loads_torch():
    program = (
        "import sys, netversus.report, netversus.analyse\n"
        "from importlib import import_module\n"
        "from netversus.report.writer import FORMATS\n"
        "[import_module(f'netversus.report.{module}') for module in FORMATS.values()]\n"
        "print([m for m in ('torch', 'torchvision', 'timm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
