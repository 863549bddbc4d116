"""The Chinese catalogue is whole: it holds what the sources say, with the same gaps, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from netversus.messages.catalogues import STORED, catalogue, catalogue_sections

from .bare import WORD, shown_by_template, unsaid
from .collected import SOURCES, declared, missing, said_in_sources, wanted

HOW = "PYTHONPATH=tests python -m messages.collected lists the missing ones"
GLOSSARY = Path(__file__).parents[2] / "docs" / "chinese.md"

DECLARED = {
    "browse/templates/parts.html.jinja": {"word"},
    "claims/words.py": {"claim.not_checkable", "evidence.binding.shown_because", "figure.note"},
    "cli/compare.py": {"f.verdict.value"},
    "cli/inspect_data.py": {"check.value"},
    "cli/list.py": {"engine.summary", "kind.summary", "study.question", "question.asks", "text"},
    "cli/watch.py": {"snapshot.phase.value", "each.state.value"},
    "decide/security.py": {"stand.standing.value", "Standing.ACCEPTED.value", "Cause.ABSENT.value", "cause.value"},
    "report/claims_section.py": {"judgement.claim.reading", "judgement.claim.note"},
    "report/faq.py": {"q.asks"},
    "report/gate_files.py": {"state.value"},
    "report/flips.py": {"finding.study"},
    "report/markdown.py": {"c.study", "section.name"},
    "report/html.py": {"template"},
    "report/templates/origin.html.jinja": {"cell.study"},
    "report/templates/report.html.jinja": {"section.name"},
    "report/templates/scorecard.html.jinja": {"section.name"},
    "report/templates/study.html.jinja": {"section.name"},
    "retelling.py": {"asks", "q.asks"},
}
"""What is said of declarations and records, which `declared` enumerates; elsewhere a module marks its templates."""

ROOMS = (
    *("cli/compare.py", "cli/doctor.py", "cli/gate.py", "cli/inspect_data.py", "cli/list.py", "cli/planned.py"),
    *("cli/power.py", "cli/progress.py", "cli/recommend.py", "cli/scan.py", "cli/serve.py", "cli/train.py"),
    "cli/watch.py",
    *("decide/gate.py", "decide/security.py", "decide/strength.py"),
    *("report/gate_files.py", "report/security_section.py"),
    *(path.relative_to(SOURCES).as_posix() for path in sorted((SOURCES / "browse").glob("*.py"))),
)
"""What --lang makes speak beside the report: the commands, and what gate and serve are made of."""
TEMPLATES = sorted(SOURCES.rglob("*.html.jinja"))

CHINESE = "\u3007\u3400-\u9fff"
FULL_WIDTH = "，。；：？！、（）“”"


def _gaps(template: str) -> list[str]:
    return sorted(gap for _, gap, *_ in Formatter().parse(template) if gap is not None)


def _entries() -> Iterator[tuple[str, str, str]]:
    for section, entries in catalogue_sections("zh").items():
        yield from ((section, english, told) for english, told in entries.items())


def test_every_sentence_of_the_sources_is_in_the_catalogue():
    assert missing("zh") == {}, HOW


def test_the_catalogue_holds_no_sentence_that_nobody_says():
    said = wanted() | _told_in_gaps()
    assert [key for key in catalogue("zh") if key not in said] == []


def _told_in_gaps() -> dict[str, str]:
    """Stored words that `noted` sentences hold in their gaps and that other modules say: lengths of time, points."""
    said = {said.key: said.where for said in said_in_sources() if said.file == "quantities.py" and said.key}
    return said | {"{n} points": "quantities", "{n} point": "quantities", "{n} %": "quantities"}


def test_a_translation_has_the_gaps_of_its_template():
    assert [english for _, english, told in _entries() if set(_gaps(english)) != set(_gaps(told))] == []


def test_a_sentence_in_two_sections_is_told_in_one_way():
    seen: dict[str, str] = {}
    assert [key for _, key, told in _entries() if seen.setdefault(key, told) != told] == []


def test_no_translation_is_empty():
    assert [english for _, english, told in _entries() if not told.strip()] == []


def test_what_is_stored_is_told_again_from_a_section_of_its_own():
    sections = catalogue_sections("zh")
    stored = {english for name, entries in sections.items() if name.startswith(STORED) for english in entries}
    noted = {said.key: said.where for said in said_in_sources() if said.mark == "noted" and said.key}
    assert {key: where for key, where in noted.items() if key in catalogue("zh") and key not in stored} == {}


def test_what_is_stored_has_gaps_without_formats():
    noted = (said.key for said in said_in_sources() if said.mark == "noted" and said.key)
    stored = (key for section, key, _ in _entries() if section.startswith(STORED))
    formats = {
        key for key in (*noted, *stored) for _, gap, form, how in Formatter().parse(key) if gap and (form or how)
    }
    assert formats == set()


def test_what_is_said_is_a_literal_or_marked_as_a_template():
    """A sentence put together with an f-string is no key; a name stands for templates that its module marks."""
    marking = {said.file for said in said_in_sources() if said.mark == "template"}
    wrong = []
    for said in said_in_sources():
        known = said.source in DECLARED.get(said.file, ()) or said.file == "quantities.py"
        if said.key is None and not known and (said.file not in marking or said.source.startswith("f'")):
            wrong.append(f"{said.where}: {said.mark}({said.source})")
    assert wrong == []


@pytest.mark.parametrize(
    "path", sorted((SOURCES / "studies").glob("*/*.py")), ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_a_study_shows_nothing_in_bare_english(path: Path):
    """Titles, columns, labels and notes of exhibits are said; what is no word (p, F, eta² (%)) may stand as it is."""
    bare = []
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in SHOWN:
            words = (text for text in _bare_texts(call) if re.search(r"[a-z]{2}", re.sub(SYMBOLS, "", text.value)))
            bare += [f"{path.name}:{text.lineno}: {text.value!r}" for text in words]
    assert bare == []


SHOWN = ("Text", "Table", "Chart", "Series", "Diagram", "Block", "Gallery", "Picture", "Mark")
SYMBOLS = "eta²|omega²|line|bar|dot|right|wrong|missed"
_SPECIFICATIONS = ("formats", "kind", "content")


def _bare_texts(call: ast.Call) -> Iterator[ast.Constant]:
    """The words written into an exhibit outside of any call: a call says them, or names a column of the evidence."""
    parts = [*call.args, *(word.value for word in call.keywords if word.arg not in _SPECIFICATIONS)]
    waiting: list[ast.AST] = list(parts)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node
        elif not isinstance(node, ast.Call | ast.Subscript | ast.Compare | ast.comprehension):
            waiting += list(ast.iter_child_nodes(node))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_that_speaks_chinese_says_nothing_in_bare_english(room: str):
    """No sentence outside `say`, and no word of a table or of a line that is printed; errors and --help are English."""
    bare = [f"{room}:{text.line}: {text.words!r}" for text in unsaid((SOURCES / room).read_text(encoding="utf-8"))]
    assert bare == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(SOURCES).as_posix())
def test_a_template_says_nothing_in_bare_english(path: Path):
    assert [text for text in shown_by_template(path.read_text(encoding="utf-8")) if WORD.search(text)] == []


@pytest.mark.parametrize(
    "line",
    [
        'screen.print("ended")',
        'screen.print(f"{n} failed")',
        'screen.print(table(say("{n} runs", n=2), ("state", say("why")), rows))',
        'return f"{who} failed: {error}"',
        'reason = "the threshold lies within the interval"',
        'raise HTTPException(404, "Nothing here.")',
        'say("{state}", state="not ended")',
    ],
)
def test_the_check_of_rooms_finds_bare_english(line: str):
    assert list(unsaid(line))


@pytest.mark.parametrize(
    "line",
    [
        'screen.print(say("it has ended"), style="bold")',
        'raise OptionError("nothing has a weight", hint="give one")',
        'typer.Option(help="The port; 0 takes a free one.")',
        'def f():\n    """Every sentence of a docstring."""',
        'class State(StrEnum):\n    MISSING = "not measured"',
        'return {"exit_code": 1, "state": state.value}',
        'say("{n} of {all}", n=f"{n:,}", all=names["all"])',
    ],
)
def test_the_check_of_rooms_lets_pass_what_is_said_or_is_read_by_machines(line: str):
    assert list(unsaid(line)) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Nobody is here</p>",
        '<table aria-label="Runs"></table>',
        '<p>{{ "so far" if open else "" }}</p>',
        "<td>{{ n }} of {{ all }}</td>",
    ],
)
def test_the_check_of_templates_finds_bare_english(template: str):
    assert any(WORD.search(text) for text in shown_by_template(template))


def test_punctuation_is_full_width_beside_chinese():
    """And no space beside it. Brackets of an interval and of a formula are mathematics."""
    wrong = re.compile(f"[{CHINESE}][,;:?!()]|[,;:?!()][{CHINESE}]| [{FULL_WIDTH}]|[{FULL_WIDTH}] ")
    assert [told for _, _, told in _entries() if wrong.search(told)] == []


def test_a_space_stands_between_chinese_and_latin_letters_or_digits():
    wrong = re.compile(f"[{CHINESE}][A-Za-z0-9@]|[A-Za-z0-9%][{CHINESE}]|[{CHINESE}] [{CHINESE}]")
    told = ((english, re.sub(r"\{\w+\}", "\x00", told)) for _, english, told in _entries())
    assert [english for english, text in told if wrong.search(text.replace("\x00%", "\x00"))] == []


def test_the_glossary_s_terms_are_those_of_the_catalogue():
    table = GLOSSARY.read_text(encoding="utf-8").partition("## Terms")[2]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", table, re.MULTILINE)
    terms = [told.strip() for english, told in rows if english.strip() not in ("English", "---")]
    text = "\n".join(told for _, _, told in _entries())
    assert len(terms) > 30
    assert [term for term in terms if term not in text] == []


def test_the_declarations_are_seen():
    """The enumeration itself: a question, a unit, what is paired on, a study's name."""
    assert {"speed", "{number} images", "{number} images/s"} <= declared().keys()
    assert any(key.endswith("?") for key in declared())
