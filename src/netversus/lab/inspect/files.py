"""The suspects as a file: JSON, or CSV for spreadsheets."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

from netversus.errors import OptionError
from netversus.files import write_atomic
from netversus.lab.inspect.looked import Report

COLUMNS = ("check", "split", "image", "label", "detail", "other", "score")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_report(report: Report, path: Path) -> None:
    """Writes it whole or not at all; the suffix decides how.

    Raises:
        OptionError: another suffix than .json or .csv, or a place that cannot be written.
    """
    kinds = {".json": as_json, ".csv": as_csv}
    if path.suffix.lower() not in kinds:
        raise OptionError(f"--out must end in .json or .csv, got {path.name!r}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, kinds[path.suffix.lower()](report).encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OptionError(f"cannot write {path}: {error.strerror}") from None


def as_json(report: Report) -> str:
    """One document. The estimated share of wrong labels is null where it cannot be told."""
    return json.dumps(
        {
            "images": report.images,
            "suspected": report.suspected,
            "checks": {str(check): len(report.of(check)) for check in report.checks},
            "wrong_label_share": report.wrong_share,
            "notes": report.notes,
            "left_out": report.left_out,
            "suspects": [suspect.record() for suspect in report.suspects],
        },
        indent=1,
    )


def as_csv(report: Report) -> str:
    """A row a suspicion (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for suspect in report.suspects:
        record = suspect.record()
        writer.writerow(["" if record[name] is None else _cell(record[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
