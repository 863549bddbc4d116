"""The command line in this process: what it prints, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from netversus.cli.__main__ import main

TINY = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
QUICK = (
    *("--study", "training", "--study", "accuracy"),
    *("--training.samples", "64", "--training.rounds", "2", "--training.curve-images", "20"),
    *("--accuracy.images", "120"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def netversus(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Ended:
        code = main(arguments)
        out, err = capsys.readouterr()
        return Ended(code, out, err)

    return run


@pytest.fixture
def quick_run(netversus: Callable[..., Ended], tmp_path: Path) -> Path:
    """A small finished run."""
    done = netversus("compare", *TINY, *QUICK, "--out", str(tmp_path / "run"))
    assert done.code == 0, done.err + done.out
    return tmp_path / "run"
