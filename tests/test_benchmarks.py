"""The benchmarks run by hand only: what they take from netversus has to be there, and their page has to be theirs."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
RESULTS = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("results/*.json"))]
HELPERS = {"__main__.py", "gratings.py", "limit.py", "paired_evaluation_side.py", "record.py", "summary.py"}


def loaded(name: str) -> ModuleType:
    """A file of the folder as a module of another name, so that nothing of it runs."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def calls_of(script: Path, function: str) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(script.read_text()))
    return [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == function]


@pytest.fixture(scope="module")
def everything() -> ModuleType:
    return loaded("__main__")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
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


def test_every_script_that_records_a_result_is_run_by_make_benchmarks_and_no_helper_is(everything: ModuleType):
    recording = {script.name for script in SCRIPTS if calls_of(script, "record")}
    assert recording == {each.script for each in everything.BENCHMARKS}
    assert {script.name for script in SCRIPTS} - recording == HELPERS


def test_what_make_benchmarks_asks_of_a_script_the_script_takes(everything: ModuleType):
    for each in everything.BENCHMARKS:
        options = [ast.literal_eval(call.args[0]) for call in calls_of(FOLDER / each.script, "parser.add_argument")]
        assert {word for word in shlex.split(each.command) if word.startswith("--")} <= set(options), each.command


def test_every_call_of_record_says_all_that_a_result_needs():
    needed = set(inspect.signature(loaded("record").record).parameters)
    for script in SCRIPTS:
        for call in calls_of(script, "record"):
            assert {each.arg for each in call.keywords} == needed, script.name


def test_one_that_fails_hides_no_other_and_is_named_at_the_end(everything: ModuleType, capsys):
    ran: list[str] = []

    def run(command: str) -> bool:
        ran.append(command)
        return command != "b.py --twice"

    chosen = [everything.Benchmark(command) for command in ("a.py", "b.py --twice", "c.py")]
    assert everything.run_all(chosen, run) == 1
    assert ran == ["a.py", "b.py --twice", "c.py"]
    assert capsys.readouterr().out == "FAILED: b.py --twice\n"


def test_one_that_lacks_something_is_named_with_it_and_is_no_failure(everything: ModuleType, capsys):
    there, absent, other = (everything.Need(what, lambda got=got: got) for what, got in (("x", 1), ("y", 0), ("z", 0)))
    chosen = [everything.Benchmark("a.py", (there,)), everything.Benchmark("b.py", (there, absent, other))]
    ran: list[str] = []
    assert everything.run_all(chosen, lambda command: not ran.append(command)) == 0
    assert ran == ["a.py"]
    assert capsys.readouterr().out == "not run: b.py needs y and z\n"


def test_a_benchmark_that_does_not_exist_is_refused(everything: ModuleType, capsys):
    assert everything.main(["startupp"]) == 2
    assert "no benchmark startupp" in capsys.readouterr().err


def test_a_script_s_failure_is_seen(everything: ModuleType, monkeypatch, tmp_path: Path, capfd):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "ends.py").write_text("import sys\nsys.exit(int(sys.argv[1]))\n")
    monkeypatch.setattr(everything, "ROOT", tmp_path)
    assert everything.run("ends.py 0")
    assert not everything.run("ends.py 3")
    assert capfd.readouterr().out == "== ends.py 0\n== ends.py 3\n"


def test_a_result_names_what_was_measured_where_and_how(monkeypatch, tmp_path: Path):
    kept = loaded("record")
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", [str(FOLDER / "load.py"), "--cells", "3"])
    said = {"name": "n", "peer": "p", "ratio": 2.0, "ratio_is": "theirs / ours", "better": "higher"}
    path = kept.record(**said, goal="g", met=True, measured={"seconds": [1, 2]})
    result = json.loads(path.read_text())
    assert {key: result[key] for key in said} == said
    assert result["command"] == "python benchmarks/load.py --cells 3"
    assert set(result["machine"]) >= {"processor", "python", "torch", "numpy", "commit"}


def test_a_commit_is_told_with_whether_files_differ_from_it(monkeypatch, tmp_path: Path):
    git = shutil.which("git")
    if git is None:
        pytest.skip("needs git")
    kept = loaded("record")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    assert kept._commit() is None  # no repository
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    (tmp_path / "measured.py").write_text("1\n")
    for words in (("init",), ("add", "."), (*who, "commit", "-m", "one")):
        subprocess.run([git, *words], cwd=tmp_path, check=True, capture_output=True)
    clean = kept._commit()
    assert len(clean) == 40
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "benchmarks" / "results" / "n.json").write_text("{}\n")
    assert kept._commit() == clean  # what a benchmark writes is no change of what it measures
    (tmp_path / "measured.py").write_text("2\n")
    assert kept._commit() == f"{clean}+changes"


def test_a_command_is_told_from_the_root_wherever_it_was_given(monkeypatch):
    monkeypatch.chdir(FOLDER)
    assert loaded("record").command(["load.py", "--out", "a folder"]) == "python benchmarks/load.py --out 'a folder'"


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: result["name"])
def test_a_result_says_what_its_ratio_is_and_which_way_is_better(result: dict):
    assert "/" in result["ratio_is"]
    assert result["better"] in ("higher", "lower", "neither")
    assert "ratio is" not in result["measured"]
    assert "{" not in result["peer"]


def test_the_page_of_benchmarks_is_what_their_results_say(repository: Path):
    assert (repository / "docs" / "benchmarks.md").read_text() == loaded("summary").page(RESULTS), (
        "python benchmarks/summary.py"
    )


def test_the_reports_that_the_page_links_are_there():
    reports = [result["measured"]["report"] for result in RESULTS if "report" in result["measured"]]
    assert reports
    assert all((FOLDER / "results" / report).is_file() for report in reports)
