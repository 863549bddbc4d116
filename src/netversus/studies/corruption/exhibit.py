"""What is left of the accuracy, corruption by corruption; whether the confidence follows; what is told as foreign."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

import numpy as np

from netversus.exhibits import Chart, Exhibit, Gallery, Picture, Series, Table, Text
from netversus.lab.corruptions import COMMON, CORRUPTIONS, EXTRA, SEVERITIES, SWEEPS
from netversus.lab.left_out import left_out_shown
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, template
from netversus.records import ContenderCard
from netversus.statistics.ranking import OUTLIER, area_under_roc, false_positive_rate
from netversus.studies.corruption import SCORES
from netversus.studies.corruption.gallery import FILE, loaded
from netversus.study import Evidence

IMAGENET_CLASSES = 1000
FROST = "frost"  # drawn by the library: not that of published figures

NAMES = dict(
    zip(
        CORRUPTIONS,
        (
            template("Gaussian noise"),
            template("shot noise"),
            template("impulse noise"),
            template("defocus blur"),
            template("glass blur"),
            template("motion blur"),
            template("zoom blur"),
            template("snow"),
            template("frost (drawn)"),
            template("fog"),
            template("brightness"),
            template("contrast"),
            template("elastic transform"),
            template("pixelation"),
            template("JPEG compression"),
            template("speckle noise"),
            template("Gaussian blur"),
            template("spatter"),
            template("saturation"),
            template("occlusion"),
            template("rotation"),
            template("compression"),
            template("resolution"),
        ),
        strict=True,
    )
)
SCORE_NAMES = dict(
    zip(
        SCORES,
        (
            template("largest logit"),
            template("energy"),
            template("Mahalanobis distance"),
            template("nearest neighbours"),
        ),
        strict=True,
    )
)
KIND_NAMES = {
    "noise": template("noise"),
    "blobs": template("blobs"),
    "gratings": template("gratings"),
    "other data": template("other data"),
}
Rows = dict[tuple[str, int], float]
"""Top-1 by corruption and severity."""


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables, charts and pictures of one corruption study; levels on every seed, the rest on the first."""
    found = {card.name: _accuracies(evidence, card.name, None) for card in evidence.contenders}
    cards = [card for card in evidence.contenders if found[card.name]]
    if cards:
        yield _levels(evidence, cards)
        yield _by_severity(cards, found)
        yield _by_corruption(cards, found, COMMON, say("Top-1 on each common corruption (%)"))
        if any((name, 1) in found[card.name] for card in cards for name in EXTRA):
            yield _by_corruption(cards, found, EXTRA, say("Top-1 on the corruptions kept for validation (%)"))
        yield from _sweeps(cards, found)
        yield from _calibration(evidence, cards)
        yield _about()
    yield from _outliers(evidence)
    yield from _gallery(evidence)
    yield from shortage_shown(evidence)
    yield from left_out_shown(evidence)


def _accuracies(evidence: Evidence, contender: str, seed: int | None) -> Rows:
    """Top-1 of what has been shown so far, from the sums of the batches."""
    images, right = (evidence.series(contender, f"severity_{what}", seed) for what in ("images", "right"))
    if images is None or right is None or images.units != right.units:
        return {}
    sums: dict[tuple[str, int], list[float]] = {}
    for unit, count, good in zip(images.units, images.values.tolist(), right.values.tolist(), strict=True):
        name, severity, _ = unit.split("/")
        row = sums.setdefault((name, int(severity)), [0.0, 0.0])
        row[0] += count
        row[1] += good
    return {place: good / count for place, (count, good) in sums.items()}


def _errors(rows: Rows, name: str) -> float | None:
    """The error summed over the severities; None where one is missing."""
    values = [rows.get((name, severity)) for severity in SEVERITIES]
    return None if None in values else sum(1 - value for value in values if value is not None)


def mean_corruption_error(rows: Rows, baseline: Mapping[str, float]) -> float | None:
    """The mCE (Hendrycks and Dietterich 2019): each corruption's errors, summed over severities, over those of the
    baseline, averaged over the baseline's corruptions. None where one is missing, or the baseline makes no error."""
    ratios = []
    for name, reference in baseline.items():
        error = _errors(rows, name)
        if error is None or not reference:
            return None
        ratios.append(error / reference)
    return float(np.mean(ratios)) if ratios else None


