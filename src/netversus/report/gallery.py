"""A gallery, ready to be placed in a page or said in words: its pictures in rows, its tags, its marks counted."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from netversus.exhibits import Gallery, Picture
from netversus.messages import in_a_row, say
from netversus.report.svg.overlay import KINDS, draw_overlay

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
_SMALLEST, _LARGEST = 96.0, 320.0  # CSS px that the longer side of a picture takes in the page
_SMALLEST_MARKED = 256.0  # of a picture with marks, whose words would cover it


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture in the page. `width` and `height` are in CSS px; `tags` are the places of its tags in the gallery."""

    address: str
    alt: str
    caption: str
    tally: str
    overlay: Markup
    width: int
    height: int
    tags: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A gallery in the page: `rows` of as many shots as there are `columns`, or one row of all where there are none.
    `tags` pairs each tag with how many pictures carry it; `kinds` are the kinds of mark that the key explains."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Shot, ...], ...]
    tags: tuple[tuple[str, int], ...]
    kinds: tuple[str, ...]


def shown(gallery: Gallery, address: Callable[[bytes], str]) -> Shown:
    """The gallery for a page; `address` says where the page finds a file's bytes."""
    counts = Counter(tag for picture in gallery.pictures for tag in dict.fromkeys(picture.tags))
    places = {tag: place for place, tag in enumerate(counts)}
    shots = [_shot(picture, places, address) for picture in gallery.pictures]
    across = len(gallery.columns) or len(shots) or 1
    return Shown(
        title=gallery.title,
        note=gallery.note,
        columns=gallery.columns,
        rows=tuple(tuple(shots[start : start + across]) for start in range(0, len(shots), across)),
        tags=tuple(counts.items()),
        kinds=tuple(kind for kind in KINDS if any(m.kind == kind for p in gallery.pictures for m in p.marks) and kind),
    )


def _shot(picture: Picture, places: dict[str, int], address: Callable[[bytes], str]) -> Shot:
    longer = max(picture.width, picture.height)
    scale = min(max(longer, _SMALLEST_MARKED if picture.marks else _SMALLEST), _LARGEST) / longer
    return Shot(
        address=address(picture.content),
        alt=picture.alt,
        caption=picture.caption,
        tally=tally(picture),
        overlay=draw_overlay(picture, scale),
        width=round(scale * picture.width),
        height=round(scale * picture.height),
        tags=tuple(places[tag] for tag in dict.fromkeys(picture.tags)),
    )


def tally(picture: Picture) -> str:
    """The marks of a picture counted by their kind, in words: "2 right, 1 missed"; empty without marks."""
    counts = Counter(mark.kind for mark in picture.marks)
    return in_a_row(_counted(kind, counts[kind]) for kind in KINDS if counts[kind])


def _counted(kind: str, count: int) -> str:
    if not kind:
        return say("{n} marked", n=count)
    return say("{n} {kind}", n=count, kind=kind_word(kind))


def kind_word(kind: str) -> str:
    """What the key of a gallery calls a kind of mark."""
    return {"right": say("right"), "wrong": say("wrong"), "missed": say("missed")}[kind]


def words(gallery: Gallery) -> Iterator[str]:
    """A line a picture, for a report without pictures: its caption (or what is to be seen) and its marks."""
    for picture in gallery.pictures:
        said = picture.caption or picture.alt
        marks = tally(picture)
        yield say("{said} ({marks})", said=said, marks=marks) if marks else said


def data_address(content: bytes) -> str:
    """The file itself as an address."""
    return f"data:image/{format_of(content)};base64,{b64encode(content).decode('ascii')}"


def format_of(content: bytes) -> str:
    """What a file is, told from its first bytes: "png", "jpeg", "gif", "webp", or empty for what is no such picture."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((name for signature, name in _SIGNATURES if content.startswith(signature)), "")
