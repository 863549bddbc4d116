"""Where one contender is right and another wrong: the images themselves, as far as thumbnails were kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from netversus.exhibits import Exhibit, Gallery, Picture, Text
from netversus.messages import say
from netversus.records import ContenderCard
from netversus.studies.accuracy.mistakes import FILE, MOST, Mistake, loaded
from netversus.study import Evidence

MOST_SHOWN = 24  # of one direction of one pair
MOST_PAIRS = 3
Values = Mapping[str, float]


def disagreements(evidence: Evidence) -> Iterator[Exhibit]:
    """A gallery a pair of contenders, on the first seed; the first few pairs of many contenders, which is said."""
    kept = {card.name: loaded(evidence.artifact(FILE, card.name)) for card in evidence.contenders}
    pairs = list(combinations(evidence.contenders, 2))
    for a, b in pairs[:MOST_PAIRS]:
        pictures = [*_pictures(evidence, a, b, kept[b.name]), *_pictures(evidence, b, a, kept[a.name])]
        if pictures:
            yield _gallery(a, b, pictures)
    if any(kept.values()) and len(pairs) > MOST_PAIRS:
        yield Text(
            say("Images on which they disagree are shown for {n} of {pairs} pairs.", n=MOST_PAIRS, pairs=len(pairs))
        )


def _gallery(a: ContenderCard, b: ContenderCard, pictures: Sequence[Picture]) -> Gallery:
    return Gallery(
        title=say("Where {a} and {b} disagree", a=a.name, b=b.name),
        pictures=tuple(pictures),
        note=say(
            "Images that one of them gets right and the other wrong, as the one that is wrong saw them: of the first "
            "{kept} mistakes of each, in the order of reading, at most {shown} a direction. To look at, no sample.",
            kept=MOST,
            shown=MOST_SHOWN,
        ),
    )


def _pictures(
    evidence: Evidence, right: ContenderCard, wrong: ContenderCard, mistakes: Sequence[Mistake]
) -> list[Picture]:
    """The first mistakes of one contender that the other got right."""
    was_right, sure = _values(evidence, right, "top1"), _values(evidence, wrong, "confidence")
    found = [each for each in mistakes if was_right.get(each.unit, 0.0) > 0][:MOST_SHOWN]
    return [_picture(evidence, right, wrong, each, sure.get(each.unit)) for each in found]


def _values(evidence: Evidence, card: ContenderCard, metric: str) -> Values:
    series = evidence.series(card.name, metric)
    return {} if series is None else dict(zip(series.units, series.values.tolist(), strict=True))


def _picture(
    evidence: Evidence, right: ContenderCard, wrong: ContenderCard, mistake: Mistake, sure: float | None
) -> Picture:
    truth, said = _class(evidence, mistake.label), _class(evidence, mistake.predicted)
    if sure is not None:
        said = say("{name} ({sure} % sure)", name=said, sure=f"{100 * sure:.0f}")
    told = say(
        "{truth}: {right} is right, {wrong} says {said}", truth=truth, right=right.name, wrong=wrong.name, said=said
    )
    return Picture(
        content=mistake.jpeg,
        alt=say("Image {unit} of class {told}", unit=mistake.unit, told=told),
        width=mistake.width,
        height=mistake.height,
        caption=told,
        tags=(
            say("only {name} is right", name=right.name),
            say("class {name}", name=truth),
            *(f"{factor}: {level}" for factor, level in mistake.factors.items()),
        ),
    )


def _class(evidence: Evidence, index: int) -> str:
    """A class' name; a network may have answers that are none of the data's classes."""
    classes = evidence.data.classes
    return classes[index] if index < len(classes) else say("answer {n}, no class of the data", n=index)
