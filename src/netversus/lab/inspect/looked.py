"""All that is looked at, and whom it suspects of what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.lab.data.dataset import Dataset
from netversus.lab.inspect.duplicates import Pair, equal_pairs, near_pairs
from netversus.lab.inspect.labels import confident_joint, out_of_fold
from netversus.lab.inspect.prints import Prints, take_prints
from netversus.lab.inspect.tiles import suspected_patterns
from netversus.lab.poison.spectral import spectral_suspects
from netversus.messages import noted, template

# With how many of the labels a classifier has to agree: one that knows less of the classes finds no errors, only its
# own. Half of them, and a third of the way from what naming the largest class is right on to all.
FEWEST_AGREEING, ABOVE_CHANCE = 0.5, 1 / 3
EXPECTED_POISON = 0.05  # of all images, the most that spectral signatures reckon with
Features = Callable[[Sequence[tuple[str, str]]], NDArray[np.float64]]
"""(split, id) of each image to its features, float64 (n, width)."""


class Check(StrEnum):
    """What an image is suspected of."""

    EQUAL = "equal images"
    ACROSS = "equal images across splits"
    NEAR = "near duplicates"
    NEAR_ACROSS = "near duplicates across splits"
    CONTRADICTION = "duplicates under two labels"
    LABEL = "wrong labels"
    PATTERN = "patterns of one class"
    OUTLIER = "spectral outliers"


@dataclass(frozen=True, slots=True)
class Suspect:
    """One image and what speaks against it. `image` and `other` are ids, as the data give them: without characters that
    do not print. `score` means: the likeness of two images, or the probability that the label is wrong; None where
    there is nothing to measure."""

    check: Check
    split: str
    image: str
    label: str
    detail: str
    other: str = ""
    score: float | None = None

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"check": str(self.check)}


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at: how many images, who is suspected, the estimated share of wrong labels in the train split
    (None where it cannot be told), what was not done and why, and what could not be read, now or when the data were
    opened."""

    images: int
    checks: tuple[Check, ...]
    suspects: tuple[Suspect, ...]
    wrong_share: float | None
    notes: tuple[str, ...]
    left_out: dict[str, str]

    def of(self, check: Check) -> tuple[Suspect, ...]:
        """Those who are suspected of one thing."""
        return tuple(each for each in self.suspects if each.check is check)

    @property
    def suspected(self) -> int:
        """How many different images are suspected of anything."""
        return len({(each.split, each.image) for each in self.suspects})


def look(
    data: Dataset, progressed: Callable[[int, int], None], features: Features | None = None, split: str = "train"
) -> Report:
    """Looks at every image. Duplicates are sought in all splits, labels and patterns in `split` (the first where there
    is none of that name). With `features`, those of a contender, labels are judged by them and outliers sought.

    Raises:
        DataError: a file changed or vanished since the data were opened.
    """
    prints = take_prints(data, progressed)
    split = split if split in data.splits else next(iter(data.splits), "")
    inside = np.array([place for place, each in enumerate(prints.splits) if each == split], dtype=np.int64)
    classes = data.card.classes
    seen = None if features is None else features([(prints.splits[i], prints.ids[i]) for i in inside])
    suspects = list(_duplicates(prints, classes))
    wrong, share, notes = _labels(prints, inside, seen, classes)
    suspects += wrong
    suspects += _patterns(prints, inside, classes)
    checks: list[Check] = [check for check in Check if check is not Check.OUTLIER]
    if seen is not None:
        checks.append(Check.OUTLIER)
        suspects += _outliers(prints, inside, seen, classes)
    if share is None:
        checks.remove(Check.LABEL)
    left_out = {file.path: file.reason for file in data.card.skipped} | dict(prints.left_out)
    return Report(len(prints), tuple(checks), tuple(suspects), share, notes, left_out)


