"""How far the report can be trusted, and where its numbers come from, as labelled rows for every renderer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from netversus.quantities import duration, margin_text
from netversus.records import Cell, ContenderCard, DataCard, Done, Failed, Finding, Outcome, Preprocessing, Session
from netversus.report.view import ReportView, Section
from netversus.wording import plain_error_rate

FEWEST_SEEDS = 3


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of several things, one value each; `differs` where they are not the same."""

    label: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """Whether not all values are the same."""
        return len(set(self.values)) > 1


def trust_rows(view: ReportView) -> Iterator[tuple[str, str]]:
    """What the reader must know to judge the verdicts: (label, words)."""
    yield "Confidence", f"{100 * view.level:.4g} %: a verdict is {plain_error_rate(view.level)}"
    if view.multiplicity:
        yield "Many questions", view.multiplicity
    few = f"; a claim about a recipe needs {FEWEST_SEEDS} at least" if view.repeats < FEWEST_SEEDS else ""
    yield "Training seeds", f"{view.repeats}, from seed {view.seed} on{few}"
    scopes = sorted({finding.scope for finding in view.findings if finding.effect is not None})
    if scopes:
        yield "The verdicts speak of", " and ".join(f"these {scope}" for scope in scopes)
    ended = [outcome for section in view.sections for _, outcome in section.cells]
    done = sum(isinstance(outcome, Done) for outcome in ended)
    if any(finding.available is not None for finding in view.findings):
        words = "in a recorded shuffle, until the primary verdict was certain"
        yield "Images read", f"{words}; the intervals are confidence sequences, which hold whenever one stops"
    yield "Work planned", f"{done:,} of {len(ended):,} cells were measured whole"
    yield "Files skipped", f"{len(view.data.skipped):,}"
    yield "Time budget", "none" if view.budget is None else duration(view.budget)
    yield "Device", view.device


def margin_rows(view: ReportView) -> Iterator[str]:
    """A sentence for each margin that is not the study's own, or was changed after the data were seen."""
    said = set()
    for finding in view.findings:
        name = f"{finding.study}.{finding.metric}"
        if finding.slice or name in said:
            continue
        said.add(name)
        now, before = _margin(finding, finding.margin), _margin(finding, finding.margin_declared)
        if finding.margin != finding.margin_declared:
            yield f"{name}: {now}; it was {before} when the run was planned and was changed afterwards."
        elif name in view.margins:
            yield f"{name}: {now}, set by the user before the data were seen."


def _margin(finding: Finding, margin: float) -> str:
    return f"± {margin_text(margin, finding.scale, finding.unit)}"


def unfinished(view: ReportView) -> tuple[tuple[Cell, Outcome | None], ...]:
    """The cells that were not measured whole."""
    return tuple((cell, o) for section in view.sections for cell, o in section.cells if not isinstance(o, Done))


def outcome_text(outcome: Outcome | None) -> tuple[str, str]:
    """How a cell ended: a word, and what there is to say of it."""
    if outcome is None:
        return "unfinished", "the run has not come to it yet"
    if isinstance(outcome, Done):
        return "done", f"{outcome.observations:,} observations in {duration(outcome.seconds)}"
    return ("failed", outcome.error) if isinstance(outcome, Failed) else ("skipped", outcome.reason)


def settings_text(section: Section) -> str:
    """The options of a study, as its first cell has them: all cells of a plan share them."""
    options = section.cells[0][0].options if section.cells else {}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in options.items() if value is not None)


def contender_rows(cards: Sequence[ContenderCard]) -> Iterator[Attribute]:
    """The contenders side by side."""
    yield Attribute("named as", tuple(card.spec for card in cards))
    yield Attribute("source", tuple(card.source for card in cards))
    yield Attribute("architecture", tuple(card.architecture for card in cards))
    yield Attribute("weights", tuple(card.weights for card in cards))
    yield Attribute("training recipe", tuple(card.recipe for card in cards))
    yield Attribute("outputs", tuple(card.head for card in cards))
    yield Attribute("engine", tuple(card.engine for card in cards))
    yield Attribute("preprocessing", tuple(_preprocessing(card.preprocessing) for card in cards))
    if any(card.notes for card in cards):
        yield Attribute("notes", tuple("; ".join(card.notes) or "–" for card in cards))
    yield Attribute("digest", tuple(card.digest for card in cards))


def _preprocessing(steps: Preprocessing) -> str:
    which = "both sides" if steps.squash else "shorter side"
    resize = f"{which} to {steps.resize} px, " if steps.resize else ""
    numbers = (" ".join(f"{value:.4g}" for value in values) for values in (steps.mean, steps.std))
    smooth = "" if steps.antialias else ", no antialiasing"
    return f"{resize}crop {steps.crop} px, {steps.interpolation}{smooth}; mean {next(numbers)}, std {next(numbers)}"


def data_rows(data: DataCard) -> Iterator[tuple[str, str]]:
    """What the data are: (label, words)."""
    yield "named as", data.spec
    yield "images", ", ".join(f"{count:,} {split}" for split, count in data.splits.items())
    yield "classes", f"{len(data.classes):,}: {', '.join(data.classes[:20])}{' …' if len(data.classes) > 20 else ''}"
    if data.image_size:
        yield "image size", f"{data.image_size} px"
    if data.factors:
        yield "recorded factors", ", ".join(data.factors)
    if data.notes:
        yield "notes", "; ".join(data.notes)
    yield "digest", data.digest


def environment_rows(sessions: Sequence[Session]) -> Iterator[Attribute]:
    """Versions and machine. A value that changed between sessions is given each time that it was another."""
    for records in ([s.machine for s in sessions], [s.versions for s in sessions]):
        for key in dict.fromkeys(key for record in records for key in record):
            yield Attribute(key, _changes(records, key))


def _changes(records: Sequence[Mapping[str, str]], key: str) -> tuple[str, ...]:
    values: list[str] = []
    for record in records:
        value = record.get(key, "–")
        if not values or values[-1] != value:
            values.append(value)
    return tuple(values)


def when(stamp: str) -> str:
    """An ISO 8601 time (UTC where it does not say) for people; what is none is left as it is."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    universal = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{universal:%d %B %Y, %H:%M UTC}".removeprefix("0")
