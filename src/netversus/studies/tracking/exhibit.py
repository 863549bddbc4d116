"""What the report shows: every score in every way, the sequences one by one, and the tracks as they run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from netversus.exhibits import Chart, Exhibit, Gallery, Picture, Scalar, Series, Table, Text
from netversus.lab.detection.told import trained_here
from netversus.lab.shortage import shortage_shown
from netversus.lab.tracking.least import OVERLAP
from netversus.messages import say, sentences
from netversus.records import ContenderCard
from netversus.statistics.tracks import Counts, loaded, score
from netversus.studies.tracking import (
    CEILING,
    CHAIN_LIBRARY,
    CHAIN_MOTION,
    FILMS,
    GIVEN,
    LEAST,
    LIBRARY,
    MOTION,
    ORACLE,
    ORACLE_MOTION,
    RANDOM,
    TRACKED,
    WAYS,
    file_of,
    film_of,
)
from netversus.study import Evidence

FEW = 6  # sequences under which no sign-flip test can be sure at 95 %
_SHOWN = ("hota", "deta", "assa", "idf1", "mota")
Found = Mapping[str, Sequence[Counts]]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """The scores, the sequences, the animations."""
    found = {card.name: _found(evidence, card) for card in evidence.contenders}
    found = {name: ways for name, ways in found.items() if ways.get(TRACKED)}
    if not found:
        return
    yield _scores(found)
    yield Text(_how_sure(found))
    yield from _without_detector(evidence, found)
    yield from trained_here(evidence)
    yield from _how_sure_boxes_are(evidence)
    yield _by_sequence(found)
    yield from _films(evidence, found)
    yield from shortage_shown(evidence)


def _found(evidence: Evidence, card: ContenderCard) -> Found:
    """The counts of each way that was taken."""
    files = {way: evidence.artifact(file_of(way), card.name) for way in WAYS}
    return {way: loaded(content) for way, content in files.items() if content is not None}


def _called(way: str, ways: Found) -> str:
    """A way in words; what is judged begins with the contender's own detector where there are other ways that do."""
    if set(ways) == {TRACKED}:
        return say("its own tracks")
    return {
        TRACKED: say("its detector's boxes, its features") if GIVEN in ways else say("given boxes, its features"),
        CHAIN_MOTION: say("its detector's boxes, place alone"),
        CHAIN_LIBRARY: say("its detector's boxes, the library's tracker"),
        GIVEN: say("given boxes, its features"),
        MOTION: say("given boxes, place alone"),
        LIBRARY: say("given boxes, the library's tracker"),
        RANDOM: say("given boxes, features of a random network of its kind"),
        CEILING: say("given boxes under their true names"),
        ORACLE: say("true boxes, its features"),
        ORACLE_MOTION: say("true boxes, place alone"),
    }[way]


def _scores(found: Mapping[str, Found]) -> Table:
    rows: list[tuple[Scalar, ...]] = []
    for name, ways in found.items():
        for way in (way for way in WAYS if ways.get(way)):
            values = [100 * _of(one, ways[way]) for one in _SHOWN]
            rows.append((name, _called(way, ways), *values, sum(counts.switches for counts in ways[way])))
    return Table(
        title=say("What the tracks are worth"),
        columns=(say("contender"), say("from"), "HOTA", say("DetA"), say("AssA"), "IDF1", "MOTA", say("switches")),
        rows=tuple(rows),
        formats=("", "", ".1f", ".1f", ".1f", ".1f", ".1f", ",.0f"),
        note=_read_so(found),
    )


def _read_so(found: Mapping[str, Found]) -> str:
    """What the rows tell beside each other."""
    n = max(len(ways[TRACKED]) for ways in found.values())
    given = say(
        "The given boxes are the true ones, some missed, moved or invented, the same for every contender. What its "
        "features add is the step from place alone; what they could add at most, the step to the true names."
    )
    combined = say("In percent, combined over {n} sequences; switches in all; a contender's first row is judged.", n=n)
    chain = say(
        "Where it begins with its own detector, the whole chain is judged: DetA tells what the detector is worth, AssA "
        "what is made of its boxes, and the given and the true boxes what its features are worth without it."
    )
    has_chain = any(GIVEN in ways for ways in found.values())
    return sentences(combined, chain if has_chain else "", given)


def _of(name: str, counts: Sequence[Counts]) -> float:
    return float(score(name, counts, np.ones(len(counts))))


