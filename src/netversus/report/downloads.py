"""Files that travel within the page: the findings and, where they are few, the raw observations."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

from netversus.messages import say
from netversus.quantities import amount
from netversus.report import csv_file
from netversus.report.view import ReportView

MOST_BYTES = 700_000
"""What one file may add to a page, before base64; what is larger is left to the run folder."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file within the page. `address` holds it whole."""

    name: str
    label: str
    size: str
    address: str


def downloads(view: ReportView) -> tuple[Download, ...]:
    """The files that are small enough."""
    return tuple(_downloads(view))


def _downloads(view: ReportView) -> Iterator[Download]:
    findings = csv_file.render(view).encode("utf-8")
    if view.findings and len(findings) <= MOST_BYTES:
        yield _download("findings.csv", say("The findings as CSV"), "text/csv", findings)
    if view.observations:
        packed = gzip.compress(view.observations.encode("utf-8", "backslashreplace"), mtime=0)
        if len(packed) <= MOST_BYTES:
            label = say("The raw observations as CSV, compressed")
            yield _download("observations.csv.gz", label, "application/gzip", packed)


def _download(name: str, label: str, kind: str, content: bytes) -> Download:
    address = f"data:{kind};base64,{b64encode(content).decode('ascii')}"
    return Download(name, label, amount(len(content), "bytes"), address)
