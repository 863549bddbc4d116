"""Files of published figures (TOML) -> figures, each with its source."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

from netversus.claims.read import checked, entries_of, read_document
from netversus.claims.records import Figure, Source
from netversus.claims.shape import FigureShape, SourceShape

_TABLES = ("source", "figure")


def read_figures(path: Path | Traversable) -> tuple[Figure, ...]:
    """The figures of a file: one source, and `[[figure]]` for each metric in each setting.

    Raises:
        OptionError: the file cannot be read, is not TOML, or holds what no file of figures holds.
    """
    document = read_document(path, _TABLES)
    source = checked(SourceShape, document.get("source", {}), f"{path}: source")
    entries = entries_of(document, "figure", path)
    shapes = [checked(FigureShape, entry, f"{path}: figure {i}") for i, entry in enumerate(entries, 1)]
    return tuple(_figure(shape, source) for shape in shapes)


def _figure(shape: FigureShape, source: SourceShape) -> Figure:
    scale = 100 if shape.unit == "%" else 1
    return Figure(
        metric=shape.metric,
        data=shape.data,
        setting=shape.setting,
        unit=shape.unit,
        direction=shape.better,
        values={name: value / scale for name, value in shape.values.items()},
        source=Source(source.title, shape.where or source.where),
        note=shape.note,
    )
