"""The documents keep up with the code: every command in them is one that the command line takes, every option and every
metric that they name is there, every link leads to a file, and one question is asked in one wording.

The commands go through the real entry point, up to where a command would begin its work. Loads no torch.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from typer.core import TyperCommand

from netversus.cli.__main__ import main
from netversus.cli.study_options import split_study_options
from netversus.decide.gate_file import GateFile
from netversus.lab.contenders.spec import parse
from netversus.lab.data import list_data
from netversus.lab.data.spec import understand
from netversus.request import make_request
from netversus.studies import find_studies

ROOT = Path(__file__).resolve().parents[1]
STUDIES = ROOT / "src" / "netversus" / "studies"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *STUDIES.glob("*/README.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
SHELL = {"", "sh", "bash", "yaml"}  # languages of fenced blocks that hold commands
ON_A_PAGE = "mirror"  # the study of CONTRIBUTING.md; tests/test_contributing.py runs it
OPERATORS = {"|", "||", "&&", ";", ">"}
# A name in running text is a mention: what it leaves out is not wrong.
LEFT_OUT = ("Missing ", "requires an argument", "needs a value")


@dataclass(frozen=True)
class Shown:
    """A command in a document; `whole` where it stands in a block, to be copied."""

    words: tuple[str, ...]
    whole: bool


def _tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def _in_block(text: str) -> Iterator[Shown]:
    """The commands of a block: with continued lines, and whatever stands before `netversus` on a line."""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        words = shlex.split(line, comments=True) if re.search(r"\bnetversus\s", line) else []
        if "netversus" in words:
            after = words[words.index("netversus") + 1 :]
            end = next((place for place, word in enumerate(after) if word in OPERATORS), len(after))
            yield Shown(tuple(after[:end]), whole=True)


def commands(document: Path) -> Iterator[Shown]:
    """Every command line of a document: blocks and inline code of Markdown, comments of TOML."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".toml":
        yield from _in_block("\n".join(re.findall(r"^# {4,}(.*)$", text, flags=re.MULTILINE)))
        return
    for token in _tokens(text):
        if token.type == "code_block" or (token.type == "fence" and token.info.strip() in SHELL):
            yield from _in_block(token.content)
        elif token.type == "code_inline" and token.content.startswith("netversus "):
            yield Shown(tuple(shlex.split(token.content)[1:]), whole=False)


def links(document: Path) -> Iterator[str]:
    """Every link and picture of a page that is no address, without its place on the other page."""
    for token in _tokens(document.read_text(encoding="utf-8")):
        target = str(token.attrGet("href") or token.attrGet("src") or "").partition("#")[0]
        if target and not re.match(r"\w+:", target):
            yield unquote(target)


def unknown_names(text: str) -> Iterator[str]:
    """Each `STUDY.NAME` in a text, as an option or in prose, that is neither an option nor a metric of that study."""
    studies = find_studies()
    for name, word in re.findall(rf"(?<![\w/.])(?:--)?({'|'.join(studies)})\.([a-z][\w-]*)", text):
        known = {*studies[name].options.model_fields, *(question.metric for question in studies[name].questions)}
        if word.replace("-", "_") not in known:
            yield f"{name}.{word}"


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Shown], str]:
    """What is wrong with a command; empty where nothing is."""
    seen: list[dict[str, Any]] = []

    def stop(_command: TyperCommand, context: Any) -> int:
        seen.append(context.params)
        return 0

    monkeypatch.setattr(TyperCommand, "invoke", stop)

    def find(shown: Shown) -> str:
        seen.clear()
        code = main(shown.words)
        said = capsys.readouterr().err.strip()
        if code and not (not shown.whole and any(words in said for words in LEFT_OUT)):
            return said
        return _first_error(shown.words, seen[0]) if seen else ""

    return find


def _first_error(words: Sequence[str], values: dict[str, Any]) -> str:
    """What the parser of words does not look at: studies, the values of their options, contenders, data."""
    try:
        for study in values.get("study") or ():
            if study not in (*find_studies(), ON_A_PAGE):
                return f"there is no study {study!r}"
        for study, options in split_study_options(words)[1].items():
            find_studies()[study].options.model_validate(options)
        named = values.get("contenders") or values.get("contender") or ()
        for spec in (named,) if isinstance(named, str) else named:
            parse(spec)
        if values.get("data"):
            understand(values["data"], {kind.name: kind for kind in list_data()}, seed=0)
    except Exception as error:  # noqa: BLE001  whatever it is, the document shows what does not work
        return str(error)
    return ""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", [*PAGES, *EXAMPLES], ids=_name)
