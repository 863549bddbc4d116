"""What the report shows: how well members are told, beside the gap between members and others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, sentences
from netversus.statistics.estimators import estimator
from netversus.statistics.pairing import Sample
from netversus.studies.privacy.rates import Named, named_at
from netversus.study import Evidence

BOUND = 0.001
_BOUNDS = (BOUND, 0.01, 0.1)


@dataclass(frozen=True, slots=True)
class Attacked:
    """One contender under one seed. Shares in [0, 1]; `named` follows `_BOUNDS`."""

    members_right: float
    others_right: float
    test_right: float
    area_lira: float
    area_loss: float
    named: tuple[Named | None, ...]

    @property
    def gap(self) -> float:
        """Top-1 on members less that on the others, of one and the same split."""
        return self.members_right - self.others_right


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """The answer in words, the table, the chart of who is named."""
    found = {card.name: tuple(_attacks(evidence, card.name)) for card in evidence.contenders}
    found = {name: attacks for name, attacks in found.items() if attacks}
    if not found:
        return
    yield Text(_answer(found))
    yield _table(found)
    yield from _chart(found)
    yield Text(
        say(
            "Whoever says of an image 'it was trained on' because the answer is right, is right in half of the cases "
            "plus half of the gap: what a network remembers of single images begins with its generalisation gap, and "
            "an attack that tells more than that has found more than the gap shows."
        )
    )
    yield from shortage_shown(evidence)


def _attacks(evidence: Evidence, contender: str) -> Iterator[Attacked]:
    for seed in evidence.seeds:
        names = ("membership_lira", "membership_loss", "outlier", "right", "right_on_test")
        series = [evidence.series(contender, name, seed) for name in names]
        if all(series):
            yield _attacked(*(each for each in series if each is not None))


def _attacked(lira: Sample, loss: Sample, member: Sample, right: Sample, test: Sample) -> Attacked:
    inside = member.values == 1
    area = estimator("area_under_roc")
    ones = np.ones(len(member.values))
    return Attacked(
        members_right=float(right.values[inside].mean()),
        others_right=float(right.values[~inside].mean()),
        test_right=float(test.values.mean()),
        area_lira=float(area({"score": lira.values, "outlier": member.values}, ones)),
        area_loss=float(area({"score": loss.values, "outlier": member.values}, ones)),
        named=tuple(named_at(lira.values, member.values, bound) for bound in _BOUNDS),
    )


def _answer(found: dict[str, tuple[Attacked, ...]]) -> str:
    lines = [
        say(
            "{contender}: of an image that it was trained on and one that it was not, the attacker tells which is "
            "which in {area} % of the cases (50 % is chance); the gap is {gap} points.",
            contender=name,
            area=f"{100 * _mean([each.area_lira for each in attacks]):.1f}",
            gap=f"{100 * _mean([each.gap for each in attacks]):.1f}",
        )
        for name, attacks in found.items()
    ]
    threat = say(
        "The attacker sees all probabilities of an answer, knows the architecture and the recipe, and has images of "
        "the same kind to train networks of his own. What he finds is about this recipe on these images."
    )
    return sentences(*lines, threat, _too_few(found))


def _too_few(found: dict[str, tuple[Attacked, ...]]) -> str:
    """What the number of non-members does not allow to say."""
    named = [each.named[0] for attacks in found.values() for each in attacks if each.named[0] is not None]
    few = min((each.others for each in named), default=0)
    if not named or few >= 1 / BOUND:
        return ""
    return say(
        "With {n} images that it was not trained on, a rate of false positives of {bound} % cannot be checked: what is "
        "named without a single error could still be wrong for up to {highest} % of them.",
        n=few,
        bound=f"{100 * BOUND:g}",
        highest=f"{100 * max(each.highest for each in named):.1f}",
    )


def _table(found: dict[str, tuple[Attacked, ...]]) -> Table:
    rows = []
    for name, attacks in found.items():
        named = [each.named[0].members for each in attacks if each.named[0] is not None]
        gap = _mean([each.gap for each in attacks])
        rows.append(
            (
                name,
                100 * _mean([each.members_right for each in attacks]),
                100 * _mean([each.others_right for each in attacks]),
                100 * _mean([each.test_right for each in attacks]),
                100 * gap,
                50 + 50 * gap,
                100 * _mean([each.area_loss for each in attacks]),
                100 * _mean([each.area_lira for each in attacks]),
                100 * _mean(named) if named else None,
            )
        )
    return Table(
        title=say("What can be told of the training images"),
        columns=(
            say("contender"),
            say("top-1 on members (%)"),
            say("on train images left out (%)"),
            say("on test images (%)"),
            say("gap (points)"),
            say("told by right answers alone (%)"),
            say("area under ROC, loss (%)"),
            say("area under ROC, LiRA (%)"),
            say("members named at {bound} % false positives (%)", bound=f"{100 * BOUND:g}"),
        ),
        rows=tuple(rows),
        formats=("", ".1f", ".1f", ".1f", "+.1f", ".1f", ".1f", ".1f", ".2f"),
        note=say("Means over the seeds. Half of the train images are members, the other half is left out."),
    )


def _chart(found: dict[str, tuple[Attacked, ...]]) -> Iterator[Chart]:
    """Members named, by the share of errors allowed: only bounds that the number of images allows."""
    fewest = min((n.others for attacks in found.values() for each in attacks for n in each.named if n), default=0)
    places = [place for place, bound in enumerate(_BOUNDS) if fewest * bound >= 1]
    if not places:
        return
    yield Chart(
        title=say("Members named while few others are"),
        kind="bar",
        x_label=say("others that may be named too (%)"),
        y_label=say("members named (%)"),
        series=tuple(
            Series(
                name=name,
                x=tuple(f"{100 * _BOUNDS[place]:g}" for place in places),
                y=tuple(100 * _mean([n.members for each in attacks if (n := each.named[place])]) for place in places),
            )
            for name, attacks in found.items()
        ),
        description=say(
            "The share of the training images that the attacker names while naming at most so many others. Whoever "
            "guesses names as many of the ones as of the others."
        ),
        y_from_zero=True,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
