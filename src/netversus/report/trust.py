"""How far the report can be trusted, and where its numbers come from, as labelled rows for every renderer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from statistics import median

from netversus.messages import clauses, in_a_row, language, listed, say, template
from netversus.quantities import difference, duration, margin_text, percent
from netversus.records import (
    Cell,
    ContenderCard,
    DataCard,
    Done,
    Effect,
    Failed,
    Finding,
    Outcome,
    Preprocessing,
    Role,
    Scale,
    Session,
)
from netversus.report.view import ReportView, Section
from netversus.wording import plain_error_rate

FEWEST_SEEDS = 3
_ENDINGS = {
    "done": template("done"),
    "failed": template("failed"),
    "skipped": template("skipped"),
    "unfinished": template("unfinished"),
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of several things, one value each; `differs` where they are not the same."""

    label: str
    values: tuple[str, ...]
    exact: bool = False  # a digest, to be compared letter by letter

    @property
    def differs(self) -> bool:
        """Whether not all values are the same."""
        return len(set(self.values)) > 1


def trust_rows(view: ReportView) -> Iterator[tuple[str, str]]:
    """What the reader must know to judge the verdicts: (label, words)."""
    level, sure = f"{100 * view.level:.4g}", plain_error_rate(view.level)
    yield say("Confidence"), say("{level} %: a verdict is {sure}", level=level, sure=sure)
    if view.multiplicity:
        yield say("Many questions"), view.multiplicity
    yield say("Training seeds"), _seeds(view)
    scopes = sorted({finding.scope for finding in view.findings if finding.effect is not None})
    if scopes:
        words = {"checkpoints": say("these checkpoints"), "recipes": say("these recipes")}
        yield say("The verdicts speak of"), listed([words.get(scope, scope) for scope in scopes])
    if noise := clauses(_noise(view)):
        yield say("Noise"), noise
    ended = [outcome for section in view.sections for _, outcome in section.cells]
    done = sum(isinstance(outcome, Done) for outcome in ended)
    if any(finding.available is not None for finding in view.findings):
        yield (
            say("Images read"),
            say(
                "in a recorded shuffle, until the primary verdict was certain; the intervals are confidence sequences, "
                "which hold whenever one stops"
            ),
        )
    yield (
        say("Work planned"),
        say("{done} of {all} cells were measured whole", done=f"{done:,}", all=f"{len(ended):,}"),
    )
    yield say("Files skipped"), f"{len(view.data.skipped):,}"
    yield say("Time budget"), say("none") if view.budget is None else duration(view.budget)
    yield say("Device"), view.device


def _seeds(view: ReportView) -> str:
    if view.repeats >= FEWEST_SEEDS:
        return say("{n}, from seed {seed} on", n=view.repeats, seed=view.seed)
    return say(
        "{n}, from seed {seed} on; a claim about a recipe needs {fewest} at least",
        n=view.repeats,
        seed=view.seed,
        fewest=FEWEST_SEEDS,
    )


def _noise(view: ReportView) -> Iterator[str]:
    """How far chance moves what was measured: half the width of the intervals."""
    whole = [f for f in view.findings if not f.slice and f.effect is not None and _is_finite(f.effect)]
    primary = [f for f in whole if f.role is Role.PRIMARY and f.scale is not Scale.RATIO]
    if primary:
        half = median((f.effect.high - f.effect.low) / 2 for f in primary if f.effect)
        reach = difference(half, primary[0].unit).removeprefix("+")
        yield say("the interval of the primary question reaches {reach} to either side", reach=reach)
    timed = [f.effect for f in whole if f.scale is Scale.RATIO and f.unit == "s" and f.effect and f.effect.low > 0]
    if timed:
        reach = percent(median((effect.high / effect.low) ** 0.5 - 1 for effect in timed), 1)
        yield say("those of the {n} times compared reach {reach} at the median", n=len(timed), reach=reach)


def _is_finite(effect: Effect) -> bool:
    return isfinite(effect.low) and isfinite(effect.high)


def contenders_text(names: Sequence[str]) -> str:
    """The contenders of a run: "A against B against C"."""
    return say("{first} against {second}", first="", second="").join(names)


def then(values: Sequence[str]) -> str:
    """What was seen one after another: "2.15.0, then 2.15.1"."""
    return say("{first}, then {second}", first="", second="").join(values)


def raw_data_text(view: ReportView) -> str:
    """Where the raw numbers lie that all of this is derived from."""
    done = [outcome for section in view.sections for _, outcome in section.cells if isinstance(outcome, Done)]
    return say(
        "All {n} raw observations lie in the run folder {run}, under cells/, as Parquet files.",
        n=f"{sum(outcome.observations for outcome in done):,}",
        run=view.run_id,
    )


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
            yield say(
                "{name}: {now}; it was {before} when the run was planned and was changed afterwards.",
                name=name,
                now=now,
                before=before,
            )
        elif name in view.margins:
            yield say("{name}: {now}, set by the user before the data were seen.", name=name, now=now)


