"""Every study that is found keeps the contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from contract import suite
from netversus.studies import find_studies

STUDIES = sorted(find_studies())


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest):
    return find_studies()[request.param]


def test_options_are_declared_whole(study):
    suite.options_are_declared_whole(study)


def test_questions_are_whole(study):
    suite.questions_are_whole(study)


def test_cost_is_pure_and_grows_with_the_rates(study):
    suite.cost_is_pure_and_grows_with_the_rates(study)


def test_a_budget_shortens_and_says_so(study):
    suite.a_budget_shortens_and_says_so(study)


def test_it_observes_every_metric_of_every_contender(study, tmp_path: Path):
    suite.observes_every_metric_of_every_contender(study, tmp_path)


def test_it_does_not_depend_on_who_else_is_measured(study, tmp_path: Path):
    suite.does_not_depend_on_who_else_is_measured(study, tmp_path)


def test_it_resumes_to_the_same_end(study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    suite.resumes_to_the_same_end(study, tmp_path, monkeypatch)


def test_if_it_may_stop_early_it_reads_in_the_recorded_shuffle(study, tmp_path: Path):
    suite.reads_in_the_recorded_shuffle(study, tmp_path)


def test_it_shows_what_it_has_and_copes_with_nothing(study, tmp_path: Path):
    suite.shows_what_it_has_and_copes_with_nothing(study, tmp_path)


def test_its_readme_tells_question_method_and_limits(study, repository: Path):
    text = (repository / "src" / "netversus" / "studies" / study.name / "README.md").read_text()
    for part in (f"# {study.name}", "**Question.**", "**Method.**", "**Limits.**"):
        assert part in text


def test_one_study_of_a_run_at_most_asks_the_primary_question():
    primary = [q.metric for s in find_studies().values() if s.default for q in s.questions if q.role == "primary"]
    assert primary == ["top1"]


def test_declarations_and_exhibits_load_no_torch():
    script = (
        "import sys\n"
        "from netversus.studies import find_studies\n"
        "[study.load_exhibit() for study in find_studies().values()]\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
