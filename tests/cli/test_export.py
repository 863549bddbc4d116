"""`export`: what it writes, what it refuses, and that it loads no torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netversus.exports import find_formats

GOLDEN = Path(__file__).parents[1] / "golden" / "run"


@pytest.fixture
def run(tmp_path: Path) -> str:
    shutil.copytree(GOLDEN, tmp_path / "run")
    return str(tmp_path / "run")


def test_every_format_is_named_by_the_help_and_written(netversus, run: str, tmp_path: Path):
    said = netversus("export", "--help").out
    for form in find_formats().values():
        assert form.name in said
        ended = netversus("export", run, "--as", form.name, "--out", f"out/{form.name}{form.single}")
        assert ended.code == 0, ended.err
        for line in ended.out.splitlines():
            assert (tmp_path / line).stat().st_size > 0


def test_a_format_is_found_by_its_file_alone(repository: Path):
    files = {path.stem for path in (repository / "src/netversus/exports/formats").glob("[a-z]*.py")}
    assert len(files) == len(find_formats())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "latecks", "--out", "t.tex"), "did you mean latex"),
        (("--as", "word", "--out", "t.doc"), "the formats are csv, latex"),
        (("--as", "latex", "--out", "t.txt"), "must end in .tex"),
        (("--as", "csv", "--out", "run"), "holds something already"),
        (("--as", "csv", "--out", "new", "--contender", "a"), "--contender does not go with it"),
        (("--as", "model-card", "--out", "new", "--contender", "a"), "there is no contender 'a'"),
        (("--as", "latex", "--out", "t.tex", "--lang", "tlh"), "--lang must be one of"),
    ],
)
def test_what_cannot_be_is_one_line(netversus, run: str, tmp_path: Path, words: tuple[str, ...], said: str):
    ended = netversus("export", run, *words)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_missing_extra_is_named(netversus, run: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("netversus.exports.writing.find_spec", lambda name: None)
    ended = netversus("export", run, "--as", "tensorboard", "--out", "events")
    assert ended.code == 2
    assert "netversus[tensorboard]" in ended.err


def test_a_place_that_cannot_be_written_is_one_line(netversus, run: str, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    ended = netversus("export", run, "--as", "latex", "--out", "file/t.tex")
    assert ended.code == 2
    assert "cannot write file/t.tex" in ended.err


def test_an_export_loads_no_torch(run: str, tmp_path: Path):
    script = (
        "import sys\nfrom netversus.cli.__main__ import main\n"
        "for name in ('parquet', 'model-card', 'tensorboard'):\n"
        f"    assert main(['export', {run!r}, '--as', name, '--out', {str(tmp_path)!r} + '/' + name]) == 0\n"
        "sys.exit(str(sorted({'torch', 'torchvision', 'timm'} & set(sys.modules)) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""
