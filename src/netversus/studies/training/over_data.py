"""The learning curve over the data: trained from shares of the images, as long as from all. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from netversus.exhibits import Chart, Exhibit, Scalar, Series, Table
from netversus.messages import say, template
from netversus.statistics.powerlaw import PowerLaw, fit_blocks
from netversus.studies.training.curves import by_round, last
from netversus.study import Evidence

LEVEL, FEWEST_SEEDS = 0.95, 3
FEWEST_SHARES = 3  # any two points lie on a curve

Read = Callable[[Evidence, str, int], dict[float, float]]
"""One seed's values of a contender by share, 1 being all images."""


def over_data(evidence: Evidence) -> Iterator[Exhibit]:
    """Test accuracy and generalisation gap against the share of the images learned from, and the powers with which
    error and time change with it; nothing without shares."""
    accuracy = _series(evidence, _accuracies)
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
        series=_series(evidence, _gaps),
        description=say(
            "How much better each contender does on images it learned from than on test images, at the end of a "
            "training from a share of the images; a band spans the seeds."
        ),
    )
    yield _powers(evidence)


def _series(evidence: Evidence, read: Read) -> tuple[Series, ...]:
    lines = (_line(evidence, card.name, read) for card in evidence.contenders)
    return tuple(line for line in lines if line is not None)


def _line(evidence: Evidence, contender: str, read: Read) -> Series | None:
    """The mean over the seeds at each share that all of them have, and at all images."""
    shares, runs = _runs(evidence, contender, read)
    if len(shares) < 2:
        return None
    values = 100 * np.array(runs)
    several = len(runs) > 1
    return Series(
        name=contender,
        x=tuple(100 * share for share in shares),
        y=tuple(values.mean(axis=0).tolist()),
        low=tuple(values.min(axis=0).tolist()) if several else (),
        high=tuple(values.max(axis=0).tolist()) if several else (),
    )


def _runs(evidence: Evidence, contender: str, read: Read) -> tuple[list[float], list[list[float]]]:
    """The shares that all seeds have, small ones first, and each seed's values at them: rows of one length. A seed that
    was trained from all images alone has no curve."""
    runs = [run for seed in evidence.seeds if len(run := read(evidence, contender, seed)) > 1]
    shares = sorted(set.intersection(*map(set, runs))) if runs else []
    return shares, [[run[share] for share in shares] for run in runs]


def _accuracies(evidence: Evidence, contender: str, seed: int) -> dict[float, float]:
    test, train = (_by_share(evidence, contender, split, seed) for split in ("test", "train"))
    return {share: test[share] for share in test if share in train}


def _gaps(evidence: Evidence, contender: str, seed: int) -> dict[float, float]:
    test, train = (_by_share(evidence, contender, split, seed) for split in ("test", "train"))
    return {share: train[share] - test[share] for share in test if share in train}


def _errors(evidence: Evidence, contender: str, seed: int) -> dict[float, float]:
    return {share: 1 - top1 for share, top1 in _accuracies(evidence, contender, seed).items()}


def _seconds(evidence: Evidence, contender: str, seed: int) -> dict[float, float]:
    """Seconds an image, those of the median round. Every share is shown as many images, so that it grows with the same
    power as the whole."""
    rounds: dict[float, list[float]] = {}
    sample = evidence.series(contender, "fraction_train_time", seed)
    for unit, value in zip(sample.units, sample.values.tolist(), strict=True) if sample else ():
        rounds.setdefault(_share_of(unit.partition("/")[0]), []).append(value)
    whole = by_round(evidence, contender, "train_time", seed)
    seconds = {share: float(np.median(values)) for share, values in rounds.items()}
    return seconds if whole is None else {**seconds, 1.0: float(np.median(whole))}


def _by_share(evidence: Evidence, contender: str, split: str, seed: int) -> dict[float, float]:
    sample = evidence.series(contender, f"fraction_{split}_top1", seed)
    found = {} if sample is None else dict(zip(sample.units, sample.values.tolist(), strict=True))
    shares = {_share_of(unit): value for unit, value in found.items()}
    whole = last(evidence, contender, f"curve_{split}_top1", seed)
    return shares if whole is None else {**shares, 1.0: whole}


def _share_of(unit: str) -> float:
    return float(unit.removeprefix("fraction-"))


_FITTED: Mapping[str, Read] = {
    template("test error"): _errors,
    template("seconds of training"): _seconds,
}
"""What is fitted, in words."""


def _powers(evidence: Evidence) -> Table:
    rows = [
        (card.name, say(words), *_row(*_runs(evidence, card.name, read)))
        for words, read in _FITTED.items()
        for card in evidence.contenders
    ]
    return Table(
        title=say("With which power error and time change with the data"),
        columns=(
            say("contender"),
            say("of"),
            say("from (% of the images)"),
            say("to (%)"),
            say("exponent"),
            say("{level} % interval", level=f"{100 * LEVEL:.0f}"),
            say("farthest point off the curve (%)"),
            say("seeds"),
        ),
        rows=tuple(rows),
        formats=("", "", ".3g", ".3g", "+.3f", "", ".1f", ",d"),
        note=say(
            "Least squares through logarithms: error = c × images ^ exponent. −0.3 means that twice the images leave "
            "0.81 times the error; 0 that more images gain nothing. Every share is trained for as many steps as the "
            "whole, so that its time should have the exponent 0; passes over the data would cost with the power 1. "
            "Student's t over seeds, as the points of a seed share its luck; errors are those of the learning curve's "
            "test images. Where points lie far off, it is no power law, and the exponent only sums up this range: it "
            "foretells nothing beyond it."
        ),
    )


def _row(shares: list[float], runs: list[list[float]]) -> tuple[Scalar, ...]:
    """Of one contender's values, a row a seed."""
    ends = (100 * shares[0], 100 * shares[-1]) if shares else (None, None)
    law = None
    if len(shares) > 1 and all(value > 0 for run in runs for value in run):
        law = fit_blocks(shares, runs, LEVEL)
    off = 100 * (law.misfit - 1) if law and len(shares) >= FEWEST_SHARES else None
    return *ends, law.exponent if law else None, _interval(law, shares, len(runs)), off, len(runs)


def _interval(law: PowerLaw | None, shares: list[float], seeds: int) -> str:
    """The exponent's interval, or why there is none."""
    if len(shares) < 2:
        return say("trained from one amount only")
    if law is None:
        return say("no error is left at some amount, and zero has no logarithm")
    if len(shares) < FEWEST_SHARES:
        return say("two amounts only, and any two lie on a curve")
    if law.interval is None or seeds < FEWEST_SEEDS:
        return say("fewer than three seeds")
    return f"[{law.interval.low:+.3f}, {law.interval.high:+.3f}]"
