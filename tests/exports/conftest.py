"""The stored run that exports are made from, and the same with hostile names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from netversus.store import RunStore

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
NAMES = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")


@pytest.fixture(scope="module")
def run() -> RunStore:
    return RunStore.open(GOLDEN)


@pytest.fixture
def renamed(tmp_path: Path) -> Callable[[str], RunStore]:
    """The stored run with another name of its data: it comes from outside, and is in every export."""

    def rename(name: str) -> RunStore:
        shutil.copytree(GOLDEN, tmp_path / "renamed")
        plan = tmp_path / "renamed" / "plans" / "0001.json"
        values = json.loads(plan.read_text())
        values["data"]["name"] = name
        values["request"]["data"] = name
        plan.write_text(json.dumps(values))
        return RunStore.open(tmp_path / "renamed")

    return rename
