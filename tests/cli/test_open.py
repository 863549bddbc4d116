"""`compare --open`: the report in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from netversus.cli.compare import _open


def test_the_report_is_opened_by_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    monkeypatch.chdir(tmp_path)
    _open(Console(), Path("a b#c.html"))
    assert opened == [(tmp_path / "a b#c.html").as_uri()]


def test_where_there_is_no_browser_or_no_file_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    _open(Console(), tmp_path / "report.html")
    _open(Console(), "s3://bucket/run/report.html")
    assert capsys.readouterr().out.count("no browser could be opened") == 2
