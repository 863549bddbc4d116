"""What gate, recommend, watch and serve say in Chinese holds no English but names, commands, settings and conditions;
what machines read of it is the same in any language."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console
from starlette.testclient import TestClient

from browse.conftest import Writer, make_run  # noqa: F401 -- a fixture
from decide.conftest import Made, make  # noqa: F401 -- a fixture
from decide.test_security import BAD, GOOD, observe, run_of
from golden.expected import RUN
from netversus.browse.shelf import key_of
from netversus.browse.site import Site
from netversus.cli import watch
from netversus.cli.__main__ import main
from netversus.decide.conditions import parse_conditions
from netversus.decide.gate import judge
from netversus.messages import language, speaking
from netversus.records import Failed, Skipped
from report.page import read_page, squeezed

from .test_rendered import _texts, english

STUDIES = (
    "accuracy",
    "training",
    "structure",
    "speed",
    "adversarial",
    "artifact",
    "corruption",
    "poisoning",
    "privacy",
)
THREATS = ("file", "unscanned", "evasion", "corruption", "poisoning", "privacy")
MADE = ("ant", "bee", "old", "new", "golden", "run", "other", "runs")
"""Names of contenders and of runs."""
SETTINGS = (
    "pass",
    "MemoryError",
    "fast-adversarial",
    "RUN",
    "GET",
    "HEAD",
    "Ctrl-C",
    "safetensors",
    "l-inf",
    "demo",
    "scan",
    "inspect-data",
    "compare",
)
KNOWN = {*STUDIES, *THREATS, *MADE, *SETTINGS}
COMMAND = re.compile(r"netversus [a-z-]+[ \w./:@{}-]*|--[\w.-]+")
CONDITIONS = ("accuracy.top1.delta >= 0.1", "accuracy.top1.delta >= 0.2", "accuracy.brier.value <= 0.1")


def left(text: str) -> dict[str, list[str]]:
    """The lines in which English words are left, with those words."""
    found = {line: [w for w in english(COMMAND.sub(" ", line)) if w not in KNOWN] for line in text.splitlines()}
    return {line: words for line, words in found.items() if words}


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen on which no cell of a table is cut within a word."""
    monkeypatch.setattr("netversus.cli.gate.console", lambda: Console(highlight=False, width=2000))


def is_chinese(text: str) -> bool:
    return re.search("[\u4e00-\u9fff]", text) is not None


def test_the_check_finds_a_word_of_english():
    assert left("门禁未通过\n1 met（netversus gate RUN --security）") == {
        "1 met（netversus gate RUN --security）": ["met"]
    }


# gate


def test_a_gate_is_told_in_chinese_and_judged_as_in_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    junit, summary = tmp_path / "gate.xml", tmp_path / "gate.md"
    files = ("--junit", str(junit), "--summary", str(summary))
    code = main(["gate", str(RUN), *CONDITIONS, *files, "--lang", "zh"])
    out = capsys.readouterr().out
    assert code == main(["gate", str(RUN), *CONDITIONS]) == 3
    assert "门禁未通过：1 项满足、1 项失败、1 项未决" in out
    assert left(out) == {}
    assert left(summary.read_text(encoding="utf-8")) == {}
    assert "门禁未通过" in summary.read_text(encoding="utf-8")
    suite = ET.parse(junit).getroot()[0]
    assert [case.get("name") for case in suite.iter("testcase")] == list(CONDITIONS)
    endings = [*suite.iter("failure"), *suite.iter("error")]
    assert [ending.get("type") for ending in endings] == ["failed", "undecided"]
    said = [suite.get("name"), *(ending.get("message") for ending in endings), suite.findtext("system-out")]
    assert left("\n".join(map(str, said))) == {}
    assert all(is_chinese(str(text)) for text in said)
    assert language() == "en"


def test_the_json_of_a_chinese_gate_differs_in_its_reasons_alone(capsys: pytest.CaptureFixture[str]):
    told = {}
    for lang in ("en", "zh"):
        main(["gate", str(RUN), *CONDITIONS, "--json", "--lang", lang])
        told[lang] = json.loads(capsys.readouterr().out)
    reasons = [[row.pop("reason") for row in each["conditions"]] for each in told.values()]
    for each in told.values():
        for row in each["conditions"]:
            row.pop("seconds", None)
    assert told["en"] == told["zh"]
    assert [bool(reason) for reason in reasons[0]] == [bool(reason) for reason in reasons[1]]
    assert all(is_chinese(reason) for reason in reasons[1] if reason)


