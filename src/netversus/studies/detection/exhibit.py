"""How well objects are found: by size, by class, what goes wrong, precision over recall, and the boxes themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netversus.exhibits import Chart, Exhibit, Gallery, Picture, Series, Table, Text
from netversus.lab.detection.told import trained_here
from netversus.messages import in_a_row, say, template
from netversus.statistics.detections import (
    ERRORS,
    MISSED,
    SIZES,
    Matches,
    average_precision,
    gained,
    loaded,
    precision_at_recalls,
)
from netversus.studies.detection import ALBUM, MATCHES
from netversus.studies.detection.album import MOST, SURE, Page
from netversus.studies.detection.album import loaded as pages_of
from netversus.study import Evidence

LEVEL = 0.95
FEWEST = 6  # pictures that an interval takes at least
RECALLS = np.linspace(0, 1, 51)
MOST_CLASSES = 40
NEXT_TO_NOTHING = 1.0  # percent of AP: the margin under which a difference is too small to matter

ERROR_NAMES = {
    "class": template("another class"),
    "location": template("box misses"),
    "both": template("both"),
    "duplicate": template("found twice"),
    "background": template("nothing there"),
    "missed": template("object missed"),
}


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables, charts and pictures of one detection study."""
    found = {card.name: matches for card in evidence.contenders if (matches := _matches(evidence, card.name))}
    if found:
        levels = [level for matches in found.values() if (level := _level(matches, "all", None)) is not None]
        if levels and max(levels) < NEXT_TO_NOTHING:
            yield Text(
                say(
                    "No contender finds much here: every average precision is below {n} %. That they are alike in this "
                    "says little of what each would find after a longer training.",
                    n=f"{NEXT_TO_NOTHING:g}",
                )
            )
        yield _by_size(evidence)
        yield from _by_class(found)
        yield from _errors(found)
        yield from _curves(found)
    yield from _gallery(evidence)
    yield from trained_here(evidence)


def _matches(evidence: Evidence, contender: str, seed: int | None = None) -> Matches | None:
    content = evidence.artifact(MATCHES, contender, seed)
    return None if content is None else loaded(content)


def _by_size(evidence: Evidence) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            matches = _matches(evidence, card.name, seed)
            if matches is not None:
                asked = (("all", None), ("all", 0.5), ("all", 0.75), *((size, None) for size in SIZES[1:]))
                levels = [_level(matches, size, threshold) for size, threshold in asked]
                time = evidence.series(card.name, "detector_time", seed)
                seconds = None if time is None else 1e3 * float(np.median(time.values))
                rows.append((card.name, str(seed), len(matches.units), *levels, seconds))
    return Table(
        title=say("Average precision of each contender"),
        columns=(
            *(say("contender"), say("seed"), say("pictures"), "AP (%)", "AP50 (%)", "AP75 (%)"),
            *(say("AP, small (%)"), say("AP, medium (%)"), say("AP, large (%)"), say("ms a picture")),
        ),
        rows=tuple(rows),
        formats=("", "", ",d", ".1f", ".1f", ".1f", ".1f", ".1f", ".1f", ".3g"),
        note=say(
            "COCO's definitions. Small is under 32 x 32 px, large from 96 x 96 px on; where the data hold no object of "
            "a size there is no number. The time is that of the whole detector for one picture, the median."
        ),
    )


def _level(matches: Matches, size: str, threshold: float | None) -> float | None:
    if not matches.holds(size):
        return None
    return 100 * float(average_precision(matches, size, threshold)(np.ones(len(matches.units))))


def _by_class(found: dict[str, Matches]) -> Iterator[Exhibit]:
    """The classes that have objects, those with the most of them first."""
    first = next(iter(found.values()))
    objects = first.truths[0].sum(axis=0)
    shown = [int(label) for label in np.argsort(-objects, kind="stable") if objects[label]]
    absent = [name for label, name in enumerate(first.classes) if not objects[label]]
    if not shown:
        return
    bars: list[Series] = []
    table: dict[int, list[float]] = {label: [] for label in shown}
    for name, matches in found.items():
        average = average_precision(matches)
        levels = 100 * average.by_class(np.ones(len(matches.units)))
        for label in shown:
            table[label].append(float(levels[label]))
        bars.append(
            Series(
                name=name,
                x=tuple(first.classes[label] for label in shown[:MOST_CLASSES]),
                y=tuple(float(levels[label]) for label in shown[:MOST_CLASSES]),
            )
        )
    left = say(" Classes without any object, of which there is no average precision: {names}.", names=in_a_row(absent))
    yield Chart(
        title=say("Average precision by class"),
        kind="bar",
        x_label=say("class"),
        y_label="AP (%)",
        series=tuple(bars),
        description=say(
            "AP of each class on the first seed, the classes with the most objects first, at most {n} of them.",
            n=MOST_CLASSES,
        )
        + (left if absent else ""),
        y_from_zero=True,
    )
    yield Table(
        title=say("Average precision by class, in numbers"),
        columns=(say("class"), say("objects"), *found),
        rows=tuple((first.classes[label], int(objects[label]), *table[label]) for label in shown),
        formats=("", ",d", *(".1f" for _ in found)),
    )


