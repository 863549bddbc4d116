"""`--lang` chooses the language of verdicts and report, and of nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rich.console import Console

from golden.expected import RUN
from netversus.api import open_run
from netversus.cli.__main__ import main
from netversus.cli.compare import _print_verdicts
from netversus.errors import EXIT_OK, EXIT_USAGE, OptionError
from netversus.messages import language, speaking


@pytest.fixture
def run(tmp_path: Path) -> Path:
    copy = tmp_path / "run"
    shutil.copytree(RUN, copy)
    return copy


def test_a_stored_run_is_reported_in_chinese(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report", str(run), "--lang", "zh"]) == EXIT_OK
    assert capsys.readouterr().out.strip().endswith("report.zh.html")
    assert '<html lang="zh' in (run / "report.zh.html").read_text(encoding="utf-8")
    assert not (run / "report.html").exists()
    assert language() == "en"


def test_the_english_report_is_not_overwritten(run: Path):
    opened = open_run(run)
    opened.report()
    before = (run / "report.html").read_text(encoding="utf-8")
    opened.report(lang="zh")
    assert (run / "report.html").read_text(encoding="utf-8") == before


def test_a_report_of_any_format_is_in_the_language_that_was_asked_for(run: Path, tmp_path: Path):
    opened = open_run(run)
    text = Path(opened.report(tmp_path / "report.md", lang="zh")).read_text(encoding="utf-8")
    assert "## 评分表" in text
    assert "Score card" not in text
    assert "## Score card" in Path(opened.report(tmp_path / "report.md")).read_text(encoding="utf-8")
    assert "判定" in opened.table("zh")


@pytest.mark.parametrize("arguments", [["compare", "resnet50", "resnet101"], ["report", str(RUN)]], ids=lambda a: a[0])
def test_an_unknown_language_is_refused_in_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main([*arguments, "--lang", "fr"]) == EXIT_USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "netversus: a report is written in one of en, zh, got 'fr'\n"


def test_an_unknown_language_is_an_error_from_python_too(run: Path):
    with pytest.raises(OptionError):
        open_run(run).report(lang="de")


def test_the_verdicts_at_the_end_are_told_in_chinese(run: Path):
    screen = Console(record=True, width=200, force_terminal=False)
    with speaking("zh"):
        _print_verdicts(screen, open_run(run))
    text = screen.export_text()
    assert "评测项" in text
    assert "B 更优" in text
    assert "better" not in text
