"""Every raw observation and every finding as CSV (RFC 4180, UTF-8).

A number is written so that it is read back exactly; a missing one is an empty cell. A text that a spreadsheet would
take for a formula stands behind an apostrophe.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pyarrow as pa

from netversus.exports.format import Files, Format, Source
from netversus.exports.raw import findings, observations
from netversus.report.escape import csv_text


def _files(source: Source) -> Files:
    yield "observations.csv", _csv(observations(source.store))
    yield "findings.csv", _csv(findings(source.view))


def _csv(table: pa.Table) -> bytes:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(table.column_names)
    for batch in table.to_batches(max_chunksize=65_536):
        columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
        writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    """Raw values as they were seen: also nan and inf, which are not the same as none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return csv_text(" | ".join(value))
    return csv_text(value) if isinstance(value, str) else repr(value)


FORMAT = Format("csv", "every raw observation and every finding, for spreadsheets; a folder of two files", _files)
