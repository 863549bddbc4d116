"""A stored run gives the report that it always gave: on this machine, without torch.

Where a difference is meant: `PYTHONPATH=tests python -m golden.regenerate`, and read the diff.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .expected import FOLDER, NAMES, RUN, reports

NO_TORCH = """
import sys
class Refusing:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "timm"):
            raise ImportError(f"{name} is not installed")
sys.meta_path.insert(0, Refusing())
"""
HOW = "if this is meant: PYTHONPATH=tests python -m golden.regenerate"


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    copy = tmp_path_factory.mktemp("golden") / RUN.name
    shutil.copytree(RUN, copy)
    return reports(copy)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".json")])
def test_the_report_says_what_it_always_said(rebuilt: dict[str, str], name: str):
    assert rebuilt[name].splitlines() == (FOLDER / name).read_text(encoding="utf-8").splitlines(), HOW


def test_the_numbers_are_what_they_always_were(rebuilt: dict[str, str]):
    now, before = json.loads(rebuilt["report.json"]), json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))
    assert list(_differences(now, before)) == [], HOW


def _differences(now: Any, before: Any, where: str = "") -> list[str]:
    """Where two documents differ; sums may differ in the last digits from one processor to another."""
    if isinstance(now, dict) and isinstance(before, dict) and now.keys() == before.keys():
        return [line for key in now for line in _differences(now[key], before[key], f"{where}.{key}")]
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [line for i in range(len(now)) for line in _differences(now[i], before[i], f"{where}[{i}]")]
    if isinstance(now, float) and isinstance(before, float):
        return [] if math.isclose(now, before, rel_tol=1e-9, abs_tol=1e-12) else [f"{where}: {before} -> {now}"]
    return [] if now == before and type(now) is type(before) else [f"{where}: {before} -> {now}"]


def test_the_stored_run_is_small_and_holds_nothing_derived():
    files = [file for file in RUN.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 200_000
    assert not {"findings.json", "report.html", "lock"} & {file.name for file in files}


def test_the_report_of_a_stored_run_is_rebuilt_without_torch(tmp_path: Path):
    copy = tmp_path / "run"
    shutil.copytree(RUN, copy)
    program = f"{NO_TORCH}\nfrom netversus.cli.__main__ import main\nsys.exit(main(['report', {str(copy)!r}]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    page = (copy / "report.html").read_text(encoding="utf-8")
    headline = json.loads((FOLDER / "report.json").read_text(encoding="utf-8"))["headline"]
    assert headline.partition(": ")[0] in page
