"""The benchmarks run by hand only: what they take from netversus has to be there, and their page has to be theirs."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parent.parent / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", BENCHMARKS, ids=lambda path: path.stem)
def test_what_a_benchmark_imports_from_netversus_is_there(script: Path):
    asked = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "netversus"
        for name in node.names
    ]
    for module, name in asked:
        found = importlib.import_module(module)
        if not hasattr(found, name):
            importlib.import_module(f"{module}.{name}")  # a module of a package, or nothing


def test_the_page_of_benchmarks_is_what_their_results_say(repository: Path):
    path = repository / "benchmarks" / "summary.py"
    spec = importlib.util.spec_from_file_location("summary", path)
    assert spec is not None
    assert spec.loader is not None
    summary = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(summary)
    results = [json.loads(each.read_text()) for each in sorted((repository / "benchmarks" / "results").glob("*.json"))]
    assert (repository / "docs" / "benchmarks.md").read_text() == summary.page(results), "python benchmarks/summary.py"
