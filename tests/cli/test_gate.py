"""`gate`: exit codes, files for continuous integration, and mistakes in one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"


@pytest.fixture
def stored(repository: Path) -> str:
    """A stored run: the wide network is right on 30 % of 300 images, the narrow one on 10 %."""
    return str(repository / "tests" / "golden" / "run")


@pytest.mark.parametrize(
    ("condition", "code", "state"),
    [
        ("accuracy.top1.delta >= 0.1", 0, "met"),
        ("accuracy.top1.delta >= 10 points", 0, "met"),
        ("accuracy.top1.delta >= 0.2", 4, "undecided"),
        ("accuracy.top1.value >= 75%", 3, "failed"),
    ],
)
def test_the_exit_code_says_how_the_gate_ended(netversus, stored: str, condition: str, code: int, state: str):
    ended = netversus("gate", stored, condition)
    assert ended.code == code
    assert state in ended.out
    assert f"{WIDE} against {NARROW}" in ended.out


def test_one_failed_condition_fails_the_gate_and_all_are_shown(netversus, stored: str):
    ended = netversus("gate", stored, "accuracy.top1.delta >= 0.1", "accuracy.brier.value <= 0.1")
    assert ended.code == 3
    assert "Gate failed: 1 met, 1 failed (met at 95 % confidence, failed at 97.5 %)." in ended.out


def test_the_candidate_can_be_named_as_it_was_asked_for(netversus, stored: str):
    ended = netversus("gate", stored, "accuracy.top1.delta >= 0", "--candidate", NARROW, "--baseline", WIDE)
    assert ended.code == 3
    ended = netversus("gate", stored, "accuracy.top1.delta >= 0", "--candidate", "py:tiny_nets:narow@scratch")
    assert ended.code == 2
    assert "did you mean" in ended.err


def test_a_gate_is_written_down_in_toml_and_flags_win_over_it(netversus, stored: str, tmp_path: Path):
    path = tmp_path / "gate.toml"
    path.write_text(f'candidate = "{NARROW}"\nlevel = 0.9\nconditions = ["accuracy.top1.value >= 0.01"]\n')
    found = json.loads(netversus("gate", stored, "--file", str(path), "--json").out)
    assert (found["candidate"], found["level"], found["state"]) == (NARROW, 0.9, "met")
    ended = netversus("gate", stored, "accuracy.top5.value > 0", "--file", str(path), "--candidate", WIDE, "--json")
    found = json.loads(ended.out)
    assert found["candidate"] == WIDE
    assert [c["condition"] for c in found["conditions"]] == ["accuracy.top1.value >= 0.01", "accuracy.top5.value > 0"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("condition = []", "there is no setting 'condition' (did you mean conditions?)"),
        ("level = 2", "level"),
        ("conditions = 3", "conditions"),
        ("[", "not valid TOML"),
        ("conditions = []", "a gate needs a condition"),
    ],
)
def test_a_wrong_gate_file_gets_one_line(netversus, stored: str, tmp_path: Path, text: str, told: str):
    path = tmp_path / "gate.toml"
    path.write_text(text)
    ended = netversus("gate", stored, "--file", str(path))
    assert ended.code == 2
    assert told in ended.err
    assert ended.err.count("\n") == 1


def test_the_json_holds_stored_units(netversus, stored: str):
    (row,) = json.loads(netversus("gate", stored, "accuracy.top1.delta >= 10 points", "--json").out)["conditions"]
    assert row["threshold"] == pytest.approx(0.1)
    assert row["estimate"] == pytest.approx(61 / 300)
    assert row["low"] < row["estimate"] < row["high"]
    assert (row["statistic"], row["unit"], row["relation"]) == ("delta", "%", ">=")


def test_junit_and_summary_are_written_and_a_summary_is_appended_to(netversus, stored: str, tmp_path: Path):
    junit, summary = tmp_path / "gate.xml", tmp_path / "summary.md"
    summary.write_text("# the step before\n")
    for _ in range(2):
        ended = netversus(
            *("gate", stored, "accuracy.top1.delta >= 0.1", "accuracy.top1.delta >= 0.2"),
            *("--junit", str(junit), "--summary", str(summary)),
        )
        assert ended.code == 4
    suite = ET.parse(junit).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "1")
    text = summary.read_text()
    assert text.startswith("# the step before\n")
    assert text.count("| --- | --- | --- | --- | --- |") == 2
    assert "✅" in text
    assert "❔" in text


def test_a_file_that_cannot_be_written_gets_one_line(netversus, stored: str, tmp_path: Path):
    (tmp_path / "file").write_text("")
    for flag in ("--junit", "--summary"):
        ended = netversus("gate", stored, "accuracy.top1.delta >= 0.1", flag, str(tmp_path / "file" / "x"))
        assert (ended.code, ended.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("accuracy.top1.delta => 0",),
        ("speed.latency.ratio <= 1",),
        ("security.verdict == pass",),
        ("--security",),
        ("--measure",),
        ("accuracy.top1.delta >= 0", "--adversarial.steps", "10"),
        ("--security", "--adversarial.stepz", "10"),
        ("--security", "--contender", "resnet50"),
        (),
        ("accuracy.top1.delta >= 0", "--level", "1.5"),
    ],
)
def test_wrong_use_ends_with_2_and_one_line(netversus, stored: str, arguments: tuple[str, ...]):
    ended = netversus("gate", stored, *arguments)
    assert (ended.code, ended.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("command", [("gate", "accuracy.top1.delta >= 0.1"), ("recommend",)])
def test_a_decision_loads_no_torch(stored: str, command: tuple[str, ...]):
    words = [command[0], stored, *command[1:]]
    script = f"import sys\nfrom netversus.cli.__main__ import main\ncode = main({words!r})\nsys.exit(code or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == 0


SMALL = (
    *("--data", "scenes?size=16&train=48&test=32", "--training.samples", "64", "--training.rounds", "1"),
    *("--adversarial.images", "8", "--adversarial.steps", "2", "--adversarial.targets", "1"),
    *("--adversarial.queries", "10", "--adversarial.checks", "4", "--adversarial.smoothing-images", "1"),
    *("--adversarial.smoothing-copies", "10", "--adversarial.curve", "4", "--corruption.images", "4"),
    *("--corruption.more", "none", "--corruption.outliers", "8", "--poisoning.samples", "64"),
    *("--poisoning.attacks", "badnets", "--poisoning.rates", "0.1", "--poisoning.noise", "symmetric"),
    *("--poisoning.defences", "", "--privacy.samples", "64", "--privacy.shadows", "2"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that would make a folder when they are unpickled."""

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, ("/nonexistent/canary",)

    path = tmp_path_factory.mktemp("weights") / "bad.pt"
    torch.save({"x": Payload()}, path)
    return path


