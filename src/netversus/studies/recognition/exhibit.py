"""What the report shows: the shares side by side, and how well pairs can be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.integrate import trapezoid

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.lab.shortage import shortage_shown
from netversus.messages import say
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample
from netversus.studies.recognition import OTHER, RANKS, SAME
from netversus.studies.recognition.retrieval import roc, true_rate_at
from netversus.study import Evidence

FALSE_RATE = 0.01
_POINTS = 60


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Retrieval, verification, and the objects of pictures where the data have such."""
    cards = [card for card in evidence.contenders if evidence.series(card.name, "verified") is not None]
    if not cards:
        return
    yield _shares(evidence, cards)
    yield from _verification(evidence, cards)
    yield from _objects(evidence)
    yield from shortage_shown(evidence)


def _shares(evidence: Evidence, cards: Sequence[ContenderCard]) -> Table:
    metrics = (*(f"recall_at_{k}" for k in RANKS), "average_precision", "verified")
    return Table(
        title=say("Found again among the train images"),
        columns=(
            say("contender"),
            *(say("recall at {k} (%)", k=k) for k in RANKS),
            say("mean average precision (%)"),
            say("pairs in order (%)"),
            say("queries"),
        ),
        rows=tuple(
            (card.name, *(_percent(evidence.series(card.name, metric)) for metric in metrics), _count(evidence, card))
            for card in cards
        ),
        formats=("", *(".1f" for _ in metrics), ",d"),
        note=say(
            "By the cosine of what the last layer sees. A pair in order: the image of the class is the nearer one."
        ),
    )


def _percent(sample: Sample | None) -> float | None:
    return None if sample is None or not len(sample.values) else 100 * float(np.mean(sample.values))


def _count(evidence: Evidence, card: ContenderCard) -> int:
    sample = evidence.series(card.name, "verified")
    return 0 if sample is None else len(sample.values)


def _verification(evidence: Evidence, cards: Sequence[ContenderCard]) -> Iterator[Exhibit]:
    """The ROC of one pair of a class and one pair of two classes a query."""
    lines, rows = [], []
    for card in cards:
        same, other = (evidence.series(card.name, metric) for metric in (SAME, OTHER))
        if same is None or other is None:
            continue
        scores = np.concatenate([same.values, other.values])
        kinds = np.arange(len(scores)) < len(same.values)
        false, true = roc(scores, kinds)
        grid = np.unique(np.linspace(0, len(false) - 1, _POINTS).round().astype(int))
        lines.append(
            Series(name=card.name, x=tuple((100 * false[grid]).tolist()), y=tuple((100 * true[grid]).tolist()))
        )
        rows.append(
            (
                card.name,
                100 * float(trapezoid(true, false)),
                100 * true_rate_at(false, true, FALSE_RATE),
                len(scores),
            )
        )
    if not lines:
        return
    yield Table(
        title=say("Are these two of one class?"),
        columns=(say("contender"), say("area under the ROC curve (%)"), say("accepted at 1 % false (%)"), say("pairs")),
        rows=tuple(rows),
        formats=("", ".1f", ".1f", ",d"),
        note=say("For each query one pair of its class and one of two classes, the same pairs for every contender."),
    )
    yield Chart(
        title=say("Pairs of one class accepted, by how many others are"),
        kind="line",
        x_label=say("pairs of two classes accepted (%)"),
        y_label=say("pairs of one class accepted (%)"),
        series=tuple(lines),
        description=say("ROC curves of verification by cosine; a line through the upper left corner would be perfect."),
        y_from_zero=True,
    )


def _objects(evidence: Evidence) -> Iterator[Exhibit]:
    """The objects of pictures, classified one by one."""
    rows, small = [], 0
    for card in evidence.contenders:
        share, objects = (evidence.series(card.name, metric) for metric in ("crop_top1", "crop_objects"))
        left_out = evidence.series(card.name, "crops_too_small")
        if share is None or objects is None:
            continue
        small = 0 if left_out is None else int(left_out.values.sum())
        right = float((share.values * objects.values).sum() / objects.values.sum())
        rows.append(
            (card.name, 100 * float(share.values.mean()), 100 * right, int(objects.values.sum()), len(share.units))
        )
    if not rows:
        return
    yield Table(
        title=say("Objects of pictures, cut out and classified one by one"),
        columns=(
            say("contender"),
            say("right, mean of the pictures (%)"),
            say("right, of all objects (%)"),
            say("objects"),
            say("pictures"),
        ),
        rows=tuple(rows),
        formats=("", ".1f", ".1f", ",d", ",d"),
    )
    if small:
        yield Text(say("{n} objects smaller than 4 pixels were left out.", n=f"{small:,}"))