def _levels(evidence: Evidence, cards: Sequence[ContenderCard]) -> Table:
    """Each contender's own level; the mCE against the first contender, and on ImageNet against AlexNet."""
    imagenet = len(evidence.data.classes) == IMAGENET_CLASSES
    rows: list[tuple[str | float | None, ...]] = []
    for seed in evidence.seeds:
        first = _accuracies(evidence, cards[0].name, seed)
        base = {name: error for name in COMMON if (error := _errors(first, name)) is not None}
        for card in cards:
            mine = _accuracies(evidence, card.name, seed)
            if not mine:
                continue
            means = [_mean(evidence, card.name, metric, seed) for metric in ("clean_top1", "corrupted_top1")]
            shares = [None if mean is None else 100 * mean for mean in means]
            mce = mean_corruption_error(mine, base)
            against = [mean_corruption_error(mine, _alexnet())] if imagenet else []
            shown = [None if value is None else 100 * value for value in (mce, *against)]
            nll = _mean(evidence, card.name, "corrupted_nll", seed)
            rows.append((card.name, str(seed), *shares, *shown, nll))
    alexnet = (say("mCE, AlexNet is 100, without frost"),) if imagenet else ()
    return Table(
        title=say("What is left under corruption"),
        columns=(
            say("contender"),
            say("seed"),
            say("clean top-1 (%)"),
            say("corrupted top-1 (%)"),
            say("mCE, {name} is 100", name=cards[0].name),
            *alexnet,
            say("NLL, corrupted (nats)"),
        ),
        rows=tuple(rows),
        formats=("", "", ".1f", ".1f", ".1f", *(".1f" for _ in alexnet), ".3f"),
        note=say(
            "Corrupted: the mean over 15 corruptions at 5 severities of each image. mCE: the mean over the corruptions "
            "of the error divided by the baseline's; lower is better."
        ),
    )


def _alexnet() -> Mapping[str, float]:
    """AlexNet's published errors, summed over five severities."""
    text = files("netversus.studies.corruption").joinpath("alexnet.toml").read_text(encoding="utf-8")
    return {name: len(SEVERITIES) * percent / 100 for name, percent in tomllib.loads(text).items()}


def _mean(evidence: Evidence, contender: str, metric: str, seed: int | None = None) -> float | None:
    series = evidence.series(contender, metric, seed)
    return None if series is None or not len(series.values) else float(series.values.mean())


def _by_severity(cards: Sequence[ContenderCard], found: Mapping[str, Rows]) -> Chart:
    lines = []
    for card in cards:
        rows = found[card.name]
        points = {0: [rows[place] for place in rows if place == ("clean", 0)]}
        points |= {each: [rows[name, each] for name in COMMON if (name, each) in rows] for each in SEVERITIES}
        used = [severity for severity, values in points.items() if values]
        lines.append(
            Series(
                name=card.name,
                x=tuple(float(severity) for severity in used),
                y=tuple(float(100 * np.mean(points[severity])) for severity in used),
            )
        )
    return Chart(
        title=say("Accuracy as corruption gets worse"),
        kind="line",
        x_label=say("severity (0: clean)"),
        y_label=say("top-1 (%)"),
        series=tuple(lines),
        description=say(
            "Mean accuracy over the 15 common corruptions at each severity, from clean images to the worst."
        ),
        y_from_zero=True,
    )


def _by_corruption(
    cards: Sequence[ContenderCard], found: Mapping[str, Rows], names: Sequence[str], title: str
) -> Table:
    """A row a corruption: each contender's mean over the severities."""
    rows = []
    for name in names:
        errors = [_errors(found[card.name], name) for card in cards]
        if any(error is not None for error in errors):
            shown = [None if error is None else 100 * (1 - error / len(SEVERITIES)) for error in errors]
            rows.append((say(NAMES[name]), *shown))
    return Table(
        title=title,
        columns=(say("corruption"), *(card.name for card in cards)),
        rows=tuple(rows),
        formats=("", *(".1f" for _ in cards)),
        note=say("Each the mean of five severities."),
    )


def _sweeps(cards: Sequence[ContenderCard], found: Mapping[str, Rows]) -> Iterator[Chart]:
    for name in SWEEPS:
        lines = []
        for card in cards:
            used = [each for each in SEVERITIES if (name, each) in found[card.name]]
            if used:
                clean = found[card.name].get(("clean", 0))
                start = [] if clean is None else [(0.0, 100 * clean)]
                points = [*start, *((float(each), 100 * found[card.name][name, each]) for each in used)]
                x, y = zip(*points, strict=True)
                lines.append(Series(name=card.name, x=x, y=y))
        if lines:
            yield Chart(
                title=say("Step by step: {what}", what=say(NAMES[name])),
                kind="line",
                x_label=say("step (0: clean)"),
                y_label=say("top-1 (%)"),
                series=tuple(lines),
                description=say("Accuracy as one thing changes step by step: {what}.", what=say(NAMES[name])),
                y_from_zero=True,
            )


