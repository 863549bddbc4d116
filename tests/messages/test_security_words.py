"""Nobody is called secure or insecure without the threat: no sentence says it bare, in whichever language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from netversus.messages import catalogue

from .collected import SOURCES, wanted

BARE = re.compile(r"\b(in)?secure(ly|d)?\b", re.IGNORECASE)
THREAT = re.compile(r"threat|attack|adversarial|poison", re.IGNORECASE)


def _bare(texts: Iterator[str]) -> list[str]:
    """Sentences that use the word and name no threat; a question may use it, for it claims nothing."""
    return [text for text in texts if BARE.search(text) and not THREAT.search(text) and not text.endswith("?")]


def _strings() -> Iterator[str]:
    """Every string of the sources that is no docstring: errors and help are no messages of a catalogue."""
    for path in sorted(SOURCES.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in told)
        yield from (node.value for node in nodes if isinstance(node.value, str))


def test_no_message_says_secure_without_a_threat():
    assert _bare(iter(wanted())) == []


def test_no_string_of_the_sources_says_secure_without_a_threat():
    assert _bare(_strings()) == []


@pytest.mark.parametrize("text", ["resnet50 is secure.", "Insecure: do not deploy it.", "It is highly secure"])
def test_the_check_finds_a_bare_word(text: str):
    assert _bare(iter([text])) == [text]


def test_a_chinese_sentence_that_calls_something_safe_names_a_threat():
    bare = re.compile("不安全|是安全的|很安全|高度安全")
    named = re.compile("威胁|攻击|扰动|投毒")
    assert [told for told in catalogue("zh").values() if bare.search(told) and not named.search(told)] == []
