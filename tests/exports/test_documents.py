"""Model card, LaTeX, pull request, TensorBoard: read back by those who read them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from netversus.analyse import analyse
from netversus.exports import export
from netversus.exports.formats.latex import tex
from netversus.records import Role
from netversus.report import build_view
from netversus.store import RunStore

from .conftest import NAMES

HOSTILE = "data | <b>x</b> @everyone #1 `code` \\end{table} 50% $x$ {a}_b^c~&\n---\n[l](http://evil.example)"


def test_the_hub_reads_a_card_for_each_contender_with_what_was_measured(run: RunStore, tmp_path: Path):
    paths = export(run, "model-card", tmp_path / "cards")
    assert len(paths) == len(NAMES)
    top1 = next(f for f in analyse(run) if f.metric == "top1" and not f.slice)
    wanted = {top1.a: top1.value_a, top1.b: top1.value_b}
    for path in paths:
        card = ModelCard.load(path)
        results = {each.metric_name: each for each in card.data.eval_results}
        name = card.data.model_name
        assert results["accuracy.top1"].metric_type == "accuracy"
        assert results["accuracy.top1"].task_type == "image-classification"
        assert results["accuracy.top1"].dataset_name == "digits"
        assert results["accuracy.top1"].metric_value == wanted[name]
        other = next(each for each in NAMES if each != name)
        assert f"beside {other}." in card.text
        right = round(300 * wanted[name])
        low, high = _wilson(right, 300)
        assert f"(95 % interval {100 * low:.1f} % to {100 * high:.1f} %)" in card.text


def _wilson(right: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's interval by its formula."""
    share = right / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


def test_one_contender_has_one_card(run: RunStore, tmp_path: Path):
    (path,) = export(run, "model-card", tmp_path / "cards", contenders=(NAMES[1],))
    assert ModelCard.load(path).data.model_name == NAMES[1]


def test_a_hostile_name_changes_neither_the_header_nor_the_text_of_a_card(
    renamed: Callable[[str], RunStore], tmp_path: Path
):
    for path in export(renamed(HOSTILE), "model-card", tmp_path / "cards"):
        card = ModelCard.load(path)
        assert card.data.datasets == [HOSTILE.replace("\n", "\\n")]
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(card.text)
        kinds = {t.type for t in tokens} | {c.type for t in tokens for c in t.children or ()}
        assert not kinds & {"html_block", "html_inline", "link_open", "hr", "image"}


def test_tensorboard_reads_the_curves_and_the_scalars_that_were_stored(run: RunStore, tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs it")
    paths = export(run, "tensorboard", tmp_path / "events")
    assert len(paths) == 5  # two contenders' curves and levels, and one pair
    evidence = {cell.contenders[0]: cell for cell in run.plan().cells if cell.study == "training"}
    for name in NAMES:
        (folder,) = {p.parent for p in paths if p.parent.name == "seed-0" and name.split(":")[2][:4] in str(p)}
        events = accumulator.EventAccumulator(str(folder)).Reload()
        curve = run.cell(evidence[name]).observations()[name, "curve_test_top1"]
        seen = events.Scalars("training/curve_test_top1")
        assert [event.step for event in seen] == [int(unit.removeprefix("samples-")) for unit in curve.units]
        np.testing.assert_allclose([event.value for event in seen], curve.values, rtol=1e-6)
        assert "training/fit_top1" not in events.Tags()["scalars"]  # over images: no curve
        levels = accumulator.EventAccumulator(str(folder.parent)).Reload()
        assert "accuracy/top1" in levels.Tags()["scalars"]
    top1 = next(f for f in analyse(run) if f.metric == "top1" and not f.slice)
    assert top1.effect is not None
    (folder,) = {p.parent for p in paths if "against" in str(p)}
    pair = accumulator.EventAccumulator(str(folder)).Reload()
    assert pair.Scalars("accuracy/top1/low")[0].value == pytest.approx(top1.effect.low, rel=1e-6)


def test_the_same_run_gives_the_same_event_files(run: RunStore, tmp_path: Path):
    once, twice = (export(run, "tensorboard", tmp_path / name) for name in ("a", "b"))
    assert [p.read_bytes() for p in once] == [p.read_bytes() for p in twice]


def _checked_latex(source: str) -> None:
    """No compiler is at hand: braces and environments balance, every row has its columns, no bare special is left."""
    body = re.sub(r"(?m)^%.*$", "", source)
    plain = re.sub(r"\\[\\{}$&#_%]", "", body)
    depth = 0
    for sign in plain:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z]+)\}", body):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    assert plain.count("$") % 2 == 0
    assert not re.search(r"[#%~^_]", re.sub(r"\$[^$]*\$", "", plain))
    for table in re.findall(r"\\toprule(.*?)\\bottomrule", body, re.DOTALL):
        rows = [row for row in table.replace(r"\midrule", "").split(r"\\" + "\n") if row.strip()]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {7}