def _calibration(evidence: Evidence, cards: Sequence[ContenderCard]) -> Iterator[Chart]:
    """The expected calibration error by severity, from the sums of the bins."""
    lines = []
    for card in cards:
        errors = calibration_errors(evidence, card.name)
        if errors:
            x = tuple(float(severity) for severity in errors)
            lines.append(Series(name=card.name, x=x, y=tuple(100 * error for error in errors.values())))
    if lines:
        yield Chart(
            title=say("Does the confidence follow the accuracy down?"),
            kind="line",
            x_label=say("severity (0: clean)"),
            y_label=say("expected calibration error (%)"),
            series=tuple(lines),
            description=say(
                "Mean distance of confidence and accuracy in 15 bins, over the 15 common corruptions at each severity; "
                "a rising line is a contender that stays sure while it is wrong more often."
            ),
            y_from_zero=True,
        )


def calibration_errors(evidence: Evidence, contender: str) -> Mapping[int, float]:
    """Severity -> ECE (Guo et al. 2017, 15 bins) of what has been shown so far."""
    series = [evidence.series(contender, f"bin_{what}") for what in ("images", "confidence", "right")]
    if any(each is None for each in series):
        return {}
    sums: dict[int, dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]] = {}
    for place, each in enumerate(series):
        for unit, value in zip(each.units, each.values.tolist(), strict=True) if each is not None else ():
            severity, which, _ = unit.split("/")
            sums.setdefault(int(severity), {}).setdefault(which, np.zeros(3))[place] += value
    errors: dict[int, float] = {}
    for level in sorted(sums):
        table = np.array(list(sums[level].values()))
        errors[level] = float(np.abs(table[:, 1] - table[:, 2]).sum() / table[:, 0].sum())
    return errors


def _outliers(evidence: Evidence) -> Iterator[Exhibit]:
    """How well each score tells outliers, in all and by kind."""
    rows: list[tuple[str | float | None, ...]] = []
    for card in evidence.contenders:
        kinds = evidence.series(card.name, OUTLIER)
        for score in SCORES if kinds is not None else ():
            series = evidence.series(card.name, f"outlier_{score}")
            if series is None or kinds is None or series.units != kinds.units:
                continue
            areas = [_told(series.values, kinds.values, kinds.units, kind)[0] for kind in KIND_NAMES]
            rows.append((card.name, say(SCORE_NAMES[score]), *_told(series.values, kinds.values, kinds.units), *areas))
    if rows:
        yield Table(
            title=say("Are images of other kinds told as foreign?"),
            columns=(
                say("contender"),
                say("told by"),
                say("AUROC (%)"),
                say("FPR95 (%)"),
                *(say("AUROC, {kind} (%)", kind=say(name)) for name in KIND_NAMES.values()),
            ),
            rows=tuple(rows),
            formats=("", "", *(".1f" for _ in range(2 + len(KIND_NAMES)))),
            note=say(
                "Foreign are made images (noise on every value, soft blobs, stripes) and images of another data set "
                "that comes with the library (digits, or scenes where the run's data are digits). AUROC: 50 is "
                "guessing, 100 tells all. FPR95: how many foreign images pass where 95 % of the test images pass."
            ),
        )


def _told(
    scores: np.ndarray[tuple[int], np.dtype[np.float64]],
    outlier: np.ndarray[tuple[int], np.dtype[np.float64]],
    units: Sequence[str],
    kind: str = "",
) -> tuple[float | None, float | None]:
    """AUROC and FPR95 (%) against all outliers, or those of a kind; None where there are none."""
    used = np.array(
        [not one or not kind or unit.split("/")[1] == kind for one, unit in zip(outlier, units, strict=True)]
    )
    inputs, ones = {"score": scores[used], OUTLIER: outlier[used]}, np.ones(int(used.sum()))
    if not 0 < inputs[OUTLIER].sum() < len(ones):
        return None, None
    return 100 * float(area_under_roc(inputs, ones)), 100 * float(false_positive_rate(inputs, ones))


def _gallery(evidence: Evidence) -> Iterator[Gallery]:
    """One image under everything, as the first contender saw it."""
    for card in evidence.contenders:
        unit, strips = loaded(evidence.artifact(FILE, card.name))
        pictures = tuple(
            Picture(
                content=strip.jpeg,
                alt=say("Image {unit} under {what}, severities 1 to 5", unit=unit, what=say(NAMES[name])),
                width=strip.width,
                height=strip.height,
                caption=say(NAMES[name]),
            )
            for name, strip in strips.items()
            if name in NAMES
        )
        if pictures:
            yield Gallery(
                title=say("One image, corrupted"),
                pictures=pictures,
                note=say("From left to right severity 1 to 5, as {name} saw them.", name=card.name),
            )
            return


def _about() -> Text:
    return Text(
        say(
            "The corruptions follow the published definitions and strengths. Two are the library's own drawing: frost, "
            "for which the published images take photographs, and the rim of drops in spatter. So figures here are to "
            "be compared with each other; of the published ones they come near, frost left out."
        )
    )
