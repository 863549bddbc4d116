"""The findings as a table for spreadsheets and data frames: a row a finding, slices too. RFC 4180, UTF-8."""

from __future__ import annotations

import csv
from io import StringIO
from math import isfinite

from netversus.records import Finding
from netversus.report.escape import csv_text
from netversus.report.view import ReportView

COLUMNS = (
    "study",
    "metric",
    "slice",
    "a",
    "b",
    "verdict",
    "role",
    "scale",
    "direction",
    "unit",
    "value_a",
    "value_b",
    "estimate",
    "low",
    "high",
    "level",
    "margin",
    "margin_declared",
    "paired_on",
    "n",
    "p_raw",
    "p_value",
    "e_value",
    "available",
    "further_units",
    "scope",
    "method",
    "sentence",
    "expert",
    "caveats",
)


def render(view: ReportView) -> str:
    """The findings, in the order of the sections. A missing or infinite number is an empty cell."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for finding in view.findings:
        writer.writerow([_cell(_value(finding, column)) for column in COLUMNS])
    return text.getvalue()


def _value(finding: Finding, column: str) -> object:
    if column in ("estimate", "low", "high", "level"):
        return getattr(finding.effect, column) if finding.effect else None
    if column == "caveats":
        return " | ".join(finding.caveats)
    return getattr(finding, column)


def _cell(value: object) -> str:
    """Numbers in full, text so that no spreadsheet takes it for a formula."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, str):
        return csv_text(value)
    return repr(float(value)) if isinstance(value, float) else str(value)