def test_the_security_test_measures_judges_and_says_what_to_do(netversus, tmp_path: Path):
    ended = netversus("gate", "run", "--security", "--contender", NARROW, "--contender", WIDE, *SMALL, "--json")
    assert ended.code in (3, 4), ended.err
    found = json.loads(ended.out)  # progress is told beside the document
    assert [each["contender"] for each in found["security"]["contenders"]] == [NARROW, WIDE]
    for each in found["security"]["contenders"]:
        assert each["verdict"] in ("fail", "undecided")
        assert [row["threat"] for row in each["threats"]] == [
            "file", "unscanned", "evasion", "corruption", "poisoning", "privacy",
        ]  # fmt: skip
        assert all(row["verdict"] != "not tested" for row in each["threats"]), each["threats"]
        assert all(bool(row["advice"]) == (row["verdict"] != "pass") for row in each["threats"])
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "The security test, threat by threat" in page
    assert netversus("report", "run", "--out", "run.md", "--out", "run.json").code == 0
    assert "## The security test, threat by threat" in Path("run.md").read_text(encoding="utf-8")
    told = json.loads(Path("run.json").read_text(encoding="utf-8"))["security"]
    assert [exhibit["type"] for exhibit in told] == ["text", "text", "table", "table"]
    assert netversus("report", "run", "--lang", "zh", "--out", "zh.md").code == 0
    chinese = Path("zh.md").read_text(encoding="utf-8").partition("安全测试：逐项威胁")[2].partition("\n## ")[0]
    assert "未通过安全测试" in chinese or "安全测试未决" in chinese
    assert not re.search("[a-z]+ [a-z]+ [a-z]+ [a-z]+", chinese)  # no English sentence is left
    again = netversus("gate", "run", "--security", "accuracy.top1.delta >= 0")
    assert again.code == 2  # the run holds no such study
    again = netversus("gate", "run", "--security", "--junit", "gate.xml", "--summary", "gate.md")
    assert again.code == ended.code
    assert f"security test of {NARROW}" in again.out
    assert len(ET.parse("gate.xml").getroot()) == 2
    assert Path("gate.md").read_text(encoding="utf-8").count("### ") == 2


def test_a_hostile_file_fails_and_takes_nobody_with_it(netversus, hostile: Path):
    bad = f"file:{hostile}?arch=squeezenet1_1"
    made = netversus("compare", bad, NARROW, "--study", "artifact", "--out", "run", "--budget", "5s")
    assert made.code == 0, made.err  # nothing was opened: not for calibration either
    found = json.loads(netversus("gate", "run", "--security", "--json").out)["security"]["contenders"]
    told = {each["contender"]: {row["threat"]: row["verdict"] for row in each["threats"]} for each in found}
    assert told.pop(NARROW)["file"] == "pass"
    (of_file,) = told.values()
    assert of_file["file"] == "fail"
    assert netversus("gate", "run", "--security").code == 3


def test_thresholds_are_named_in_the_gate_s_file(netversus, hostile: Path, tmp_path: Path):
    netversus("compare", f"file:{hostile}?arch=squeezenet1_1", NARROW, "--study", "artifact", "--out", "run")
    path = tmp_path / "gate.toml"
    accepted = "\n".join(f'{name} = "accepted"' for name in ("evasion", "corruption", "poisoning", "privacy"))
    path.write_text(f"""[security]
file = "artifact.refused.value <= 1"
unscanned = "artifact.unscanned.value <= 1"
{accepted}
""")
    ended = netversus("gate", "run", "--security", "--file", str(path))
    assert ended.code == 0
    assert "Accepted without a test" in ended.out
    path.write_text('[security]\nfiles = "accepted"\n')
    ended = netversus("gate", "run", "--security", "--file", str(path))
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "did you mean file" in ended.err
