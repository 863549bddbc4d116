"""Tables of text: what an exhibit's numbers look like in rows and columns, for every renderer."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from netversus.exhibits import Chart, Diagram, Scalar, Series, Table
from netversus.quantities import MINUS
from netversus.report.scorecard import NOTHING
from netversus.report.svg.scale import number_text

MOST_ROWS = 500  # of one table in a report for people; the JSON holds all


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table whose cells are said already. `numeric` tells which columns are numbers; `left_out` counts rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    left_out: int = 0


def table_text(table: Table) -> TextTable:
    """A study's table, formatted as the study wants it."""
    formats = (*table.formats, *("" for _ in table.columns[len(table.formats) :]))
    rows = [tuple(cell_text(v, f) for v, f in zip(row, formats, strict=False)) for row in table.rows[:MOST_ROWS]]
    numeric = tuple(_numeric([row[i] for row in table.rows]) for i in range(len(table.columns)))
    return TextTable(table.columns, tuple(rows), numeric, max(0, len(table.rows) - MOST_ROWS))


def chart_text(chart: Chart) -> TextTable:
    """A chart's numbers: a row an x, a column a series, its interval behind it."""
    xs = tuple(dict.fromkeys(x for series in chart.series for x in series.x))
    columns, cells = [chart.x_label], []
    for series in chart.series:
        columns.append(series.name)
        cells.append(dict(zip(series.x, (number_text(y) for y in series.y), strict=True)))
        if series.low and series.high:
            columns.append(f"{series.name}, interval")
            cells.append(dict(zip(series.x, _intervals(series), strict=True)))
    rows = tuple((cell_text(x, ""), *(column.get(x, NOTHING) for column in cells)) for x in xs[:MOST_ROWS])
    numeric = (_numeric(xs), *(True for _ in cells))
    return TextTable(tuple(columns), rows, numeric, max(0, len(xs) - MOST_ROWS))


def _intervals(series: Series) -> tuple[str, ...]:
    pairs = zip(series.low, series.high, strict=True)
    return tuple(f"[{number_text(low)}, {number_text(high)}]" for low, high in pairs)


def diagram_text(diagram: Diagram) -> TextTable:
    """A diagram's blocks: a row a stage, a column a contender."""
    stages = max((len(blocks) for _, blocks in diagram.rows), default=0)
    rows = []
    for i in range(stages):
        blocks = [row[i] if i < len(row) else None for _, row in diagram.rows]
        label = next(block.label for block in blocks if block)
        rows.append((label, *(f"{block.units} ({block.detail})" if block else NOTHING for block in blocks)))
    columns = ("stage", *(f"{name}: blocks" for name, _ in diagram.rows))
    return TextTable(columns, tuple(rows), (False, *(False for _ in diagram.rows)))


def cell_text(value: Scalar, form: str) -> str:
    """One cell. A value that its format does not fit is shown as it is."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return NOTHING
    if isinstance(value, str):
        return value
    if not form:
        return number_text(value)
    try:
        text = format(value, form)
    except ValueError:
        return number_text(value)
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def _numeric(values: object) -> bool:
    assert isinstance(values, list | tuple)
    return all(value is None or isinstance(value, int | float) for value in values)
