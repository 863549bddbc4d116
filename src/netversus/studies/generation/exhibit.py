"""What the report shows: the pictures side by side, the restored images, and the numbers beside them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import count

import numpy as np
from PIL import Image

from netversus.exhibits import Chart, Exhibit, Gallery, Picture, Series, Table, Text
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, told
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample
from netversus.studies.generation.files import ASCENT, painted_file, restored_file
from netversus.study import Evidence

SHOWN_CLASSES, SHOWN_PICTURES, SHOWN_IMAGES = 10, 4, 6
_SIDE = 64  # pixels: smaller pictures are shown enlarged, each pixel as a square


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Pictures of the classes, the numbers, the images restored from each stage."""
    cards = [card for card in evidence.contenders if evidence.series(card.name, "recognised_by_itself") is not None]
    if not cards:
        return
    yield from _painted(evidence, cards)
    yield _numbers(evidence, cards)
    yield Text(
        say(
            "A picture is recognised by the other contenders, so that two contenders judge each other: a low share can "
            "mean a poor painter or a poor judge. The kernel distance and the diversity are taken in the features of a "
            "small network with random weights, which knows no class; what counts there is how they compare."
        )
    )
    yield from _ascended(evidence, cards)
    yield from _restored(evidence, cards)
    yield from shortage_shown(evidence)


def _painted(evidence: Evidence, cards: Sequence[ContenderCard]) -> Iterator[Gallery]:
    """A row a class, a column a contender."""
    rows: dict[str, dict[str, Picture]] = {}
    for card in cards:
        for label, picture in _by_class(evidence, card):
            rows.setdefault(label, {})[card.name] = picture
    whole = [row for row in rows.values() if len(row) == len(cards)][:SHOWN_CLASSES]
    if whole:
        yield Gallery(
            title=say("What each contender paints of a class"),
            pictures=tuple(row[card.name] for row in whole for card in cards),
            columns=tuple(card.name for card in cards),
            note=say("The same noise to begin with, the same steps; nobody was shown an image of the data."),
        )


def _by_class(evidence: Evidence, card: ContenderCard) -> Iterator[tuple[str, Picture]]:
    """The first pictures of each class, side by side, with how many of all were recognised."""
    own = evidence.series(card.name, "recognised_by_itself")
    others = evidence.series(card.name, "recognised")
    pictures = _strips(evidence, card.name)
    if own is None or len(pictures) != len(own.units):
        return
    labels = [unit.rpartition("/")[0] for unit in own.units]
    for label in dict.fromkeys(labels):
        places = [place for place, each in enumerate(labels) if each == label]
        share = None if others is None else float(_on(others, [own.units[place] for place in places]).mean())
        caption = say(
            "{label}: {own} of {n} recognised by itself", label=label, own=int(own.values[places].sum()), n=len(places)
        )
        if share is not None:
            caption = say(
                "{label}: {own} of {n} recognised by itself, {others} % by the others",
                label=label,
                own=int(own.values[places].sum()),
                n=len(places),
                others=f"{100 * share:.0f}",
            )
        shown = [pictures[place] for place in places[:SHOWN_PICTURES]]
        alt = say(
            "{n} pictures that {contender} painted of the class {label}", n=len(shown), contender=card.name, label=label
        )
        yield label, _picture(shown, alt, caption)