def test_every_command_in_the_documents_is_one_that_the_command_line_takes(document: Path, trouble):
    wrong = {shlex.join(shown.words): said for shown in commands(document) if (said := trouble(shown))}
    assert not wrong


@pytest.mark.parametrize("document", [*PAGES, *EXAMPLES], ids=_name)
def test_every_option_and_metric_that_a_document_names_is_there(document: Path):
    assert not list(unknown_names(document.read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", PAGES, ids=_name)
def test_every_relative_link_leads_to_a_file(document: Path):
    assert [link for link in links(document) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compare resnet50 resnet101 --study training --training.shares 0.1,0.3", "no option 'shares'"),
        ("compare resnet50 resnet101 --study training --training.fractions two", "fractions"),
        ("compare resnet50 resnet101 --study trainign", "trainign"),
        ("compare resnet50 'resnet101?stage=3' --data digits", "stage"),
        ("compare resnet50 resnet101 --data 'digits?sise=8'", "sise"),
        ("compare resnet50 resnet101 --bugdet 5m", "--bugdet"),
        ("compair resnet50 resnet101", "compair"),
        ("report", "Missing argument"),
    ],
)
def test_a_command_that_does_not_work_is_noticed(trouble, line: str, said: str):
    assert said in trouble(Shown(tuple(shlex.split(line)), whole=True))


def test_commands_are_found_in_blocks_in_text_and_in_comments(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "Say `netversus power --gap 1`, or:\n\n"
        "    A=1 netversus compare 'a b' \\\n        --seed 1     # as netversus does\n\n"
        "1. So:\n\n       netversus gate run || true\n\n"
        "```yaml\n- run: netversus scan x.pt\n```\n\n```python\nnetversus = 1\n```\n"
    )
    example = tmp_path / "example.toml"
    example.write_text("# netversus is prose\n#     netversus list data\n")
    found = [shlex.join(shown.words) for shown in commands(page)]
    assert found == ["power --gap 1", "compare 'a b' --seed 1", "gate run", "scan x.pt"]
    assert [shown.words for shown in commands(example)] == [("list", "data")]


def test_a_name_that_no_study_has_is_noticed_in_prose_too():
    text = "`training.shares`, --training.shares 0.1, `--training.curve-images`, accuracy.top1.delta, lab/training.py"
    assert list(unknown_names(text)) == ["training.shares", "training.shares"]


def test_readme_and_studies_ask_in_one_wording():
    rows = re.findall(r"^\| \[`(\w+)`\]\(\S+\)( \(on request\))? \| (.*) \|$", _text("README.md"), flags=re.MULTILINE)
    assert {name: (not asked, said) for name, asked, said in rows} == {
        study.name: (study.default, study.question) for study in find_studies().values()
    }
    for study in find_studies().values():
        page = " ".join(_text(f"src/netversus/studies/{study.name}/README.md").split())
        assert f"**Question.** {study.question}" in page


def test_the_margins_that_a_page_gives_are_those_in_force():
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| .* \| ([\d.]+) \|$", _text("docs/reading.md"), flags=re.MULTILINE)
    assert rows
    for name, metric, stored in rows:
        (margin,) = (question.margin for question in find_studies()[name].questions if question.metric == metric)
        assert margin == float(stored), metric


def test_configurations_that_are_shown_are_understood():
    fences = [token for page in PAGES for token in _tokens(page.read_text(encoding="utf-8")) if token.type == "fence"]
    texts = [token.content for token in fences if token.info.strip() == "toml"]
    shown = [tomllib.loads(text) for text in [*texts, *(path.read_text(encoding="utf-8") for path in EXAMPLES)]]
    comparisons = [values for values in shown if "contenders" in values]
    gates = [values for values in shown if "conditions" in values or "security" in values]
    assert comparisons
    assert gates
    for values in comparisons:
        for name, options in make_request(values).options.items():
            find_studies()[name].options.model_validate(options)
    for values in gates:
        GateFile.model_validate(values)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")
