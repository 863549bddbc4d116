"""The learning curves, and what each contender made of its training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netversus.exhibits import Chart, Exhibit, Series, Table
from netversus.study import Evidence


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Test accuracy and training loss against the images shown; the generalisation gap at the end."""
    accuracy = _lines(evidence, "curve_test_top1")
    if accuracy:
        yield Chart(
            title="Top-1 on the same test images while learning",
            kind="line",
            x_label="training images shown",
            y_label="top-1 (%)",
            series=accuracy,
            description="Test accuracy of each contender after every round; a band spans the seeds.",
            y_from_zero=True,
        )
    losses = _lines(evidence, "train_loss", scale=1.0)
    if losses:
        yield Chart(
            title="Training loss, the mean of each round",
            kind="line",
            x_label="training images shown",
            y_label="cross-entropy (nats)",
            series=losses,
            description="Mean training loss of each round, with label smoothing and augmentation as in the recipe.",
        )
    yield _gap(evidence)


def _lines(evidence: Evidence, metric: str, scale: float = 100.0) -> tuple[Series, ...]:
    """One line a contender: the mean over the seeds, with their range where there are several."""
    return tuple(line for card in evidence.contenders if (line := _line(evidence, card.name, metric, scale)))


def _line(evidence: Evidence, contender: str, metric: str, scale: float) -> Series | None:
    runs = [s for seed in evidence.seeds if (s := evidence.series(contender, metric, seed)) is not None]
    if not runs:
        return None
    units = [unit for unit in runs[0].units if all(unit in run.units for run in runs)]
    values = np.array([[run.values[run.units.index(unit)] for unit in units] for run in runs]) * scale
    several = len(runs) > 1
    return Series(
        name=contender,
        x=tuple(float(unit.removeprefix("samples-")) for unit in units),
        y=tuple(values.mean(axis=0).tolist()),
        low=tuple(values.min(axis=0).tolist()) if several else (),
        high=tuple(values.max(axis=0).tolist()) if several else (),
    )


def _gap(evidence: Evidence) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            train = evidence.series(card.name, "curve_train_top1", seed)
            test = evidence.series(card.name, "curve_test_top1", seed)
            loss = evidence.series(card.name, "train_loss", seed)
            if train and test and loss:
                last = (100 * train.values[-1], 100 * test.values[-1])
                rows.append((card.name, str(seed), loss.values[-1], *last, last[0] - last[1]))
    return Table(
        title="At the end of training",
        columns=(
            "contender",
            "seed",
            "loss",
            "train top-1 (%)",
            "test top-1 (%)",
            "generalisation gap (points)",
        ),
        rows=tuple(rows),
        formats=("", "", ".3f", ".1f", ".1f", "+.1f"),
        note="Top-1 on the images of the learning curve, a fixed sample of each split, without augmentation.",
    )