def _errors(found: dict[str, Matches]) -> Iterator[Exhibit]:
    """What would be gained if an error did not happen, with its interval over pictures; and how often it does."""
    kinds = (*ERRORS, MISSED)
    bars, rows = [], []
    for name, matches in found.items():
        gains = gained(matches)
        if not gains:
            continue
        counts = [int((matches.errors == place).sum()) for place in range(len(ERRORS))] + [int(matches.missed.sum())]
        bars.append(
            Series(
                name=name,
                x=tuple(say(ERROR_NAMES[kind]) for kind in kinds),
                y=tuple(100 * gains[kind] for kind in kinds),
            )
        )
        for kind, count in zip(kinds, counts, strict=True):
            rows.append((name, say(ERROR_NAMES[kind]), count, 100 * gains[kind]))
    if not bars:
        return
    yield Chart(
        title=say("What goes wrong"),
        kind="bar",
        x_label=say("error"),
        y_label=say("points of AP50 that it costs"),
        series=tuple(bars),
        description=say(
            "How many points of AP50 each contender would gain on the first seed if one kind of error did not happen: "
            "the class is another's, the box misses the object (IoU 0.1 to 0.5), both, an object found twice, nothing "
            "is there, an object is missed. One kind is mended at a time; the gains do not add up."
        ),
        y_from_zero=True,
    )
    yield Table(
        title=say("What goes wrong, counted"),
        columns=(say("contender"), say("error"), say("how often"), say("points of AP50 that it costs")),
        rows=tuple(rows),
        formats=("", "", ",d", ".2f"),
        note=say("Errors of all detections, however unsure: what is unsure costs little."),
    )


def _curves(found: dict[str, Matches]) -> Iterator[Chart]:
    lines = []
    for name, matches in found.items():
        curve = precision_at_recalls(matches, RECALLS)
        if curve is not None:
            lines.append(Series(name=name, x=tuple((100 * RECALLS).tolist()), y=tuple((100 * curve).tolist())))
    if lines:
        yield Chart(
            title=say("Precision over recall"),
            kind="line",
            x_label=say("recall (%)"),
            y_label=say("precision (%)"),
            series=tuple(lines),
            description=say(
                "Precision at each recall at an IoU of 0.5, averaged over the classes, on the first seed: how many of "
                "the boxes are right once so many of the objects are found."
            ),
            y_from_zero=True,
        )


def _gallery(evidence: Evidence) -> Iterator[Gallery]:
    """The same pictures with the boxes of every contender beside each other."""
    albums = {card.name: pages_of(evidence.artifact(ALBUM, card.name)) for card in evidence.contenders}
    albums = {name: pages for name, pages in albums.items() if pages}
    if not albums:
        return
    pages = {name: {page.unit: page for page in each} for name, each in albums.items()}
    units = [page.unit for page in next(iter(albums.values())) if all(page.unit in each for each in pages.values())]
    if units:
        yield Gallery(
            title=say("The same pictures, as each contender sees them"),
            pictures=tuple(_picture(name, each[unit]) for unit in units for name, each in pages.items()),
            columns=tuple(pages),
            note=say(
                "The first {n} test pictures with objects. Boxes of a score of {least} and more are drawn, where these "
                "are fewer than the objects the surest others too, one an object; and the objects that none of them "
                "has.",
                n=MOST,
                least=f"{SURE:g}",
            ),
        )


def _picture(contender: str, page: Page) -> Picture:
    return Picture(
        content=page.jpeg,
        alt=say("What {contender} finds on {picture}", contender=contender, picture=page.unit),
        width=page.width,
        height=page.height,
        marks=page.marks,
    )
