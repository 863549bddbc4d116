"""A model card for each contender, as the Hugging Face hub reads it: results in the header, what they rest on in text.

The header has room for a value only; the interval, and what the others gave, are said below it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Final

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from netversus.evidence import StudyEvidence
from netversus.exports.format import Files, Format, Source
from netversus.messages import say
from netversus.quantities import amount
from netversus.records import ContenderCard, Direction, Finding, Scale, Verdict
from netversus.report.escape import markdown_text, one_line
from netversus.report.scorecard import difference_text, finding_interval, is_refused, sample_text, verdict_text
from netversus.statistics.proportions import wilson
from netversus.store import safe_name

_TASK: Final = "image-classification"
_TASKS: Final = {"detection": "object-detection", "tracking": "object-detection"}
_METRICS: Final = {"top1": "accuracy"}  # what the hub calls it
_LIBRARIES: Final = {"torchvision": "torchvision", "timm": "timm", "hf": "transformers", "onnx": "onnx"}


def _files(source: Source) -> Files:
    for card in source.contenders:
        yield f"{safe_name(card.name)}/README.md", _card(source, card).encode("utf-8")


def _card(source: Source, card: ContenderCard) -> str:
    """One contender's card: Markdown under a YAML header."""
    data = source.view.data
    own = _own(source.view.findings, card.name)
    header = ModelCardData(
        model_name=one_line(card.name),
        library_name=_LIBRARIES.get(card.source),
        pipeline_tag=_TASK,
        tags=["netversus", _TASK, one_line(card.architecture)],
        datasets=[one_line(data.name)],
        eval_results=[_result(source, card, finding) for finding in own] or None,
    )
    parts = [
        f"# {markdown_text(card.name)}",
        say(
            "{architecture}, weights {weights}, measured by netversus {version} on {data} beside {others}.",
            architecture=markdown_text(card.architecture),
            weights=markdown_text(card.weights),
            version=source.view.netversus_version,
            data=markdown_text(data.name),
            others=markdown_text(", ".join(c.name for c in source.view.contenders if c.name != card.name)),
        ),
        f"## {say('Results')}",
        _table((say("Question"), say("Result"), say("Rests on")), _levels(source, card, own)),
        f"## {say('Beside the others')}",
        _table(
            (say("Question"), say("Against"), say("Difference"), say("Interval"), say("Verdict")),
            _against(source, card),
        ),
        say("Differences are the second contender of a pair minus the first, or, marked ×, divided by it."),
        f"## {say('Before believing it')}",
        *(f"- {markdown_text(caveat)}" for caveat in source.view.caveats),
        f"## {say('Measure it again')}",
        f"    {one_line(source.view.rerun)}",
    ]
    # The header is escaped by its own library; a line of three dashes in the text would be no second one.
    return str(ModelCard(f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(part for part in parts if part) + "\n"))


def _own(findings: Sequence[Finding], name: str) -> list[Finding]:
    """The first finding of each question that has a value of this contender."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        if name in (finding.a, finding.b) and not finding.slice and not is_refused(finding):
            value = _value(finding, name)
            if value is not None and isfinite(value):
                first.setdefault((finding.study, finding.metric), finding)
    return list(first.values())


def _value(finding: Finding, name: str) -> float | None:
    return finding.value_a if finding.a == name else finding.value_b


def _result(source: Source, card: ContenderCard, finding: Finding) -> EvalResult:
    value = _value(finding, card.name)
    assert value is not None
    unit = f" ({finding.unit})" if finding.unit not in ("", "%") else ""  # a share is given as a fraction
    return EvalResult(
        task_type=_TASKS.get(finding.study, _TASK),
        dataset_type=one_line(source.view.data.name),
        dataset_name=one_line(source.view.data.name),
        dataset_split="test",
        metric_type=_METRICS.get(finding.metric, finding.metric),
        metric_name=f"{finding.study}.{finding.metric}{unit}",
        metric_value=value,
    )


def _levels(source: Source, card: ContenderCard, own: Sequence[Finding]) -> Iterator[tuple[str, ...]]:
    """The contender's own values; a share of right answers has an interval of its own."""
    for finding in own:
        said = amount(_value(finding, card.name), finding.unit)
        yield _asks(source, finding), said + _own_interval(source, card, finding), sample_text(finding)


def _own_interval(source: Source, card: ContenderCard, finding: Finding) -> str:
    """Wilson's interval (JASA 22, 1927) for a proportion of one seed; its like for other scales is not stated."""
    evidence = StudyEvidence(source.store, source.plan, finding.study)
    found = [s for seed in evidence.seeds if (s := evidence.series(card.name, finding.metric, seed)) is not None]
    if finding.scale is not Scale.PROPORTION or len(found) != 1 or finding.available is not None:
        return ""
    right, n = int(found[0].values.sum()), len(found[0].units)
    interval = wilson(right, n, source.view.level)
    low, high = amount(interval.low, finding.unit), amount(interval.high, finding.unit)
    level = f"{100 * source.view.level:.4g}"
    return " " + say("({level} % interval {low} to {high})", level=level, low=low, high=high)


def _against(source: Source, card: ContenderCard) -> Iterator[tuple[str, ...]]:
    for finding in source.view.findings:
        if card.name in (finding.a, finding.b) and not finding.slice and finding.verdict is not Verdict.DESCRIBED:
            pair = say("{b} against {a}", a=finding.a, b=finding.b)
            cells = difference_text(finding), finding_interval(finding), verdict_text(finding)
            yield (_asks(source, finding), pair, *cells)


def _asks(source: Source, finding: Finding) -> str:
    """The question in words, and which way is better."""
    questions = (q for section in source.view.sections if section.name == finding.study for q in section.questions)
    asks = next((q.asks for q in questions if q.metric == finding.metric), finding.metric)
    better = {Direction.HIGHER: "↑", Direction.LOWER: "↓"}.get(finding.direction, "")
    return f"{asks} {better}".strip()


def _table(columns: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [" | ".join(map(markdown_text, row)) for row in rows]
    if not lines:
        return say("Nothing was measured.")
    rule = " | ".join("---" for _ in columns)
    return "\n".join(f"| {line} |" for line in (" | ".join(map(markdown_text, columns)), rule, *lines))


FORMAT = Format(
    "model-card",
    "a model card for each contender, with its results in the header; a folder of README.md files",
    _files,
    by_contender=True,
)