def test_the_latex_table_is_balanced_and_says_each_question(run: RunStore, tmp_path: Path):
    (path,) = export(run, "latex", tmp_path / "t.tex")
    source = path.read_text(encoding="utf-8")
    _checked_latex(source)
    assert r"\textbf{accuracy.top1}" in source
    assert source.count(r"\toprule") == 1
    assert r"$-$" in source
    assert re.sub(r"(?m)^%.*$", "", source).isascii()


def test_a_hostile_name_stays_text_in_latex(renamed: Callable[[str], RunStore], tmp_path: Path):
    (path,) = export(renamed(HOSTILE), "latex", tmp_path / "t.tex")
    source = path.read_text(encoding="utf-8")
    _checked_latex(source)
    assert source.count(r"\end{table}") == 1
    assert r"\textbackslash{}end\{table\} 50\% \$x\$ \{a\}\_b\textasciicircum{}c\textasciitilde{}\&" in source


def test_each_special_sign_of_latex_is_escaped():
    assert tex(r"\{}$&#_%~^") == (r"\textbackslash{}\{\}\$\&\#\_\%\textasciitilde{}\textasciicircum{}")


def test_a_comment_begins_with_the_verdict_and_folds_the_rest(run: RunStore, tmp_path: Path):
    (path,) = export(run, "markdown-pr", tmp_path / "c.md", report="https://ci.example/a b)/report.html")
    comment = path.read_text(encoding="utf-8")
    view = build_view(run, analyse(run))
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(comment)
    assert tokens[1].content.replace("\\", "").replace("<!-- -->", "") == view.headline
    unfolded = comment.partition("<details>")[0]
    assert len(unfolded) < 4000
    primary = next(f for f in view.findings if f.role is Role.PRIMARY and not f.slice)
    assert f"{primary.study}.{primary.metric}" in unfolded
    assert comment.count("<details>") == comment.count("</details>") == 2
    assert (
        "[The whole report](<https://ci.example/a%20b%29/report.html>)" in comment or "a%20b)/report.html>)" in comment
    )
    assert "netversus compare" in comment


def test_a_comment_calls_nobody_and_holds_no_markup_of_others(renamed: Callable[[str], RunStore], tmp_path: Path):
    (path,) = export(renamed(HOSTILE), "markdown-pr", tmp_path / "c.md")
    comment = path.read_text(encoding="utf-8")
    outside = re.sub(r"```.*?```", "", comment, flags=re.DOTALL)
    assert not re.search(r"(?<![\w&])[@#]\w", outside)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(comment)
    html = [t.content for t in tokens if t.type == "html_block"]
    html += [c.content for t in tokens for c in t.children or () if c.type == "html_inline"]
    ours = re.compile(r"</?(details|summary)>|<!-- -->")
    assert not any("<" in ours.sub("", piece) for piece in html)
    assert not any(c.type == "link_open" for t in tokens for c in t.children or ())