def _margin(finding: Finding, margin: float) -> str:
    return f"± {margin_text(margin, finding.scale, finding.unit)}"


def unfinished(view: ReportView) -> tuple[tuple[Cell, Outcome | None], ...]:
    """The cells that were not measured whole."""
    return tuple((cell, o) for section in view.sections for cell, o in section.cells if not isinstance(o, Done))


def outcome_text(outcome: Outcome | None) -> tuple[str, str]:
    """How a cell ended: its kind ("done", "failed", "skipped", "unfinished"), and what there is to say of it."""
    if outcome is None:
        return "unfinished", say("the run has not come to it yet")
    if isinstance(outcome, Done):
        time = duration(outcome.seconds)
        return "done", say("{n} observations in {time}", n=f"{outcome.observations:,}", time=time)
    return ("failed", outcome.error) if isinstance(outcome, Failed) else ("skipped", outcome.reason)


def ending_word(kind: str) -> str:
    """How a cell ended, in a word."""
    return say(_ENDINGS[kind])


def settings_text(section: Section) -> str:
    """The options of a study, as its first cell has them: all cells of a plan share them."""
    options = section.cells[0][0].options if section.cells else {}
    return in_a_row(
        f"{name.replace('_', ' ')} {_setting(value)}" for name, value in options.items() if value is not None
    )


def _setting(value: object) -> str:
    """An option's value in words; a number with four digits, as nobody sets more."""
    if isinstance(value, bool):
        return say("yes") if value else say("no")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence | Mapping) and not value:
        return say("none")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return listed([_setting(each) for each in value])
    return str(value)


def contender_rows(cards: Sequence[ContenderCard]) -> Iterator[Attribute]:
    """The contenders side by side."""
    yield Attribute(say("named as"), tuple(card.spec for card in cards))
    yield Attribute(say("source"), tuple(card.source for card in cards))
    yield Attribute(say("architecture"), tuple(card.architecture for card in cards))
    yield Attribute(say("weights"), tuple(card.weights for card in cards))
    yield Attribute(say("training recipe"), tuple(card.recipe for card in cards))
    yield Attribute(say("outputs"), tuple(card.head for card in cards))
    yield Attribute(say("engine"), tuple(card.engine for card in cards))
    yield Attribute(say("preprocessing"), tuple(_preprocessing(card.preprocessing) for card in cards))
    if any(card.notes for card in cards):
        yield Attribute(say("notes"), tuple(clauses(card.notes) or "–" for card in cards))
    yield Attribute(say("digest"), tuple(card.digest for card in cards), exact=True)


def _preprocessing(steps: Preprocessing) -> str:
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (steps.mean, steps.std))
    shape = in_a_row(_shape(steps))
    return clauses([shape, say("mean {mean}, std {std}", mean=mean, std=std)])


def _shape(steps: Preprocessing) -> Iterator[str]:
    if steps.resize:
        both, shorter = template("both sides to {n} px"), template("shorter side to {n} px")
        yield say(both if steps.squash else shorter, n=steps.resize)
    yield say("crop {n} px", n=steps.crop)
    yield steps.interpolation
    if not steps.antialias:
        yield say("no antialiasing")


def data_rows(data: DataCard) -> Iterator[tuple[str, str]]:
    """What the data are: (label, words)."""
    yield say("named as"), data.spec
    for label, counts in (
        (say("images"), data.splits),
        (say("pictures with boxes"), data.frames),
        (say("sequences with tracks"), data.sequences),
    ):
        if counts:
            yield label, in_a_row(f"{count:,} {split}" for split, count in counts.items())
    for label, classes in ((say("classes"), data.classes), (say("classes of boxes"), data.box_classes)):
        if classes:
            names = f"{in_a_row(classes[:20])}{' …' if len(classes) > 20 else ''}"
            yield label, say("{n}: {names}", n=f"{len(classes):,}", names=names)
    if data.image_size:
        yield say("image size"), f"{data.image_size} px"
    if data.frame_side:
        yield say("side of pictures with boxes"), f"{data.frame_side:,} px"
    if data.factors:
        yield say("recorded factors"), in_a_row(data.factors)
    if data.notes:
        yield say("notes"), clauses(data.notes)
    yield say("digest"), data.digest


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
    if language() == "en":
        return f"{universal.day} {_MONTHS[universal.month - 1]} {universal:%Y, %H:%M UTC}"
    return f"{universal:%Y-%m-%d %H:%M UTC}"
