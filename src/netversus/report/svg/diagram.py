"""Networks as rows of stages, aligned, each stage with one small box a block: where the extra blocks are is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from markupsafe import Markup

from netversus.exhibits import Block, Diagram
from netversus.report.svg.element import add, markup, picture, shortened, text_width
from netversus.report.svg.marker import Identity, identities, mark

_UNIT = 13.0  # side of a block's box
_STEP = 17.0  # from one box to the next
_COLUMNS = 6  # boxes side by side; more for very long stages
_MOST_LINES = 5
_PAD = 9.0
_GAP = 16.0  # between stages, room for an arrow
_HEAD = 40.0  # label and detail of a stage
_NAME = 24.0
_BELOW = 14.0


@dataclass(frozen=True, slots=True)
class _Column:
    """One stage: how many boxes stand side by side, and how wide its frame is, for every contender."""

    index: int
    across: int
    width: float

    def height(self, block: Block) -> float:
        """How high the frame is around a contender's boxes."""
        lines = max(1, -(-block.units // self.across))
        return lines * _STEP - (_STEP - _UNIT) + 2 * _PAD


def draw_diagram(diagram: Diagram, *, width: float, contenders: Sequence[str], key: str) -> Markup:
    """The picture of a diagram, `width` px wide; stages that do not fit go on below. Empty without blocks."""
    columns = _columns(diagram, width)
    if not columns:
        return Markup("")
    looks = identities([name for name, _ in diagram.rows], contenders)
    lines = [
        (band, name, blocks, look)
        for band in _bands(columns, width)
        for (name, blocks), look in zip(diagram.rows, looks, strict=True)
        if len(blocks) > band[0].index
    ]
    heights = [_height(blocks, band) for band, _, blocks, _ in lines]
    root = picture(width, sum(heights), diagram.title, diagram.description, key, "chart diagram")
    for place, (band, name, blocks, look) in enumerate(lines):
        _draw_row(root, name, blocks, look, band, sum(heights[:place]), width)
    return markup(root)


def _height(blocks: Sequence[Block], band: Sequence[_Column]) -> float:
    """The height of one contender's stages of a band, with its name above and room below."""
    return _NAME + _HEAD + max(c.height(blocks[c.index]) for c in band if c.index < len(blocks)) + _BELOW


def _columns(diagram: Diagram, width: float) -> list[_Column]:
    """The stages' frames, wide enough for the longest of their texts."""
    columns = []
    for index in range(max((len(blocks) for _, blocks in diagram.rows), default=0)):
        blocks = [row[index] for _, row in diagram.rows if index < len(row)]
        most = max(1, *(block.units for block in blocks))
        across = max(1, min(most, max(_COLUMNS, -(-most // _MOST_LINES)), int((width - 2 * _PAD) / _STEP)))
        text = max(text_width(t) for block in blocks for t in (block.label, block.detail))
        inner = max(across * _STEP - (_STEP - _UNIT), min(text, 130.0))
        columns.append(_Column(index, across, inner + 2 * _PAD))
    return columns


def _bands(columns: Sequence[_Column], width: float) -> Iterator[list[_Column]]:
    """The stages in as many lines as the width needs."""
    band: list[_Column] = []
    for column in columns:
        if band and sum(c.width + _GAP for c in band) + column.width > width:
            yield band
            band = []
        band.append(column)
    yield band


def _draw_row(
    root: Element, name: str, blocks: Sequence[Block], look: Identity, band: Sequence[_Column], top: float, width: float
) -> None:
    """One contender's stages of one band."""
    mark(root, look, 6, top + 12)
    add(root, "text", shortened(name, width - 20), x=18, y=top + 16, class_="name strong")
    x = 0.0
    for column in band:
        if column.index < len(blocks):
            if column.index:
                _draw_arrow(root, x, top + _NAME + _HEAD + (_UNIT / 2 + _PAD))
            _draw_stage(root, blocks[column.index], look, column, x, top + _NAME)
        x += column.width + _GAP


def _draw_arrow(root: Element, x: float, y: float) -> None:
    add(root, "path", d=f"M{x - _GAP + 2:.2f} {y:.2f}h{_GAP - 5}m-4 -3.5l4 3.5l-4 3.5", class_="arrow")


def _draw_stage(root: Element, block: Block, look: Identity, column: _Column, x: float, top: float) -> None:
    inner = column.width - 4
    add(root, "text", shortened(block.label, inner), x=x, y=top + 16, class_="name")
    add(root, "text", shortened(block.detail, inner), x=x, y=top + 31, class_="tick")
    add(root, "rect", x=x, y=top + _HEAD, width=column.width, height=column.height(block), rx=5, class_="frame")
    plain = block.units - min(block.marked, block.units)
    for i in range(block.units):
        line, place = divmod(i, column.across)
        left, y = x + _PAD + place * _STEP, top + _HEAD + _PAD + line * _STEP
        css = "unit" if i < plain else f"unit extra {look.colour}"
        add(root, "rect", x=left, y=y, width=_UNIT, height=_UNIT, rx=2, class_=css)
        if i >= plain:
            add(root, "path", d=f"M{left + 3.5:.2f} {y + _UNIT / 2:.2f}h6m-3 -3v6", class_="plus")
