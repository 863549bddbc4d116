"""Tables of text: what an exhibit's numbers look like in rows and columns, for every renderer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Real

from netversus.exhibits import Block, Chart, Diagram, Heatmap, Scalar, Table
from netversus.messages import say
from netversus.quantities import MINUS
from netversus.report.scorecard import NOTHING
from netversus.report.svg.scale import number_text, number_texts

_SHORT = 24  # characters
_LONG = 48  # characters of a cell that a phone cannot show beside others
MOST_ROWS = 500  # of one table in a report for people; the JSON holds all


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table whose cells are said already. `numeric` tells which columns are numbers; `left_out` counts rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    left_out: int = 0

    @property
    def short(self) -> tuple[bool, ...]:
        """Which columns hold only short texts, which are better not wrapped."""
        return tuple(all(len(row[i]) <= _SHORT for row in self.rows) for i in range(len(self.columns)))

    @property
    def wordy(self) -> bool:
        """Whether its cells hold sentences, three columns or more: on a phone they are read one below the other."""
        return len(self.columns) > 2 and any(len(cell) > _LONG for row in self.rows for cell in row)


def table_text(table: Table) -> TextTable:
    """A study's table, formatted as the study wants it."""
    formats = (*table.formats, *("" for _ in table.columns[len(table.formats) :]))
    rows = [tuple(cell_text(v, f) for v, f in zip(row, formats, strict=False)) for row in table.rows[:MOST_ROWS]]
    numeric = tuple(_numeric([row[i] for row in table.rows]) for i in range(len(table.columns)))
    return TextTable(table.columns, tuple(rows), numeric, max(0, len(table.rows) - MOST_ROWS))


def chart_text(chart: Chart) -> TextTable:
    """A chart's numbers: a row an x (in ascending order where they are numbers), a column a series, its interval
    behind it."""
    xs = _places(chart)
    labels = number_texts(xs) if _numeric(xs) else tuple(cell_text(x, "") for x in xs)  # type: ignore[arg-type]
    texts = _texts([y for series in chart.series for y in series.y])
    ends = _texts([end for series in chart.series for end in (*series.low, *series.high)])
    columns, cells = [chart.x_label], []
    for series in chart.series:
        columns.append(series.name)
        cells.append(dict(zip(series.x, map(texts, series.y), strict=True)))
        if series.low and series.high:
            pairs = zip(series.low, series.high, strict=True)
            columns.append(say("{name}, interval", name=series.name))
            cells.append(dict(zip(series.x, (f"[{ends(low)}, {ends(high)}]" for low, high in pairs), strict=True)))
    rows = tuple((label, *(column.get(x, NOTHING) for column in cells)) for x, label in zip(xs, labels, strict=True))
    numeric = (_numeric(xs), *(True for _ in cells))
    return TextTable(tuple(columns), rows[:MOST_ROWS], numeric, max(0, len(xs) - MOST_ROWS))


def _places(chart: Chart) -> tuple[float | str, ...]:
    """Every x of a chart once."""
    xs = dict.fromkeys(x for series in chart.series for x in series.x)
    return tuple(sorted(xs) if _numeric(tuple(xs)) else xs)


def _texts(values: Sequence[float]) -> Callable[[float], str]:
    """How each of some values that stand together is said."""
    said = dict(zip(values, number_texts(values), strict=True))
    return lambda value: said.get(value, number_text(value))


def diagram_text(diagram: Diagram) -> TextTable:
    """A diagram's blocks: a row a stage, a column a contender."""
    stages = max((len(blocks) for _, blocks in diagram.rows), default=0)
    rows = []
    for i in range(stages):
        blocks = [row[i] if i < len(row) else None for _, row in diagram.rows]
        label = next(block.label for block in blocks if block)
        rows.append((label, *map(_block, blocks)))
    columns = (say("stage"), *(say("{name}: blocks", name=name) for name, _ in diagram.rows))
    return TextTable(columns, tuple(rows), (False, *(False for _ in diagram.rows)))


def heatmap_text(heatmap: Heatmap) -> TextTable:
    """A heat map's numbers, a row a row."""
    rows = tuple(
        (name, *(cell_text(value, heatmap.format) for value in values))
        for name, values in zip(heatmap.rows[:MOST_ROWS], heatmap.values, strict=False)
    )
    corner = say("{rows} (down), {columns} (across)", rows=heatmap.y_label, columns=heatmap.x_label)
    numeric = (False, *(True for _ in heatmap.columns))
    return TextTable((corner, *heatmap.columns), rows, numeric, max(0, len(heatmap.rows) - MOST_ROWS))


def _block(block: Block | None) -> str:
    if block is None:
        return NOTHING
    return f"{block.units} ({block.detail})" if block.detail else str(block.units)


def cell_text(value: Scalar, form: str) -> str:
    """One cell. A value that its format does not fit is shown as it is."""
    if isinstance(value, str):
        return value
    if not form or value is None or not isfinite(value):
        return number_text(value)
    try:
        text = format(value, form)
    except ValueError:
        return number_text(value)
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def _numeric(values: Sequence[Scalar]) -> bool:
    return all(value is None or isinstance(value, Real) for value in values)
