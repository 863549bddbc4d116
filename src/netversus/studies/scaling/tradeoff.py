"""What a resolution costs and what it brings: top-1 against milliseconds. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netversus.exhibits import Chart, Exhibit, Scalar, Series, Table
from netversus.messages import say
from netversus.records import ContenderCard, Effect
from netversus.statistics.pairing import Sample, only, pair
from netversus.statistics.proportions import clopper_pearson, tabulate, tango
from netversus.studies.scaling.curves import LEVEL, Curve, curve
from netversus.study import Evidence


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One contender at one side: what it answered on each image, and its seconds an image where they were timed."""

    side: int
    answers: Sample
    seconds: float | None

    @property
    def top1(self) -> Effect:
        """The share of right answers, with the interval of Clopper and Pearson."""
        right, n = int(self.answers.values.sum()), len(self.answers.units)
        return clopper_pearson(right, n, LEVEL)


def tradeoff(evidence: Evidence) -> Iterator[Exhibit]:
    """The curve of quality against cost, and each resolution beside the contender's own; nothing without answers."""
    places = [(card, found) for card in evidence.contenders if (found := _places(evidence, card))]
    if not places:
        return
    yield _table(places)
    series = [each for card, found in places if (each := _series(card, found)).x]
    if series:
        yield Chart(
            title=say("What a resolution costs, and what it brings"),
            kind="line",
            x_label=say("time of an image (ms)"),
            y_label=say("top-1 (%)"),
            series=tuple(series),
            description=say(
                "Each point is a contender at one resolution. Of two points the higher one further left is the better "
                "bargain. Bands: {level} % intervals of each share by itself.",
                level=f"{100 * LEVEL:.0f}",
            ),
        )


def _places(evidence: Evidence, card: ContenderCard) -> list[Place]:
    timed: Curve | None = curve(evidence, card.name, "resolution")
    found = []
    for side in timed.sizes if timed else ():
        answers = evidence.series(card.name, f"top1_at_{side:04d}")
        if answers is not None and timed is not None:
            found.append(Place(side, answers, timed.seconds_at(side)))
    return found


def _series(card: ContenderCard, places: Sequence[Place]) -> Series:
    shown = sorted((place for place in places if place.seconds), key=lambda place: place.seconds or 0.0)
    levels = [place.top1 for place in shown]
    return Series(
        card.name,
        x=tuple(1e3 * (place.seconds or 0.0) for place in shown),
        y=tuple(100 * level.estimate for level in levels),
        low=tuple(100 * level.low for level in levels),
        high=tuple(100 * level.high for level in levels),
    )


def _table(places: Sequence[tuple[ContenderCard, Sequence[Place]]]) -> Table:
    rows = [row for card, found in places for row in _rows(card, found)]
    return Table(
        title=say("Top-1 at each resolution, beside the contender's own"),
        columns=(
            say("contender"),
            say("side (px)"),
            say("images"),
            say("top-1 (%)"),
            say("difference (points)"),
            say("{level} % interval", level=f"{100 * LEVEL:.0f}"),
            say("ms an image"),
            say("times the time"),
        ),
        rows=tuple(rows),
        formats=("", ",d", ",d", ".1f", "+.1f", "", ".3g", ".2f"),
        note=say(
            "The same images at every resolution, so differences are paired (Tango 1998), not corrected for their "
            "number. The weights were trained at one resolution: that another does worse says nothing of weights "
            "trained for it."
        ),
    )


def _rows(card: ContenderCard, places: Sequence[Place]) -> Iterator[tuple[Scalar, ...]]:
    """Beside its own side; where that was not measured, beside the largest."""
    own = next((place for place in places if place.side == card.preprocessing.crop), places[-1])
    for place in places:
        difference, interval = (None, "") if place is own else _difference(own.answers, place.answers)
        times = place.seconds / own.seconds if place.seconds and own.seconds else None
        milliseconds = None if place.seconds is None else 1e3 * place.seconds
        top1 = 100 * place.top1.estimate
        yield card.name, place.side, len(place.answers.units), top1, difference, interval, milliseconds, times


def _difference(own: Sample, other: Sample) -> tuple[float | None, str]:
    """In points, on the images that both have; none where they share none."""
    common = set(own.units) & set(other.units)
    if not common:
        return None, ""
    paired = pair(only(own, common), only(other, common))
    table = tabulate(paired.a, paired.b)
    effect = tango(table.only_b, table.only_a, table.n, LEVEL)
    return 100 * effect.estimate, f"[{100 * effect.low:+.1f}, {100 * effect.high:+.1f}]"