def _on(sample: Sample, units: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    place = {unit: index for index, unit in enumerate(sample.units)}
    return np.asarray(sample.values[[place[unit] for unit in units]])


def _numbers(evidence: Evidence, cards: Sequence[ContenderCard]) -> Table:
    """The means over all pictures or classes."""
    metrics = ("recognised_by_itself", "recognised", "kernel_distance", "diversity", "diversity_of_images")
    rows = []
    for card in cards:
        means = [_mean(evidence.series(card.name, metric)) for metric in metrics]
        rows.append((card.name, *(100 * mean if mean is not None and i < 2 else mean for i, mean in enumerate(means))))
    return Table(
        title=say("What was painted, in numbers"),
        columns=(
            say("contender"),
            say("recognised by itself (%)"),
            say("by the others (%)"),
            say("kernel distance"),
            say("diversity"),
            say("diversity of the images"),
        ),
        rows=tuple(rows),
        formats=("", ".1f", ".1f", ".4g", ".4g", ".4g"),
        note=say(
            "Kernel distance and diversity within each class, averaged over the classes; a distance of 0 is none."
        ),
    )


def _mean(sample: Sample | None) -> float | None:
    return None if sample is None or not len(sample.values) else float(np.mean(sample.values))


def _ascended(evidence: Evidence, cards: Sequence[ContenderCard]) -> Iterator[Gallery]:
    pictures = []
    for card in cards:
        strip = evidence.artifact(ASCENT, card.name)
        if strip:
            alt = say("A picture of each class that {contender} painted by plain ascent", contender=card.name)
            pictures.append(_picture(_cut(strip)[:SHOWN_CLASSES], alt, card.name))
    if pictures:
        yield Gallery(
            title=say("Plain gradient ascent, for adversarially trained contenders"), pictures=tuple(pictures)
        )


def _restored(evidence: Evidence, cards: Sequence[ContenderCard]) -> Iterator[Exhibit]:
    """How much of an image each stage still knows: a chart of the errors, and the images."""
    lines, pictures = [], []
    for card in cards:
        errors = _by_stage(evidence.series(card.name, "stage_restored"))
        if not errors:
            continue
        lines.append(
            Series(name=card.name, x=tuple(float(n + 1) for n in range(len(errors))), y=tuple(errors.values()))
        )
        for number, (stage, error) in enumerate(errors.items()):
            strip = evidence.artifact(restored_file(number), card.name)
            if strip:
                caption = say(
                    "{contender}, {stage}: error {error}", contender=card.name, stage=told(stage), error=f"{error:.3f}"
                )
                pictures.append(_picture(_cut(strip)[:SHOWN_IMAGES], caption, caption))
    if lines:
        yield Chart(
            title=say("How closely an image can be restored from each stage"),
            kind="line",
            x_label=say("stage"),
            y_label=say("root mean square error of the pixels"),
            series=tuple(lines),
            description=say("Error by stage; the deeper the stage, the less of the single pixels it needs to keep."),
            y_from_zero=True,
        )
    if pictures:
        yield Gallery(
            title=say("The same test images, restored from the features of each stage"), pictures=tuple(pictures)
        )


def _by_stage(sample: Sample | None) -> dict[str, float]:
    """Stage -> mean error, in the order of the stages."""
    if sample is None:
        return {}
    stages: dict[str, list[float]] = {}
    for unit, value in zip(sample.units, sample.values, strict=True):
        head, _, rest = unit.partition(": ")
        stages.setdefault(f"{head}: {rest.partition(': ')[0]}", []).append(float(value))
    return {stage: float(np.mean(values)) for stage, values in stages.items()}


def _strips(evidence: Evidence, contender: str) -> list[Image.Image]:
    """All pictures that a contender painted, in order."""
    found: list[Image.Image] = []
    for number in count():
        strip = evidence.artifact(painted_file(number), contender)
        if strip is None:
            return found
        found += _cut(strip)
    return found


def _cut(strip: bytes) -> list[Image.Image]:
    """The square pictures of a strip."""
    with Image.open(io.BytesIO(strip)) as image:
        image.load()
        side = image.height
        return [image.crop((left, 0, left + side, side)) for left in range(0, image.width, side)]


def _picture(images: Sequence[Image.Image], alt: str, caption: str) -> Picture:
    """Several small images in one, a gap of white between them, enlarged where they are too small to be seen."""
    side = images[0].height
    times = max(1, round(_SIDE / side))
    gap = 2
    wide = len(images) * (side * times + gap) - gap
    canvas = Image.new("RGB", (wide, side * times), "white")
    for number, image in enumerate(images):
        shown = image.resize((side * times, side * times), Image.Resampling.NEAREST)
        canvas.paste(shown, (number * (side * times + gap), 0))
    file = io.BytesIO()
    canvas.save(file, format="PNG", optimize=True)
    return Picture(content=file.getvalue(), alt=alt, width=wide, height=side * times, caption=caption)
