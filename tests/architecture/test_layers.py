"""Imports go one way, and the repository keeps its promises."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import netversus


def test_imports_go_one_way(repository: Path):
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_ci_runs_the_readme_s_test_command(repository: Path):
    readme = (repository / "README.md").read_text()
    first_screen = "\n".join(readme.splitlines()[:40])
    assert "make demo" in first_screen
    assert "make test" in first_screen
    lines = [line for line in (repository / ".ci" / "run").read_text().splitlines() if line and line[0] != "#"]
    assert lines[-1] == "make test"


def test_the_version_is_told_once(repository: Path):
    settings = tomllib.loads((repository / "pyproject.toml").read_text())
    assert "version" in settings["project"]["dynamic"]
    assert netversus.__version__


def test_every_folder_of_a_study_is_whole(repository: Path):
    for folder in (repository / "src" / "netversus" / "studies").glob("[a-z]*/"):
        assert {f.name for f in folder.glob("*.*")} >= {"__init__.py", "measure.py", "exhibit.py", "README.md"}


def test_the_package_says_that_it_is_typed(repository: Path):
    assert (repository / "src" / "netversus" / "py.typed").is_file()


def test_what_lands_names_no_package_registry(repository: Path):
    """uv.lock holds the addresses that uv writes into it; nothing else names one."""
    files = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=False).stdout
    for name in files.split():
        if name != "uv.lock" and (repository / name).is_file():
            text = (repository / name).read_bytes()
            assert b"py" + b"pi.org" not in text, name
            assert b"python" + b"hosted" not in text, name
