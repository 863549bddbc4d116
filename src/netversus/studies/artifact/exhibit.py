"""Each contender's files with verdict, digest and evidence; what that does and does not say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from netversus.exhibits import Exhibit, Table, Text
from netversus.messages import say, told
from netversus.studies.artifact import OWN_CODE, SCAN_FILE
from netversus.study import Evidence

MEBI = 2**20
MOST_LINES = 12  # of evidence, for one file

Told = list[tuple[str, dict[str, Any]]]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """The answer in words, the files, the evidence."""
    told: Told = []
    for card in evidence.contenders:
        record = evidence.artifact(SCAN_FILE, card.name)
        if record is not None:
            told.append((card.name, json.loads(record)))
    if not told:
        return
    yield Text(" ".join([*_answers(told), _meaning()]))
    yield _origins(told)
    if any(record["files"] for _, record in told):
        yield _files(told)
        yield from _evidence(told)


def _answers(told: Told) -> Iterator[str]:
    for name, record in told:
        verdicts = [file["verdict"] for file in record["files"]]
        bad = sorted({verdict for verdict in verdicts if verdict not in {"clean", OWN_CODE}})
        if not verdicts:
            yield say("{name} is made from no file.", name=name)
        elif OWN_CODE in verdicts:
            yield say("{name} is code of your own, which no scan can vouch for.", name=name)
        elif bad:
            yield say(
                "Among the {total} files of {name} there are such that are {verdicts}: they are not opened.",
                name=name,
                total=len(verdicts),
                verdicts=" / ".join(_verdict(verdict) for verdict in bad),
            )
        else:
            yield say(
                "All {total} files of {name} were read whole: opening them runs no code, they hold what they claim.",
                name=name,
                total=len(verdicts),
            )


def _verdict(name: str) -> str:
    told = {
        "clean": say("clean"),
        "damaged": say("damaged"),
        "not scanned": say("not scanned"),
        "suspicious": say("suspicious"),
        "hostile": say("hostile"),
        OWN_CODE: say("own code"),
    }
    return told.get(name, name)


def _meaning() -> str:
    return say(
        "This is about one threat: an attacker who changes a file so that opening it runs code or exhausts memory. "
        "Against weights that were poisoned in training it says nothing, for those pass every scanner; and a digest "
        "says that a file is the same as before, not that its author was honest."
    )


def _origins(told: Told) -> Table:
    return Table(
        title=say("Where the contenders come from"),
        columns=(say("contender"), say("origin"), say("files")),
        rows=tuple((name, record["origin"], len(record["files"])) for name, record in told),
        formats=("", "", ",d"),
    )


def _files(told: Told) -> Table:
    rows = [
        (
            name,
            file["path"],
            file["format"],
            file["bytes"] / MEBI,
            file["tensors"] or None,
            _verdict(file["verdict"]),
            file["sha256"],
        )
        for name, record in told
        for file in record["files"]
    ]
    return Table(
        title=say("What the files are"),
        columns=(
            say("contender"),
            say("file"),
            say("format"),
            say("size (MiB)"),
            say("tensors"),
            say("verdict"),
            "SHA-256",
        ),
        rows=tuple(rows),
        formats=("", "", "", ".3g", ",d", "", ""),
        note=say(
            "The content decides what a file is, never its name. A file is opened only when it is clean: by "
            "safetensors, or by torch with weights_only, never by full unpickling. Not scanned is not clean."
        ),
    )


def _evidence(scans: Told) -> Iterator[Table]:
    rows: list[tuple[str, str, str, str, str]] = []
    for name, record in scans:
        for file in record["files"]:
            lines = file["findings"]
            for line in lines[:MOST_LINES]:
                place = [line["where"]] if line["where"] else []
                place += [say("byte {at}", at=f"{line['at']:,}")] if line["at"] is not None else []
                rows.append((name, file["path"], _verdict(line["kind"]), told(line["what"]), ", ".join(place)))
            if len(lines) > MOST_LINES:
                more = say("{n} more lines; netversus scan tells all", n=len(lines) - MOST_LINES)
                rows.append((name, file["path"], "", more, ""))
    if rows:
        yield Table(
            title=say("Evidence"),
            columns=(say("contender"), say("file"), say("weight"), say("what"), say("where")),
            rows=tuple(rows),
            note=say("Lines marked clean are remarks that change no verdict."),
        )
