"""`netversus scan`: what is in a model file, before anyone opens it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from netversus.cli.terminal import run_command
from netversus.errors import EXIT_GATE_FAILED, EXIT_OK, EXIT_UNDECIDED, OptionError
from netversus.lab.artifacts.findings import Finding, Verdict, printable
from netversus.lab.artifacts.scan import Scan, scan_file
from netversus.messages import catalogue, in_a_row, say, speaking, template, told
from netversus.quantities import counted

MEANING = template(
    "Clean means that opening a file runs nothing, and that it holds what it claims. It says nothing of what the "
    "weights do: weights that were poisoned in training pass every scanner."
)
REFUSE = template("Do not open what is hostile or suspicious, anywhere: ask its author for the weights as safetensors.")
UNKNOWN = template("Of what is damaged or was not scanned, nothing is known: that is not clean.")
_FORMATS = {
    "unknown": template("unknown"),
    "unknown content": template("unknown content"),
    "empty": template("empty"),
    "unreadable": template("unreadable"),
    "torch, legacy": template("torch, legacy"),
    "torch, oldest (tar)": template("torch, oldest (tar)"),
}
"""Formats that are described and not named."""
_FAILED = {Verdict.HOSTILE, Verdict.SUSPICIOUS}
_OPEN = {Verdict.NOT_SCANNED, Verdict.DAMAGED}


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_scan, "scan", arguments)


def _scan(
    files: Annotated[list[Path], typer.Argument(help="Model files of any kind; their content decides what they are.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
    expect: Annotated[str, typer.Option(help="An architecture whose shapes the weights should have: resnet50.")] = "",
    second_opinion: Annotated[bool, typer.Option(help="Ask picklescan too, in its strict mode.")] = False,
    convert: Annotated[
        Path | None, typer.Option(help="Write the tensors of a clean torch file there, as safetensors.")
    ] = None,
    digests: Annotated[
        Path | None, typer.Option(help="A list as sha256sum writes it, that came another way than the files.")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(help="A signature of the one file, made by ssh-keygen -Y sign -n file.")
    ] = None,
    signers: Annotated[Path | None, typer.Option(help="The keys that you trust: OpenSSH's allowed_signers.")] = None,
    identity: Annotated[str, typer.Option(help="Who should have signed, as it stands in --signers.")] = "",
    seconds: Annotated[float, typer.Option(min=0.1, help="Give up on a file after so long: it is not scanned.")] = 60,
    lang: Annotated[str, typer.Option(help="Language of the lines: en, or zh for Chinese.")] = "en",
) -> int:
    """Say what is in model files without opening them. Exit code 0: all clean, 3: one is hostile or suspicious,
    4: one could not be scanned or is damaged."""
    catalogue(lang)  # one that does not exist is refused before anything slow happens
    if (convert or signature) and len(files) != 1:
        raise OptionError(f"--convert and --signature are for one file, got {len(files)}")
    if signature and not (signers and identity):
        raise OptionError("--signature needs --signers and --identity", hint="a signature says only who signed")
    scans = [scan_file(path, seconds=seconds) for path in files]
    if expect:
        scans = _expected(scans, expect)
    if digests:
        scans = _listed(scans, digests)
    if signature and signers:
        scans = [scans[0].with_finding(_signed(scans[0].path, signature, signers, identity))]
    if second_opinion:
        scans = _asked(scans)
    with speaking(lang):
        _tell(scans, as_json=as_json)
        if convert:
            _converted(scans[0], convert, quiet=as_json)
    return _code(scans)


def _tell(scans: Sequence[Scan], *, as_json: bool) -> None:
    """What was found: a document, which is English, or lines and what the verdicts mean."""
    if as_json:
        print(json.dumps({"meaning": MEANING, "files": [found.record() for found in scans]}, indent=2))
    else:
        for found in scans:
            print("\n".join(_lines(found)))
        print("\n".join(_advice(scans)))


def _expected(scans: list[Scan], architecture: str) -> list[Scan]:
    from netversus.lab.artifacts.state import against
    from netversus.lab.expected_shapes import expected_shapes

    shapes = expected_shapes(architecture)
    return [found.with_finding(*against(found, shapes, architecture)) for found in scans]


def _listed(scans: list[Scan], digests: Path) -> list[Scan]:
    from netversus.lab.artifacts.trust import check_digest, read_digests

    known = read_digests(digests)
    return [found.with_finding(check_digest(found, known, digests.name)) for found in scans]


def _signed(path: Path, signature: Path, signers: Path, identity: str) -> Finding:
    from netversus.lab.artifacts.trust import check_signature

    return check_signature(path, signature, signers, identity)


def _asked(scans: list[Scan]) -> list[Scan]:
    from netversus.lab.artifacts.second_opinion import ask_picklescan

    return [found.with_finding(ask_picklescan(found)) for found in scans]


def _converted(found: Scan, out: Path, *, quiet: bool) -> None:
    from netversus.lab.artifacts.convert import convert
    from netversus.lab.artifacts.state import left_out

    count = convert(found, out)
    rest = left_out(found)
    if quiet:
        return
    wrote = {"tensors": counted(count, "tensor"), "out": out}
    if rest:
        print(say("wrote {tensors} to {out}; {n} others were left out", n=f"{rest:,}", **wrote))
    else:
        print(say("wrote {tensors} to {out}", **wrote))


def _lines(found: Scan) -> Iterator[str]:
    holds = [_format(found.format), counted(found.size, "byte")]
    if found.tensors:
        of = {"tensors": counted(len(found.tensors), "tensor"), "elements": counted(found.elements, "element")}
        holds.append(say("{tensors} of {elements}", **of))
    verdict = say(found.verdict.value)
    what = {"file": printable(str(found.path), 500), "verdict": verdict, "holds": in_a_row(holds)}
    yield say("{file}: {verdict} ({holds})", **what)
    if found.sha256:
        yield f"  SHA-256 {found.sha256}"
    for external in found.external:
        name, size = printable(external.name), f"{external.size:,}"
        told = say("reads {name}, {n} bytes, SHA-256 {digest}", name=name, n=size, digest=external.sha256)
        yield f"  {told}"
    for line in found.findings:
        yield f"  {_line(line)}"


def _line(finding: Finding) -> str:
    """One line of evidence, as `Finding` says it in English."""
    where = ", ".join(told(part) if " " in part else part for part in printable(finding.where).split(", "))
    at = say("byte {at}", at=f"{finding.at:,}") if finding.at is not None else ""
    place = in_a_row(filter(None, (where, at)))
    said = {"verdict": say(finding.kind.value), "what": told(finding.what)}
    return say("{verdict}: {what} ({place})", place=place, **said) if place else say("{verdict}: {what}", **said)


def _format(name: str) -> str:
    """A format in words: those that are no names are said."""
    first, several, last = name.rpartition(" and ")
    if several:
        return say("{first} and {last}", first=_format(first), last=_format(last))
    inside, packed, kind = name.partition(" in ")
    if packed:
        return say("{inside} in {kind}", inside=_format(inside), kind=kind)
    return say(_FORMATS[name]) if name in _FORMATS else told(name)


def _advice(scans: Sequence[Scan]) -> Iterator[str]:
    """What the verdicts mean, each where there is one, after an empty line."""
    verdicts = {found.verdict for found in scans}
    yield ""
    if verdicts & _FAILED:
        yield say(REFUSE)
    if verdicts & _OPEN:
        yield say(UNKNOWN)
    yield say(MEANING)


def _code(scans: Sequence[Scan]) -> int:
    verdicts = {found.verdict for found in scans}
    if verdicts & _FAILED:
        return EXIT_GATE_FAILED
    return EXIT_UNDECIDED if verdicts & _OPEN else EXIT_OK
