"""Does it pay to limit the depth? Cut contenders beside the whole ones, under the same seeds. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from math import exp

import numpy as np

from netversus.exhibits import Exhibit, Table, Text
from netversus.lab.contenders.spec import parse
from netversus.messages import say
from netversus.records import ContenderCard, Effect
from netversus.statistics.means import paired_t
from netversus.statistics.ratios import log_ratios
from netversus.studies.training.curves import by_round, last
from netversus.study import Evidence

LEVEL, FEWEST_SEEDS = 0.95, 3
MARGIN = 0.01  # of accuracy: the usual practical margin, as the accuracy study has it
_CUTS = ("stages", "blocks")


@dataclass(frozen=True, slots=True)
class Limited:
    """A cut contender less the whole one, under the same seeds: test accuracy and gap as differences (fractions), the
    time of an image as a ratio. `effect` is the accuracy's interval, None for fewer than three seeds."""

    whole: str
    cut: str
    seeds: int
    top1: float
    gap: float
    time: float
    effect: Effect | None


def depth(evidence: Evidence) -> Iterator[Exhibit]:
    """What limiting the depth did, and what to make of it; nothing where no contender is a cut form of another."""
    found = [each for whole, cut in _pairs(evidence) if (each := _limited(evidence, whole, cut)) is not None]
    if not found:
        return
    yield _table(found)
    for each in found:
        yield Text(advice(each))


def advice(found: Limited) -> str:
    """What the numbers say of limiting the depth, and no more than they say."""
    gaps = {"cut": found.cut, "whole": found.whole, "points": f"{100 * found.top1:+.1f}", "time": f"{found.time:.2f}"}
    if found.effect is None:
        said = say(
            "{cut} against {whole}: {points} points of test top-1 at {time} times the training time an image, under "
            "fewer than three seeds: that speaks of these weights, not of the depth (--repeats 3 does).",
            **gaps,
        )
    elif found.effect.low > 0 or (found.effect.low > -MARGIN and found.time < 1):
        said = say(
            "Limit the depth here: {cut} is {points} points of test top-1 from {whole} at {time} times the training "
            "time an image.",
            **gaps,
        )
    elif found.effect.high < 0:
        said = say(
            "Depth pays here: {cut} is {points} points of test top-1 from {whole}, at {time} times the training time "
            "an image.",
            **gaps,
        )
    else:
        said = say(
            "Whether to limit the depth is undecided: {cut} is {points} points of test top-1 from {whole}, and the "
            "interval holds both a loss that matters and none.",
            **gaps,
        )
    return said


def _pairs(evidence: Evidence) -> Iterator[tuple[ContenderCard, ContenderCard]]:
    """Each whole contender with each form of it that is cut and otherwise the same."""
    for whole, cut in permutations(evidence.contenders, 2):
        of_whole, of_cut = parse(whole.spec), parse(cut.spec)
        settings = [{k: v for k, v in spec.settings.items() if k not in _CUTS} for spec in (of_whole, of_cut)]
        same = (of_whole.source, of_whole.target) == (of_cut.source, of_cut.target) and settings[0] == settings[1]
        if same and not _is_cut(of_whole.settings) and _is_cut(of_cut.settings):
            yield whole, cut


def _is_cut(settings: object) -> bool:
    return isinstance(settings, dict) and any(name in settings for name in _CUTS)


def _limited(evidence: Evidence, whole: ContenderCard, cut: ContenderCard) -> Limited | None:
    top1, gaps, times = [], [], []
    for seed in evidence.seeds:
        ends = [_end(evidence, card.name, seed) for card in (whole, cut)]
        if (of_whole := ends[0]) is not None and (of_cut := ends[1]) is not None:
            top1.append(of_cut[1] - of_whole[1])
            gaps.append((of_cut[0] - of_cut[1]) - (of_whole[0] - of_whole[1]))
            times.append(log_ratios([of_whole[2]], [of_cut[2]])[0])
    if not top1:
        return None
    return Limited(
        whole=whole.name,
        cut=cut.name,
        seeds=len(top1),
        top1=float(np.mean(top1)),
        gap=float(np.mean(gaps)),
        time=exp(float(np.mean(times))),
        effect=paired_t(top1, LEVEL).effect if len(top1) >= FEWEST_SEEDS else None,
    )


def _end(evidence: Evidence, contender: str, seed: int) -> tuple[float, float, float] | None:
    """Train and test accuracy of the last round, and the median seconds of an image."""
    train, test = (last(evidence, contender, f"curve_{split}_top1", seed) for split in ("train", "test"))
    seconds = by_round(evidence, contender, "train_time", seed)
    if train is None or test is None or seconds is None:
        return None
    return train, test, float(np.median(seconds))


def _table(found: list[Limited]) -> Table:
    rows = []
    for each in found:
        ends = (None, None) if each.effect is None else (100 * each.effect.low, 100 * each.effect.high)
        rows.append((each.cut, each.whole, each.seeds, 100 * each.top1, *ends, 100 * each.gap, each.time))
    return Table(
        title=say("Limiting the depth"),
        columns=(
            say("cut"),
            say("whole"),
            say("seeds"),
            say("test top-1, difference (points)"),
            say("low"),
            say("high"),
            say("generalisation gap, difference (points)"),
            say("training time an image, ratio"),
        ),
        rows=tuple(rows),
        formats=("", "", "d", "+.1f", "+.1f", "+.1f", "+.1f", ".2f"),
        note=say(
            "The cut contender less the whole one, at the end of training, under the same seeds, on the test images of "
            "the learning curve. The interval (95 %, not corrected for the other questions) is over seeds and needs "
            "three; the verdict on the whole test split is the accuracy study's. A cut counts as good enough where it "
            "costs less than a point and training is faster."
        ),
    )
