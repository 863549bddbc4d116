"""A short animation of a sequence with its tracks: each track has a colour and its number. Loads no torch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from netversus.lab.data.annotated import Clip
from netversus.lab.tracking.tracks import Tracks

SIDE: Final = 192  # px of the longer side
LEAST_SIDE: Final = 96
MOST_PICTURES: Final = 24
MOST_BYTES: Final = 400_000
COLOURS: Final = 48  # of the palette
_STEP = 120  # ms
# Okabe & Ito's colours, which the colour-blind can tell apart; the number tells the rest.
_TRACKS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")


def film(clip: Clip, tracks: Tracks, length: int) -> bytes:
    """A GIF of the first pictures of a clip, smaller and shorter until it takes at most `MOST_BYTES`."""
    pictures, side = min(length, MOST_PICTURES), SIDE
    while True:
        content = _gif([_drawn(clip.image(frame), tracks, frame, side) for frame in range(pictures)])
        if len(content) <= MOST_BYTES or (pictures <= 2 and side <= LEAST_SIDE):
            return content
        pictures, side = max(2, pictures * 2 // 3), max(LEAST_SIDE, side * 5 // 6)


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height that a GIF's head tells."""
    return int.from_bytes(content[6:8], "little"), int.from_bytes(content[8:10], "little")


def _drawn(image: Image.Image, tracks: Tracks, frame: int, side: int) -> Image.Image:
    # Pictures of few pixels are enlarged, so that a number has room.
    scale = side / max(image.size)
    shown = image.resize((max(1, round(scale * image.width)), max(1, round(scale * image.height))))
    pen, font = ImageDraw.Draw(shown), ImageFont.load_default()
    for place in (tracks.frames == frame).nonzero()[0]:
        left, top, right, bottom = (scale * tracks.corners[place]).tolist()
        number = int(tracks.ids[place])
        colour = _TRACKS[number % len(_TRACKS)]
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=2)
        corner = (max(0.0, left), max(0.0, top - 11))
        pen.rectangle(pen.textbbox(corner, str(number), font=font), fill="black")
        pen.text(corner, str(number), fill=colour, font=font)
    return shown


def _gif(pictures: Sequence[Image.Image]) -> bytes:
    reduced = [picture.quantize(COLOURS, dither=Image.Dither.NONE) for picture in pictures]
    file = io.BytesIO()
    reduced[0].save(file, "GIF", save_all=True, append_images=reduced[1:], duration=_STEP, loop=0, optimize=False)
    return file.getvalue()