def test_why_something_was_not_measured_is_told_in_chinese(make: Callable[..., Made]):  # noqa: F811
    made = make(studies=("accuracy", "speed", "structure"))
    for cell in made.plan.cells:
        folder = made.store.cell(cell)
        if cell.study == "accuracy":
            folder.end(Failed(cell.key, "MemoryError"))
        if cell.study == "speed":
            folder.end(Skipped(cell.key, "digits has no test split"))
    asked = ("accuracy.top1.delta >= 0", "speed.latency.ratio <= 1", "structure.parameters.ratio <= 1")
    with speaking("zh"):
        gate = judge(made.subject(), parse_conditions(asked, made.plan))
    assert [each.reason for each in gate.judged] == [
        "accuracy（old）失败：MemoryError",
        "speed（old、new）未运行：digits 没有 test 划分",
        "structure（old）尚未结束：用 netversus compare --resume 继续",
    ]
    assert gate.state == "not measured"


def test_a_security_test_is_told_in_chinese(make: Callable[..., Made], capsys: pytest.CaptureFixture[str]):  # noqa: F811
    made = run_of(make, {**GOOD, "unscanned": 1})
    place = made.store.place
    assert main(["gate", place, "--security", "--lang", "zh"]) == main(["gate", place, "--security"]) == 3
    out = capsys.readouterr().out.partition("security test of")[0]
    assert "old 未通过安全测试" in out
    assert "new 的安全测试未决" in out
    assert "new 的安全测试" in out
    assert left(out) == {}


