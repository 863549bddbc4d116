"""Each contender's files, scanned without being opened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netversus.lab.artifacts.findings import Verdict
from netversus.lab.artifacts.scan import Scan, scan_file
from netversus.lab.bench import Bench
from netversus.lab.contenders.fingerprint import sha256
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress
from netversus.studies.artifact import OWN_CODE, SCAN_FILE
from netversus.studies.artifact.origin import Origin, origin

CONTENDER = "contender"  # the one unit
LAST = "files"  # what is observed last
_REFUSED = {Verdict.HOSTILE, Verdict.SUSPICIOUS, Verdict.DAMAGED}


def measure(bench: Bench) -> Iterator[Emission]:
    """The scans of each contender's files, and how many of them would not be opened."""
    total = len(bench.contenders)
    for number, card in enumerate(bench.contenders, 1):
        if not bench.stored(card.name, LAST):
            yield from _contender(bench, card)
        yield Progress(number, total, noted("scanned {contender}", contender=card.name))


def _contender(bench: Bench, card: ContenderCard) -> Iterator[Emission]:
    found = origin(card)
    records = [_code(path) if found.code else _scanned(path, bench.options.seconds) for path in found.files]
    yield Artifact(SCAN_FILE, _told(found, records), card.name)
    refused = sum(record["verdict"] in _REFUSED for record in records)
    unscanned = sum(record["verdict"] in {Verdict.NOT_SCANNED, OWN_CODE} for record in records)
    facts = {"refused": refused, "unscanned": unscanned, "files": len(records)}
    for metric, value in facts.items():
        if not bench.stored(card.name, metric):
            yield Observations(card.name, metric, (CONTENDER,), (float(value),))


def _told(found: Origin, records: list[dict[str, Any]]) -> bytes:
    return json.dumps({"origin": found.said, "files": records}, indent=1).encode()


def _scanned(path: Path, seconds: float) -> dict[str, Any]:
    record = scan_file(path, seconds=seconds).record()
    return {**record, "path": path.name}


def _code(path: Path) -> dict[str, Any]:
    """Source code runs when it is imported: there is nothing that a scan could vouch for."""
    scan = Scan(path, Verdict.NOT_SCANNED, "Python source", path.stat().st_size, sha256(path), (), {}, {}, (), 0.0)
    what = "importing it runs it; no scan can vouch for code"
    finding = {"kind": OWN_CODE, "what": what, "where": "", "at": None}
    return {**scan.record(), "path": path.name, "verdict": OWN_CODE, "findings": [finding]}
