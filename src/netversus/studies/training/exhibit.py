"""The learning curves, what an accuracy costs, and what each contender made of its training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.messages import clauses, say, told
from netversus.studies.training import NOTES
from netversus.studies.training.curves import curve, last
from netversus.studies.training.depth import depth
from netversus.studies.training.over_data import over_data
from netversus.studies.training.prices import prices
from netversus.study import Evidence


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Accuracy, gap, loss, gradient and dead units against the images shown; accuracy against the data; what targets
    cost; what limiting the depth did; how it ended."""
    for card in evidence.contenders:
        if said := evidence.artifact(NOTES, card.name):
            words = clauses(map(told, said.decode().splitlines()))
            yield Text(say("{contender}: {words}.", contender=card.name, words=words))
    yield from _charts(evidence)
    yield from over_data(evidence)
    yield from prices(evidence)
    yield from depth(evidence)
    yield _end(evidence)


def _charts(evidence: Evidence) -> Iterator[Chart]:
    yield from _chart(
        say("Top-1 on the same test images while learning"),
        say("top-1 (%)"),
        _lines(evidence, "curve_test_top1", 100.0),
        say("Test accuracy of each contender after every round; a band spans the seeds."),
    )
    yield from _chart(
        say("Generalisation gap while learning"),
        say("train top-1 less test top-1 (points)"),
        _lines(evidence, "curve_train_top1", 100.0, less="curve_test_top1"),
        say(
            "How much better each contender does on training images than on test images, after every round; a band "
            "spans the seeds."
        ),
        from_zero=False,
    )
    yield from _chart(
        say("Training loss, the mean of each round"),
        say("loss (nats)"),
        _lines(evidence, "train_loss"),
        say(
            "Mean training loss of each round, with label smoothing and augmentation as in the recipe; a band spans "
            "the seeds."
        ),
        from_zero=False,
    )
    yield from _chart(
        say("Norm of the gradient, the mean of each round"),
        say("norm"),
        _lines(evidence, "gradient_norm"),
        say("Length of the gradient over all parameters before it is clipped; a band spans the seeds."),
    )
    yield from _chart(
        say("Change of the loss from step to step, the mean of each round"),
        say("change (nats)"),
        _lines(evidence, "loss_change"),
        say("How far the loss of a step lies from that of the step before, up or down; a band spans the seeds."),
    )
    yield from _chart(
        say("Dead units while learning"),
        say("dead units (%)"),
        _lines(evidence, "dead_units", 100.0),
        say(
            "Share of the channels behind a ReLU that no image of the train curve excites, after every round; a band "
            "spans the seeds."
        ),
    )
    yield from _chart(
        say("Wrong labels that were learned"),
        say("share of the wrong labels (%)"),
        _lines(evidence, "memorised", 100.0),
        say("Share of the deliberately wrong training labels that the contender gives back; a band spans the seeds."),
    )


def _chart(
    title: str, y_label: str, series: tuple[Series, ...], description: str, *, from_zero: bool = True
) -> Iterator[Chart]:
    if series:
        yield Chart(title, "line", _shown(), y_label, series, description, y_from_zero=from_zero)


def _shown() -> str:
    return say("training images shown")


def _lines(evidence: Evidence, metric: str, scale: float = 1.0, less: str = "") -> tuple[Series, ...]:
    """One line a contender: the mean over the seeds, with their range where there are several."""
    lines = (_line(evidence, card.name, metric, scale, less) for card in evidence.contenders)
    return tuple(line for line in lines if line is not None)


def _line(evidence: Evidence, contender: str, metric: str, scale: float, less: str) -> Series | None:
    runs = [run for seed in evidence.seeds if (run := curve(evidence, contender, metric, seed, less)) is not None]
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


def _end(evidence: Evidence) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        for seed in evidence.seeds:
            ends = {metric: last(evidence, card.name, metric, seed) for metric in _LAST}
            train, test = ends["curve_train_top1"], ends["curve_test_top1"]
            if train is not None and test is not None:
                shares = (100 * train, 100 * test, 100 * (train - test))
                dead = None if ends["dead_units"] is None else 100 * ends["dead_units"]
                rows.append((card.name, str(seed), ends["train_loss"], ends["loss_change"], *shares, dead))
    return Table(
        title=say("At the end of training"),
        columns=(
            say("contender"),
            say("seed"),
            say("loss"),
            say("change of the loss a step"),
            say("train top-1 (%)"),
            say("test top-1 (%)"),
            say("generalisation gap (points)"),
            say("dead units (%)"),
        ),
        rows=tuple(rows),
        formats=("", "", ".3f", ".3f", ".1f", ".1f", "+.1f", ".2f"),
        note=say(
            "Of the last round. Top-1 on the images of the learning curve, a fixed sample of each split, without "
            "augmentation. A unit is dead that none of the train images excites: a channel behind a ReLU."
        ),
    )


_LAST = ("train_loss", "loss_change", "curve_train_top1", "curve_test_top1", "dead_units")
