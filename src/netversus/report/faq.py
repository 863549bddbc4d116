"""The four questions of the article's FAQ, answered from a run's own evidence: data first, exhibits from it.

Every statement is one finding in its own words, and names it. What no study of the run measured is said to be so;
nothing is taken from published figures here, and nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from netversus.claims import FindingKey
from netversus.claims.records import key_of
from netversus.exhibits import Exhibit, Table, Text
from netversus.messages import in_a_row, listed, say, sentences, template
from netversus.quantities import counted
from netversus.records import DataCard, Finding, Role, Scale, Verdict
from netversus.studies import find_studies
from netversus.wording import winner

_CLASSIFICATION = template("classifying images")
_TASKS: tuple[tuple[str, str, str], ...] = (
    (_CLASSIFICATION, "accuracy", "top1"),
    (template("detecting objects"), "detection", ""),
    (template("tracking objects"), "tracking", ""),
    (template("recognising the same object again"), "recognition", ""),
    (template("generating images"), "generation", ""),
    (template("features for another task"), "transfer", "probe_top1"),
    (template("answering one image at a time"), "speed", "latency"),
    (template("going through many images"), "speed", "throughput"),
    (template("training often"), "training", "train_time"),
)
"""Task, study, and the metric that answers for it; empty: the study's primary question, or its first."""