def _how_sure(found: Mapping[str, Found]) -> str:
    """How far a verdict can go with so many sequences."""
    n = min(len(ways[TRACKED]) for ways in found.values())
    if n < FEW:
        return say(
            "With {n} sequences no difference can be told from chance: what is shown describes these sequences. Boxes "
            "of one sequence are not independent, so that more pictures do not help; at least {least} sequences do.",
            n=n,
            least=FEW,
        )
    return say(
        "Sequences are drawn anew, not pictures: boxes of one sequence are not independent. So {n} units stand behind "
        "the verdict, whatever the number of pictures.",
        n=n,
    )


def _without_detector(evidence: Evidence, found: Mapping[str, Found]) -> Iterator[Text]:
    """Why the tracks of networks begin with boxes that are given to all, where they do."""
    if not any(GIVEN not in ways and MOTION in ways for ways in found.values()):
        return
    data = evidence.data
    if data.frames.get("train") or data.sequences.get("train"):
        yield Text(
            say("No detector was trained: the tracks begin with the given boxes, and compare the features alone.")
        )
    else:
        yield Text(
            say(
                "{data} has no train pictures with boxes, so that no detector could be trained: the tracks begin with "
                "the given boxes, and compare the features alone.",
                data=data.name,
            )
        )


def _how_sure_boxes_are(evidence: Evidence) -> Iterator[Table]:
    """From which score the boxes of each detector were tracked, where it was not given."""
    rows: list[tuple[Scalar, ...]] = []
    for card in evidence.contenders:
        content = evidence.artifact(LEAST, card.name)
        if content is not None:
            told = json.loads(content)
            shares = (100 * told[share] for share in ("f1", "precision", "recall"))
            n = told["pictures"]
            seen = say("{n}, not learnt from", n=n) if told["apart"] else say("{n}, learnt from too", n=n)
            rows.append((card.name, told["score"], *shares, seen))
    if rows:
        yield Table(
            title=say("How sure a detector is of a box that is tracked"),
            columns=(
                *(say("contender"), say("least score"), say("F1 (%)"), say("boxes that are right (%)")),
                *(say("objects found (%)"), say("train pictures")),
            ),
            rows=tuple(rows),
            formats=("", ".3f", ".1f", ".1f", ".1f", ""),
            note=say(
                "Of each detector the score from which on its boxes have the best F1 on some train pictures: detectors "
                "differ in how high their scores are. A box is right where it has an object to itself, at an IoU of "
                "{overlap}.",
                overlap=OVERLAP,
            ),
        )


def _by_sequence(found: Mapping[str, Found]) -> Chart:
    series = []
    for name, ways in found.items():
        counts = [one for one in ways[TRACKED] if one.objects]
        values = tuple(100 * _of("hota", [one]) for one in counts)
        series.append(Series(name=name, x=tuple(one.unit for one in counts), y=values))
    return Chart(
        title=say("HOTA sequence by sequence"),
        kind="dot",
        x_label=say("sequence"),
        y_label=say("HOTA (%)"),
        series=tuple(series),
        description=say("HOTA of each contender on each sequence; sequences without objects are left out."),
        y_from_zero=True,
    )


def _films(evidence: Evidence, found: Mapping[str, Found]) -> Iterator[Gallery]:
    """The same sequences of all contenders, side by side."""
    pictures = []
    for place in range(FILMS):
        row = [_film(evidence, name, ways, place) for name, ways in found.items()]
        pictures += [one for one in row if one is not None] if None not in row else []
    if pictures:
        yield Gallery(
            title=say("Tracks as they run"),
            pictures=tuple(pictures),
            columns=tuple(found),
            note=say("A number and a colour are a track; where an object changes its number, it was lost."),
        )


def _film(evidence: Evidence, name: str, ways: Found, place: int) -> Picture | None:
    content = evidence.artifact(film_of(place), name)
    if content is None or place >= len(ways[TRACKED]):
        return None
    counts = ways[TRACKED][place]
    caption = say(
        "{sequence}: HOTA {hota} %, {n} switches",
        sequence=counts.unit,
        hota=f"{100 * _of('hota', [counts]):.0f}",
        n=counts.switches,
    )
    return Picture(
        content=content,
        alt=say("The tracks of {contender} on {sequence}, boxes with numbers", contender=name, sequence=counts.unit),
        width=int.from_bytes(content[6:8], "little"),
        height=int.from_bytes(content[8:10], "little"),
        caption=caption,
    )