def _duplicates(prints: Prints, classes: tuple[str, ...]) -> Iterator[Suspect]:
    for pair in (*equal_pairs(prints), *near_pairs(prints)):
        a, b = pair.first, pair.second
        differ = prints.labels[a] != prints.labels[b]
        detail = "equal pixels" if pair.equal else "nearly equal pixels"
        if prints.splits[a] != prints.splits[b]:
            detail += f", one in {prints.splits[a]}"
        if differ:
            detail += f", there labelled {classes[prints.labels[a]]}"
        yield Suspect(
            check=_check(pair, across=prints.splits[a] != prints.splits[b], differ=bool(differ)),
            split=prints.splits[b],
            image=prints.ids[b],
            label=classes[prints.labels[b]],
            detail=detail,
            other=prints.ids[a],
            score=pair.likeness,
        )


def _check(pair: Pair, *, across: bool, differ: bool) -> Check:
    if differ:
        return Check.CONTRADICTION
    if pair.equal:
        return Check.ACROSS if across else Check.EQUAL
    return Check.NEAR_ACROSS if across else Check.NEAR


def _labels(
    prints: Prints, inside: NDArray[np.int64], seen: NDArray[np.float64] | None, classes: tuple[str, ...]
) -> tuple[list[Suspect], float | None, tuple[str, ...]]:
    labels = prints.labels[inside]
    given = prints.grey[inside].astype(np.float64) if seen is None else seen
    probabilities = out_of_fold(given, labels, len(classes)) if len(inside) else None
    if probabilities is None:
        return [], None, (noted("labels were not judged: that needs two classes with two images each"),)
    right = float((probabilities.argmax(axis=1) == labels).mean())
    by = noted("a contender's features") if seen is not None else noted("small grey copies")
    agreeing = f"{100 * right:.1f}"
    if right < _fewest_agreeing(labels):
        note = noted(
            "labels were not judged: from {by}, a classifier agrees with {n} % of them only; "
            "name a contender whose features know more (--contender)",
            by=by,
            n=agreeing,
        )
        return [], None, (note,)
    confident = confident_joint(probabilities, labels)
    places = confident.suspects(labels)
    doubt = probabilities[places, confident.likely[places]] - probabilities[places, labels[places]]
    places = places[np.argsort(-doubt, kind="stable")]
    said = template("labels were judged from {by}, by a classifier that agrees with {n} % of the labels")
    note = noted(said, by=by, n=agreeing)
    suspects = [
        Suspect(
            check=Check.LABEL,
            split=prints.splits[inside[i]],
            image=prints.ids[inside[i]],
            label=classes[labels[i]],
            detail=f"looks like {classes[confident.likely[i]]}",
            score=float(1 - probabilities[i, labels[i]]),
        )
        for i in places.tolist()
    ]
    return suspects, confident.share, (note,)


def _fewest_agreeing(labels: NDArray[np.int64]) -> float:
    chance = float(np.bincount(labels).max()) / len(labels)
    return max(FEWEST_AGREEING, chance + ABOVE_CHANCE * (1 - chance))


def _patterns(prints: Prints, inside: NDArray[np.int64], classes: tuple[str, ...]) -> Iterator[Suspect]:
    """Each image once, with the most frequent of the patterns that it shows."""
    side = prints.copies.shape[1]
    known: set[int] = set()
    for pattern in suspected_patterns(prints.copies[inside], prints.labels[inside]):
        where = f"at {100 * pattern.x / side:.0f} % from the left and {100 * pattern.y / side:.0f} % from the top"
        for i in pattern.images.tolist():
            if i not in known:
                known.add(i)
                yield Suspect(
                    check=Check.PATTERN,
                    split=prints.splits[inside[i]],
                    image=prints.ids[inside[i]],
                    label=classes[pattern.label],
                    detail=f"a pattern {where}, in {len(pattern.images)} images of this class and "
                    f"{pattern.elsewhere} others",
                )


def _outliers(
    prints: Prints, inside: NDArray[np.int64], seen: NDArray[np.float64], classes: tuple[str, ...]
) -> Iterator[Suspect]:
    for i in np.flatnonzero(spectral_suspects(seen, prints.labels[inside], EXPECTED_POISON)).tolist():
        yield Suspect(
            check=Check.OUTLIER,
            split=prints.splits[inside[i]],
            image=prints.ids[inside[i]],
            label=classes[prints.labels[inside[i]]],
            detail="far from its class along the first direction of its features",
        )