_PERFORMANCE = ("accuracy", "speed", "training", "transfer", "scaling", "factors", "structure")
_SECURITY = (
    *(template("artifact"), template("adversarial"), template("poisoning"), template("corruption")),
    template("privacy"),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an answer. `about` is whom or what it is about; `finding` is what it says in words."""

    about: str
    text: str
    finding: FindingKey
    rests_on: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question. `missing` is what the run did not measure of it; `note` how it is to be read."""

    question: str
    statements: tuple[Statement, ...]
    missing: tuple[str, ...] = ()
    note: str = ""


def answers(findings: Sequence[Finding], data: DataCard) -> tuple[Answer, ...]:
    """The four answers, in the order of the article: always four, also where nothing was measured."""
    whole = [finding for finding in findings if not finding.slice]
    names = dict.fromkeys(name for finding in whole for name in (finding.a, finding.b))
    several = len(names) > 2
    who = listed(tuple(names)) if names else say("the contenders")
    return (
        _advantages(whole, who, data, several=several),
        _scenarios(whole, who, several=several),
        _performance(whole, who, data, several=several),
        _security(whole, who, several=several),
    )


def faq_exhibits(findings: Sequence[Finding], data: DataCard) -> tuple[Exhibit, ...]:
    """The answers as a table each, its note telling what was not measured."""
    return tuple(exhibit for answer in answers(findings, data) for exhibit in _exhibits(answer))


def answers_document(found: Iterable[Answer]) -> list[dict[str, Any]]:
    """The answers as plain values, for JSON."""
    return [asdict(answer) for answer in found]


def _exhibits(answer: Answer) -> tuple[Exhibit, ...]:
    note = sentences(answer.note, _not_measured(answer))
    if not answer.statements:
        return (Text(sentences(answer.question, say("This run holds no answer."), note)),)
    rows = tuple((each.about, each.text, each.rests_on) for each in answer.statements)
    columns = (say("about"), say("what was found"), say("rests on"))
    return (Table(title=answer.question, columns=columns, rows=rows, note=note),)


def _not_measured(answer: Answer) -> str:
    return say("Not measured in this run: {what}.", what=in_a_row(answer.missing)) if answer.missing else ""


def _advantages(findings: Sequence[Finding], who: str, data: DataCard, *, several: bool) -> Answer:
    """What speaks for each, contender by contender; then what speaks for neither."""
    judged = [finding for finding in findings if finding.verdict is not Verdict.DESCRIBED]
    order = list(dict.fromkeys(name for finding in judged for name in (finding.a, finding.b)))
    kinds = [*order, Verdict.EQUIVALENT, Verdict.UNDECIDED]
    judged.sort(key=lambda finding: kinds.index(winner(finding) or finding.verdict))
    return Answer(
        question=say("What are the advantages and disadvantages of {who}?", who=who),
        statements=tuple(_with_question(_statement(_in_favour_of(f), f, several=several)) for f in judged),
        missing=_unmeasured(findings, [name for name, study in find_studies().items() if study.default]),
        note=say("What speaks for one speaks against the other, on {data} and this machine.", data=data.name),
    )


def _in_favour_of(finding: Finding) -> str:
    best = winner(finding)
    if best is not None:
        return say("for {contender}", contender=best)
    return say("for neither") if finding.verdict is Verdict.EQUIVALENT else say("cannot tell")


def _scenarios(findings: Sequence[Finding], who: str, *, several: bool) -> Answer:
    """Task by task."""
    statements: list[Statement] = []
    missing = []
    for task, study, metric in _TASKS:
        found = _deciding(findings, study, metric)
        statements += [_statement(say(task), finding, several=several) for finding in found]
        if not found:
            missing.append(say(task))
    return Answer(
        question=say("Which scenarios do {who} suit?", who=who), statements=tuple(statements), missing=tuple(missing)
    )


def _deciding(findings: Sequence[Finding], study: str, metric: str) -> list[Finding]:
    """The findings that answer for a study: on the named metric, else on its primary question, else on its first."""
    of_study = [finding for finding in findings if finding.study == study]
    primary = [finding.metric for finding in of_study if finding.role is Role.PRIMARY]
    chosen = metric or next(iter([*primary, *(finding.metric for finding in of_study)]), "")
    return [finding for finding in of_study if finding.metric == chosen]


def _performance(findings: Sequence[Finding], who: str, data: DataCard, *, several: bool) -> Answer:
    return Answer(
        question=say("How do {who} perform?", who=who),
        statements=_of(findings, _PERFORMANCE, several=several),
        missing=_unmeasured(findings, _PERFORMANCE),
        note=say(
            "Measured on {data}, with these weights, on this machine: other data, recipes and machines give other "
            "numbers.",
            data=data.name,
        ),
    )


def _security(findings: Sequence[Finding], who: str, *, several: bool) -> Answer:
    return Answer(
        question=say("How secure are {who}?", who=who),
        statements=_of(findings, _SECURITY, several=several),
        missing=_unmeasured(findings, _SECURITY),
        note=say(
            "None of them is secure or insecure as such: each line speaks of one threat, and what was not measured is "
            "not known."
        ),
    )


def _of(findings: Sequence[Finding], studies: Sequence[str], *, several: bool) -> tuple[Statement, ...]:
    """Every finding of some studies, under its question."""
    asks = _asks()
    return tuple(
        _statement(asks.get((finding.study, finding.metric), _name(finding)), finding, several=several)
        for study in studies
        for finding in findings
        if finding.study == study
    )


def _asks() -> Mapping[tuple[str, str], str]:
    """(study, metric) -> the question in words."""
    return {(name, q.metric): say(q.asks) for name, study in find_studies().items() for q in study.questions}


def _statement(about: str, finding: Finding, *, several: bool) -> Statement:
    said = finding.sentence
    named = finding.a in said and finding.b in said
    if several and not named:
        said = say("{a} and {b}: {sentence}", a=finding.a, b=finding.b, sentence=said)
    return Statement(about, said, key_of(finding), _rests_on(finding))


def _with_question(statement: Statement) -> Statement:
    """The same behind the question that it answers."""
    asks = _asks().get((statement.finding.study, statement.finding.metric), "")
    return replace(statement, text=sentences(asks, statement.text))


def _rests_on(finding: Finding) -> str:
    if finding.scale is Scale.FACT:
        return say("{question}, exact", question=_name(finding))
    return say("{question}, {units}", question=_name(finding), units=counted(finding.n, finding.paired_on))


def _name(finding: Finding) -> str:
    return f"{finding.study}.{finding.metric}"


def _unmeasured(findings: Sequence[Finding], studies: Iterable[str]) -> tuple[str, ...]:
    """The studies without a finding, as they are called."""
    found = {finding.study for finding in findings}
    return tuple(say(study) for study in studies if study not in found)
