"""The learning curves, what an accuracy costs, and what each contender made of its training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.statistics.pairing import Sample
from netversus.studies.training import NOTES
from netversus.study import Evidence

TARGETS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
_SHOWN = "training images shown"


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Accuracy, loss, gap and gradient against the images shown; what targets cost; how it ended."""
    for card in evidence.contenders:
        if said := evidence.artifact(NOTES, card.name):
            yield Text(f"{card.name}: {said.decode().replace(chr(10), '; ')}.")
    yield from _charts(evidence)
    targets = _targets(evidence)
    if targets.rows:
        yield targets
    yield _end(evidence)


def _charts(evidence: Evidence) -> Iterator[Chart]:
    band = "a band spans the seeds"
    yield from _chart(
        "Top-1 on the same test images while learning",
        "top-1 (%)",
        _lines(evidence, "curve_test_top1", 100.0),
        f"Test accuracy of each contender after every round; {band}.",
    )
    yield from _chart(
        "Generalisation gap while learning",
        "train top-1 less test top-1 (points)",
        _lines(evidence, "curve_train_top1", 100.0, less="curve_test_top1"),
        f"How much better each contender does on training images than on test images, after every round; {band}.",
        from_zero=False,
    )
    yield from _chart(
        "Training loss, the mean of each round",
        "loss (nats)",
        _lines(evidence, "train_loss"),
        f"Mean training loss of each round, with label smoothing and augmentation as in the recipe; {band}.",
        from_zero=False,
    )
    yield from _chart(
        "Norm of the gradient, the mean of each round",
        "norm",
        _lines(evidence, "gradient_norm"),
        f"Length of the gradient over all parameters before it is clipped; {band}.",
    )
    yield from _chart(
        "Wrong labels that were learned",
        "share of the wrong labels (%)",
        _lines(evidence, "memorised", 100.0),
        f"Share of the deliberately wrong training labels that the contender gives back; {band}.",
    )


def _chart(
    title: str, y_label: str, series: tuple[Series, ...], description: str, *, from_zero: bool = True
) -> Iterator[Chart]:
    if series:
        yield Chart(title, "line", _SHOWN, y_label, series, description, y_from_zero=from_zero)


def _lines(evidence: Evidence, metric: str, scale: float = 1.0, less: str = "") -> tuple[Series, ...]:
    """One line a contender: the mean over the seeds, with their range where there are several."""
    lines = (_line(evidence, card.name, metric, scale, less) for card in evidence.contenders)
    return tuple(line for line in lines if line is not None)


def _line(evidence: Evidence, contender: str, metric: str, scale: float, less: str) -> Series | None:
    runs = [run for seed in evidence.seeds if (run := _run(evidence, contender, metric, less, seed)) is not None]
    points = min((len(shown) for shown, _ in runs), default=0)
    if not points:
        return None
    shown = np.mean([x[:points] for x, _ in runs], axis=0)
    values = scale * np.array([y[:points] for _, y in runs])
    several = len(runs) > 1
    return Series(
        name=contender,
        x=tuple(shown.tolist()),
        y=tuple(values.mean(axis=0).tolist()),
        low=tuple(values.min(axis=0).tolist()) if several else (),
        high=tuple(values.max(axis=0).tolist()) if several else (),
    )


def _run(
    evidence: Evidence, contender: str, metric: str, less: str, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """One seed's images shown and values, round by round, less those of another metric."""
    sample = evidence.series(contender, metric, seed)
    other = evidence.series(contender, less, seed) if less else None
    if sample is None or (less and other is None):
        return None
    order = np.argsort(_images(sample), kind="stable")
    values = np.asarray(sample.values)[order]
    if other is not None:
        known = dict(zip(other.units, other.values, strict=True))
        if not all(unit in known for unit in sample.units):
            return None
        values = values - np.array([known[sample.units[i]] for i in order])
    return _images(sample)[order], values


def _images(sample: Sample) -> NDArray[np.float64]:
    return np.array([float(unit.removeprefix("samples-")) for unit in sample.units])


def _targets(evidence: Evidence) -> Table:
    """What it took until the test accuracy of the curve first reached a target, by contender and seed."""
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            reached = _reached(evidence, card.name, seed)
            rows += [(card.name, str(seed), 100 * target, *cost) for target, cost in reached]
    return Table(
        title="What an accuracy costs",
        columns=("contender", "seed", "test top-1 (%)", _SHOWN, "seconds of training"),
        rows=tuple(rows),
        formats=("", "", ".0f", ",.0f", ".1f"),
        note="At the first round that reached it; a target that is not listed was not reached. Seconds are those of "
        "the steps alone, on this machine.",
    )


def _reached(evidence: Evidence, contender: str, seed: int) -> Iterator[tuple[float, tuple[float, float]]]:
    run = _run(evidence, contender, "curve_test_top1", "", seed)
    times = evidence.series(contender, "train_time", seed)
    if run is None or times is None or len(times.values) < len(run[0]):
        return
    shown, accuracy = run
    by_round = [value for _, value in sorted(zip(times.units, times.values, strict=True))]
    seconds = np.cumsum(np.diff(shown, prepend=0.0) * by_round[: len(shown)])
    for target in TARGETS:
        at = np.flatnonzero(accuracy >= target)
        if len(at):
            yield target, (float(shown[at[0]]), float(seconds[at[0]]))


def _end(evidence: Evidence) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            last = {metric: _last(evidence, card.name, metric, seed) for metric in _LAST}
            train, test = last["curve_train_top1"], last["curve_test_top1"]
            if train is not None and test is not None:
                shares = (100 * train, 100 * test, 100 * (train - test))
                dead = None if last["dead_units"] is None else 100 * last["dead_units"]
                rows.append((card.name, str(seed), last["train_loss"], last["loss_change"], *shares, dead))
    return Table(
        title="At the end of training",
        columns=(
            "contender",
            "seed",
            "loss",
            "change of the loss a step",
            "train top-1 (%)",
            "test top-1 (%)",
            "generalisation gap (points)",
            "dead units (%)",
        ),
        rows=tuple(rows),
        formats=("", "", ".3f", ".3f", ".1f", ".1f", "+.1f", ".2f"),
        note="Of the last round. Top-1 on the images of the learning curve, a fixed sample of each split, without "
        "augmentation. A unit is dead that none of the train images excites: a channel behind a ReLU.",
    )


_LAST = ("train_loss", "loss_change", "curve_train_top1", "curve_test_top1", "dead_units")


def _last(evidence: Evidence, contender: str, metric: str, seed: int) -> float | None:
    run = _run(evidence, contender, metric, "", seed)
    return None if run is None else float(run[1][-1])
