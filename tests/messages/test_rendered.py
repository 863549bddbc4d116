"""The Chinese report of the stored run holds no English but names, code, abbreviations and units."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from golden.expected import RUN
from netversus.analyse import analyse
from netversus.messages import speaking
from netversus.report import ReportView, build_view, html, markdown
from netversus.retelling import finding_told
from netversus.store import RunStore
from report.page import Element, read_page

TERMS = {
    *("top-1", "top-5", "ReLU", "Brier", "ECE", "Pareto", "Bonferroni", "JSON", "CSV", "Parquet", "HTML", "netversus"),
    *("Clopper-Pearson", "McNemar", "mid-p", "Tango", "Welch", "Student", "Hodges-Lehmann", "Wilcoxon", "torch"),
    *("nat", "px", "ms", "MiB", "KiB", "GiB", "UTC", "cpu", "cells", "ONNX", "fp32", "seed", "SHA-256"),
}
"""What Chinese engineers write in Latin letters, units, and words of the run folder and of commands."""
NAMES = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch", "digits", "scratch", "tiny_nets.py")
EXACT = {"pre", "code", "script", "style", "title", "head"}
PROVENANCE = {"command", "digest", "prose"}
"""Classes of what is shown as it was stored: commands, digests, a README."""
_WORD = re.compile(r"(?<![A-Za-z0-9])[A-Za-zÀ-ž][A-Za-zÀ-ž0-9-]*[A-Za-z0-9]")


@pytest.fixture(scope="module")
def view() -> ReportView:
    store = RunStore.open(RUN)
    with speaking("zh"):
        told = build_view(store, analyse(store))
    return replace(told, sections=tuple(replace(section, method="") for section in told.sections))


@pytest.fixture(scope="module")
def page(view: ReportView) -> Element:
    with speaking("zh"):
        return read_page(html.render(view))


def english(text: str) -> list[str]:
    """The English words of a text that are no names and no terms; identifiers and settings are no words."""
    for name in NAMES:
        text = text.replace(name, " ")
    text = re.sub(r"`[^`]*`|\S*[_/=@:.]\w\S*|\b[0-9a-f]{12,}\b", " ", text)
    return [word for word in _WORD.findall(text) if word not in TERMS and not word.isupper()]


def _texts(element: Element) -> Iterator[str]:
    """Everything that is shown, or read out: texts and labels, without what is exact or provenance."""
    if element.tag in EXACT or PROVENANCE & set(element.attributes.get("class", "").split()):
        return
    if element.attributes.get("id") == "machine" or element.tag == "input":
        return
    yield from (value for name, value in element.attributes.items() if name in ("aria-label", "title", "alt"))
    yield "".join(part if isinstance(part, str) else "" if part.tag == "wbr" else "\n" for part in element.parts)
    for part in element.parts:
        if isinstance(part, Element):
            yield from _texts(part)


def _provenance(view: ReportView) -> set[str]:
    """Words of versions, machine, settings and identity: they are what they are in any language."""
    words = [word for s in view.sessions for pair in (*s.versions.items(), *s.machine.items()) for word in pair]
    words += [str(value) for card in view.contenders for value in (card.recipe, card.head, card.engine, card.source)]
    words += [card.preprocessing.interpolation for card in view.contenders] + list(view.data.factors)
    words += [key.replace("_", " ") for s in view.sections for cell, _ in s.cells[:1] for key in cell.options]
    words += [str(value) for s in view.sections for cell, _ in s.cells[:1] for value in cell.options.values()]
    words += [*view.data.splits, *(f.slice for f in view.findings)]
    words += [question.metric for section in view.sections for question in section.questions]
    words += [view.run_id, *(session.command for session in view.sessions)]
    return {word for text in words for word in _WORD.findall(text)}


def test_no_english_is_left_in_the_page(page: Element, view: ReportView):
    known = _provenance(view)
    left = {text.strip(): [w for w in english(text) if w not in known] for text in _texts(page)}
    assert {text: words for text, words in left.items() if words} == {}


def test_no_english_is_left_in_markdown(view: ReportView):
    with speaking("zh"):
        text = markdown.render(view)
    text = re.sub(r"^(`{3,})\w*\n.*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    known = _provenance(view)
    left = {line: [w for w in english(line) if w not in known] for line in text.splitlines()}
    assert {line: words for line, words in left.items() if words} == {}


def test_the_page_says_its_language(page: Element):
    assert page.all("html")[0].attributes["lang"] == "zh"


def test_findings_are_told_with_the_same_numbers(view: ReportView):
    """The digits of a finding's sentences are those of the English ones."""
    findings = analyse(RunStore.open(RUN))
    told = {(f.study, f.metric, f.a, f.b): f for f in view.findings if not f.slice}
    for finding in (f for f in findings if not f.slice):
        other = told[finding.study, finding.metric, finding.a, finding.b]
        for said in ("sentence", "expert"):
            assert _numbers(getattr(other, said)) == _numbers(getattr(finding, said)), getattr(other, said)


def _numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d[\d,.]*\d|\d", text))


def test_the_findings_that_are_stored_stay_english():
    with speaking("zh"):
        findings = analyse(RunStore.open(RUN))
    assert not any(re.search("[\u3400-\u9fff]", f.sentence + f.expert + "".join(f.caveats)) for f in findings)
    assert [finding_told(f) for f in findings] == list(findings)


def test_the_csv_of_a_chinese_view_keeps_its_columns(view: ReportView):
    from netversus.report import csv_file

    with speaking("zh"):
        text = csv_file.render(view)
    assert text.startswith("study,metric,slice,a,b,verdict,")
