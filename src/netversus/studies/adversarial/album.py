"""The pictures of the report: an image, its adversarial example, the difference."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence

from PIL import Image

from netversus.exhibits import Gallery, Picture
from netversus.messages import say
from netversus.records import ContenderCard
from netversus.studies.adversarial.protocol import CAPTIONS, PICTURES
from netversus.study import Evidence

PARTS, _GAP, _SIDE = 3, 2, 96


def gallery(evidence: Evidence, cards: Sequence[ContenderCard]) -> Iterator[Gallery]:
    """A few images of each contender, side by side as they are, changed, and the change made visible."""
    pictures = [picture for card in cards for picture in _pictures(evidence, card)]
    if pictures:
        yield Gallery(
            title=say("The smallest changes that were found to mislead"),
            pictures=tuple(pictures),
            note=say(
                "Left: as it is. Middle: changed. Right: the change, amplified as many times as is said, around grey."
            ),
        )


def _pictures(evidence: Evidence, card: ContenderCard) -> Iterator[Picture]:
    strip, captions = evidence.artifact(PICTURES, card.name), evidence.artifact(CAPTIONS, card.name)
    if strip is None or captions is None:
        return
    classes = evidence.data.classes
    with Image.open(io.BytesIO(strip)) as image:
        image.load()
    side = image.height
    for place, told in enumerate(json.loads(captions)):
        left = place * PARTS * side
        parts = [image.crop((left + i * side, 0, left + (i + 1) * side, side)) for i in range(PARTS)]
        caption = say(
            "{contender}: {label} taken for {answer} after a change of {distance}/255; shown {times} times as large",
            contender=card.name,
            label=_name(classes, told["label"]),
            answer=_name(classes, told["answer"]),
            distance=f"{told['distance']:.2g}",
            times=told["times"],
        )
        alt = say("An image, the same changed so that it misleads, and the change: {caption}", caption=caption)
        yield _side_by_side(parts, alt, caption, card.name)


def _name(classes: Sequence[str], label: int) -> str:
    return classes[label] if label < len(classes) else str(label)


def _side_by_side(images: Sequence[Image.Image], alt: str, caption: str, tag: str) -> Picture:
    """Enlarged where they are too small to be seen."""
    side = images[0].height
    times = max(1, round(_SIDE / side))
    wide = len(images) * (side * times + _GAP) - _GAP
    canvas = Image.new("RGB", (wide, side * times), "white")
    for number, image in enumerate(images):
        shown = image.resize((side * times, side * times), Image.Resampling.NEAREST)
        canvas.paste(shown, (number * (side * times + _GAP), 0))
    file = io.BytesIO()
    canvas.save(file, format="PNG", optimize=True)
    return Picture(file.getvalue(), alt, wide, side * times, caption, tags=(tag,))
