"""The example on CONTRIBUTING's page is real: taken from the page, it is found, runs, and keeps the contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from contract import suite
from netversus.studies import get_study


@pytest.fixture
def mirror(repository: Path, add_study: Callable[..., None]):
    text = (repository / "CONTRIBUTING.md").read_text()
    declaration, measure = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    add_study("mirror", __init__=declaration, measure=measure)
    return get_study("mirror")


def test_the_example_is_declared_whole(mirror):
    suite.options_are_declared_whole(mirror)
    suite.questions_are_whole(mirror)
    suite.cost_is_pure_and_grows_with_the_rates(mirror)


def test_the_example_measures(mirror, tmp_path: Path):
    suite.observes_every_metric_of_every_contender(mirror, tmp_path)


def test_the_example_does_not_depend_on_who_else_is_measured(mirror, tmp_path: Path):
    suite.does_not_depend_on_who_else_is_measured(mirror, tmp_path)


def test_the_example_resumes(mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    suite.resumes_to_the_same_end(mirror, tmp_path, monkeypatch)