def test_a_security_test_that_could_not_be_made_is_told_in_chinese(
    make: Callable[..., Made],  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    made = make(studies=("artifact", "corruption"))
    for name in ("old", "new"):
        observe(made, name, BAD, ("artifact", "corruption"))
    made.end("artifact")
    junit = tmp_path / "gate.xml"
    place = made.store.place
    code = main(["gate", place, "security.verdict == pass", "--security", "--lang", "zh", "--junit", str(junit)])
    assert code == 3
    assert left(capsys.readouterr().out) == {}
    messages = [str(ending.get("message")) for ending in ET.parse(junit).iter() if ending.get("message")]
    assert left("\n".join(messages)) == {}
    assert any("该评测项不在本次运行中" in message for message in messages)


# recommend


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "选用 py:tiny_nets:wide@scratch。它领先"),
        (("--at-least", "accuracy.top1=30%"), "是否满足限制尚不确定"),
        (("--at-least", "accuracy.top1=99%"), "没有模型满足限制"),
        (("--weight", "training.train_time=1"), "没有模型在所问的各项上都测过"),
    ],
)
def test_a_recommendation_is_told_in_chinese(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    code = main(["recommend", str(RUN), *arguments, "--lang", "zh"])
    out = capsys.readouterr().out
    assert code == main(["recommend", str(RUN), *arguments])
    assert said in out.replace("\n", "")
    assert left(out) == {}


@pytest.mark.parametrize("command", ["gate", "recommend", "watch", "serve"])
def test_an_unknown_language_is_refused_in_one_line(command: str, capsys: pytest.CaptureFixture[str]):
    conditions = CONDITIONS[:1] if command == "gate" else ()
    assert main([command, str(RUN), *conditions, "--lang", "fr"]) == 2
    assert capsys.readouterr().err == "netversus: a report is written in one of en, zh, got 'fr'\n"


# watch


def test_a_run_that_has_ended_is_told_in_chinese(capsys: pytest.CaptureFixture[str]):
    assert main(["watch", str(RUN), "--lang", "zh"]) == 0
    out = capsys.readouterr().out
    assert "4 个测量单元中 4 个完成；4,048 个观测值" in out
    assert left(out) == {}


def test_a_live_run_is_watched_in_chinese(make_run: Callable[..., Writer]):  # noqa: F811
    run = make_run()
    run.begin("ant")
    run.see("ant", 100, 0.4)
    run.begin("bee")
    run.see("bee", 100, 0.8)
    said = {}
    for terminal in (False, True):
        screen = Console(file=io.StringIO(), force_terminal=terminal, width=160, highlight=False, color_system=None)
        with run.at_work(), speaking("zh"), watch._display(screen, "run") as show:
            show(watch.LiveRun(run.store).look())
        said[terminal] = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", screen.file.getvalue())  # type: ignore[attr-defined]
        assert "截至目前，尚非判定：accuracy.top1，bee 对比 ant：+" in said[terminal]
        assert left(said[terminal]) == {}
    assert "进行中" in said[True]


def test_a_run_that_failed_or_was_stopped_is_told_in_chinese(
    make_run: Callable[..., Writer],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("netversus.cli.watch.time.sleep", lambda _: None)
    run = make_run()
    for name in ("ant", "bee"):
        run.begin(name)
    assert main(["watch", run.store.place, "--lang", "zh"]) == 5
    run.end("ant")
    run.end("bee", error="MemoryError")
    assert main(["watch", run.store.place, "--lang", "zh"]) == 5
    out = capsys.readouterr().out
    assert "失败     accuracy（bee）：MemoryError" in out
    assert "没有进程在处理" in out
    assert left(out) == {}


# serve


def site(place: Path) -> TestClient:
    app = Site(str(place), language="zh").app
    return TestClient(app, base_url="http://127.0.0.1:8484", follow_redirects=False)


def said_by(html: str) -> str:
    """All that a page shows or reads out, and its title."""
    page = read_page(html)
    assert page.all("html")[0].attributes["lang"] == "zh"
    return "\n".join([*_texts(page), *(title.text for title in page.all("title"))])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("golden", "other"):
        shutil.copytree(RUN, tmp_path / "runs" / name)
    plan = tmp_path / "runs" / "other" / "plans" / "0001.json"
    changed = json.loads(plan.read_text(encoding="utf-8"))
    changed["request"]["level"] = 0.9
    plan.write_text(json.dumps(changed), encoding="utf-8")
    return tmp_path / "runs"


def test_no_english_is_left_in_the_served_pages(runs: Path):
    golden, other = key_of("golden"), key_of("other")
    pages = {
        "/": (200, "2 次运行"),
        f"/run/{golden}": (200, "4 个测量单元中 4 个完成"),
        f"/compare?a={golden}&b={other}": (200, "两次运行的不同之处"),
        "/compare": (400, "需要两次运行"),
        "/run/nowhere": (404, "此处没有这次运行"),
        "/nowhere": (404, "此处没有这个页面"),
    }
    for place, (code, words) in pages.items():
        answer = site(runs).get(place)
        assert answer.status_code == code
        said = said_by(answer.text)
        assert words in said
        assert left(re.sub(r"^(level|cpu).*$", "", said, flags=re.MULTILINE)) == {}, place
    assert left(site(runs).post("/").text) == {}
    assert left(site(runs).get("/", headers={"host": "evil.example"}).text) == {}


def test_no_english_is_left_in_the_page_of_a_live_or_a_stopped_run(
    make_run: Callable[..., Writer],  # noqa: F811
    tmp_path: Path,
):
    run = make_run()
    for name, right in (("ant", 0.1), ("bee", 0.9)):
        run.begin(name)
        run.see(name, 200, right)
    pages = site(tmp_path / "runs")
    with run.at_work():
        live = said_by(pages.get(f"/run/{key_of('run')}").text)
        report = squeezed(read_page(pages.get(f"/report/{key_of('run')}").text).text)
        assert "尚无判定：起决定作用的问题仍在测量。" in report
    stopped = said_by(pages.get(f"/run/{key_of('run')}").text)
    assert "截至目前，尚非判定。" in live
    assert "没有进程在处理此运行" in stopped
    assert left(live) == left(stopped) == {}
    with pages.stream("GET", f"/events/{key_of('run')}") as events:
        first = next(line for line in events.iter_lines() if line.startswith("data: "))
    assert "已停止" in json.loads(first.removeprefix("data: "))


def test_a_server_in_english_and_one_in_chinese_do_not_mix(runs: Path):
    english_site = TestClient(Site(str(runs)).app, base_url="http://127.0.0.1:8484")
    for _ in range(2):
        assert "全部运行" in site(runs).get(f"/run/{key_of('golden')}").text
        assert "All runs" in english_site.get(f"/run/{key_of('golden')}").text
    assert '<html lang="zh' in site(runs).get(f"/report/{key_of('golden')}").text
    assert '<html lang="en' in english_site.get(f"/report/{key_of('golden')}").text
