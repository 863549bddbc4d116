"""A report as files: one, unless its pictures would make the page too large."""

from __future__ import annotations

from pathlib import Path

import pytest

from netversus.report.view import ReportView
from netversus.report.writer import files, write

from .conftest import PNG


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netversus.report.sidecar.LIMIT", 1000)


def test_a_small_page_is_one_file(view: ReportView):
    assert list(files(view, "report.html")) == ["report.html"]


@pytest.mark.usefixtures("small_limit")
def test_pictures_of_a_large_page_come_before_it_in_a_folder_of_its_name(view: ReportView, tmp_path: Path):
    *pictures, page = files(view, "mine.html").items()
    assert page[0] == "mine.html"
    assert b"data:image/" not in page[1]
    assert [content for _, content in pictures] == [PNG]
    write(view, tmp_path / "mine.html")
    (picture,) = (tmp_path / "mine_files").iterdir()
    assert picture.read_bytes() == PNG
    assert f'src="mine_files/{picture.name}"' in (tmp_path / "mine.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("small_limit")
def test_other_formats_are_one_file_whatever_their_size(view: ReportView):
    for name in ("report.md", "report.json", "report.csv"):
        assert list(files(view, name)) == [name]
