"""The learning curve over the data: trained from shares of the images, as long as from all. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netversus.exhibits import Chart, Series
from netversus.messages import say
from netversus.studies.training.curves import last
from netversus.study import Evidence


def over_data(evidence: Evidence) -> Iterator[Chart]:
    """Test accuracy and generalisation gap against the share of the images learned from; nothing without shares."""
    accuracy = _series(evidence, gap=False)
    if not accuracy:
        return
    yield Chart(
        title=say("Top-1 over the data"),
        kind="line",
        x_label=say("training images learned from (% of those used)"),
        y_label=say("test top-1 (%)"),
        series=accuracy,
        description=say(
            "Test accuracy at the end of a training from a share of the images, with as many images shown as from all "
            "of them; a band spans the seeds. Where it still rises on the right, more data would help."
        ),
    )
    yield Chart(
        title=say("Generalisation gap over the data"),
        kind="line",
        x_label=say("training images learned from (% of those used)"),
        y_label=say("train top-1 less test top-1 (points)"),
        series=_series(evidence, gap=True),
        description=say(
            "How much better each contender does on images it learned from than on test images, at the end of a "
            "training from a share of the images; a band spans the seeds."
        ),
    )


def _series(evidence: Evidence, *, gap: bool) -> tuple[Series, ...]:
    lines = (_line(evidence, card.name, gap=gap) for card in evidence.contenders)
    return tuple(line for line in lines if line is not None)


def _line(evidence: Evidence, contender: str, *, gap: bool) -> Series | None:
    """The mean over the seeds at each share that all of them have, and at all images."""
    runs = [run for seed in evidence.seeds if len(run := _run(evidence, contender, seed, gap=gap)) > 1]
    shares = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
    if len(shares) < 2:
        return None
    values = 100 * np.array([[run[share] for share in shares] for run in runs])
    several = len(runs) > 1
    return Series(
        name=contender,
        x=tuple(100 * share for share in shares),
        y=tuple(values.mean(axis=0).tolist()),
        low=tuple(values.min(axis=0).tolist()) if several else (),
        high=tuple(values.max(axis=0).tolist()) if several else (),
    )


def _run(evidence: Evidence, contender: str, seed: int, *, gap: bool) -> dict[float, float]:
    """One seed's value by share, 1 being all images."""
    test, train = (_by_share(evidence, contender, split, seed) for split in ("test", "train"))
    return {share: train[share] - test[share] if gap else test[share] for share in test if share in train}


def _by_share(evidence: Evidence, contender: str, split: str, seed: int) -> dict[float, float]:
    sample = evidence.series(contender, f"fraction_{split}_top1", seed)
    found = {} if sample is None else dict(zip(sample.units, sample.values.tolist(), strict=True))
    shares = {float(unit.removeprefix("fraction-")): value for unit, value in found.items()}
    whole = last(evidence, contender, f"curve_{split}_top1", seed)
    return shares if whole is None else {**shares, 1.0: whole}
