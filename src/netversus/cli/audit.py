"""`netversus audit`: claims held against a run and against published figures. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text as Line

from netversus.claims import (
    Claim,
    ClaimVerdict,
    Judgement,
    Measured,
    article,
    audit,
    measured_by,
    published_figures,
    read_claims,
    read_figures,
    refuse_unknown_questions,
)
from netversus.claims.document import SCHEMA_VERSION, as_document
from netversus.claims.words import by_binding, claim_text, evidence_text, figures_text, verdict_text, why
from netversus.cli.terminal import console, run_command
from netversus.errors import EXIT_GATE_FAILED, EXIT_OK, EXIT_UNDECIDED, OptionError, RunFolderError, nearest
from netversus.exhibits import Exhibit
from netversus.files import write_atomic
from netversus.messages import say, speaking
from netversus.report.claims_section import caveats_text, judgement_exhibits, summary_text
from netversus.report.escape import markdown_text, one_line
from netversus.report.faq import answers, answers_document, faq_exhibits
from netversus.report.markdown import exhibits_text
from netversus.retelling import finding_told
from netversus.store import RunStore
from netversus.studies import find_studies

FORMATS = (".md", ".json")
_COLOURS = {ClaimVerdict.SUPPORTED: "green", ClaimVerdict.CONTRADICTED: "red", ClaimVerdict.UNDECIDED: "yellow"}


class Gate(StrEnum):
    """What the exit code asks of the claims."""

    CONTRADICTED = "contradicted"  # none may be
    SUPPORTED = "supported"  # each has to be


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_audit, "audit", arguments)


def _audit(
    place: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run folder, or its address in an object store.")
    ] = None,
    claims: Annotated[
        Path | None, typer.Argument(metavar="CLAIMS.toml", help="Your claims. Default: the built-in article's.")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="The same as RUN; CLAIMS.toml is then the only word.")
    ] = None,
    out: Annotated[list[Path] | None, typer.Option(help="Where to: .md or .json; may be repeated.")] = None,
    figures: Annotated[
        list[Path] | None, typer.Option(help="A TOML file of published figures beside the built-in ones; repeatable.")
    ] = None,
    data_is: Annotated[
        list[str] | None,
        typer.Option(help='The run\'s data are what claims call so, such as "imagenet-1k"; you vouch for it.'),
    ] = None,
    faq: Annotated[
        bool, typer.Option("--faq", help="Answer the article's four questions from the run instead.")
    ] = False,
    gate: Annotated[
        Gate | None,
        typer.Option(
            help="contradicted: exit 3 where a claim is contradicted. supported: also exit 4 where one that can be "
            "checked is not supported."
        ),
    ] = None,
    lang: Annotated[str, typer.Option(help="Language: en, or zh for Chinese.")] = "en",
) -> int:
    """Hold claims against what a run measured and against published figures."""
    targets = [_checked(target) for target in out or []]
    from netversus.analyse import analyse

    named, criteria = _named(place, claims, run)
    store = RunStore.open(named)
    findings = analyse(store)
    chosen = _claims(criteria, store)
    measured = measured_by(store, findings, chosen, data_is or ())
    cited = (*published_figures(), *(figure for path in figures or [] for figure in read_figures(path)))
    with speaking(lang):
        measured = replace(measured, findings=tuple(map(finding_told, measured.findings)))
        judgements = audit(chosen, measured, cited)
        _show(judgements, measured, faq=faq, quiet=bool(targets))
        for target in targets:
            _write(target, _content(target, store.name, judgements, measured, faq=faq))
            print(target)
    return _code(judgements, gate)


def _named(place: str | None, claims: Path | None, run: str | None) -> tuple[str, Path | None]:
    """The run and the file of claims: where --run names the run, the only word is the file.

    Raises:
        OptionError: no run is named, or two are.
    """
    if run is None:
        if place is None:
            raise OptionError("name a run to hold claims against", hint="netversus audit RUN [CLAIMS.toml]")
        return place, claims
    if claims is not None:
        raise OptionError(f"{place} and --run {run} both name a run", hint="leave out one of the two")
    return run, Path(place) if place else None


def _checked(target: Path) -> Path:
    if target.suffix.lower() not in FORMATS:
        came = f"got {target.suffix!r}" if target.suffix else "got a name without one"
        raise OptionError(f"an audit's name must end in .md or .json, {came}", hint=nearest(target.suffix, FORMATS))
    return target


def _claims(path: Path | None, store: RunStore) -> tuple[Claim, ...]:
    """The user's claims, whose questions somebody has to ask; or the article's, whose studies may not all be here."""
    if path is None:
        return article()
    read = read_claims(path)
    planned = store.plan().questions
    asked = {name: study.questions for name, study in find_studies().items()} | dict(planned)
    refuse_unknown_questions(read, {f"{study}.{q.metric}" for study, questions in asked.items() for q in questions})
    return read


def _show(judgements: Sequence[Judgement], measured: Measured, *, faq: bool, quiet: bool) -> None:
    """On the terminal: all of it, or only the sums where it goes to a file."""
    screen = console()
    if faq:
        if not quiet:
            print(_faq_markdown(measured), end="")
        return
    for judgement in () if quiet else judgements:
        _print(screen, judgement)
    for text in (summary_text(judgements), caveats_text(judgements)):
        if text:
            screen.print(Line(one_line(text)))


def _print(screen: Any, judgement: Judgement) -> None:
    line = Line(verdict_text(judgement.verdict), style=f"bold {_COLOURS.get(judgement.verdict, '')}".strip())
    said = one_line(f"{judgement.claim.id}: {claim_text(judgement.claim)}")
    screen.print(line.append(f"  {said}", style="not bold default"))
    reason = why(judgement)
    lines = [say("here: {evidence}", evidence=evidence_text(each)) for each in judgement.measured.evidence]
    groups = by_binding(judgement.published.evidence)
    lines += [say("published: {evidence}", evidence=figures_text(group)) for group in groups]
    for text in (*lines, *([reason] if reason else [])):
        screen.print(Line(f"    {one_line(text)}", style="dim"))


def _content(target: Path, name: str, judgements: Sequence[Judgement], measured: Measured, *, faq: bool) -> str:
    if target.suffix.lower() == ".json":
        found = {"faq": answers_document(answers(measured.findings, measured.data))} if faq else {}
        held = {} if faq else {"judgements": as_document(judgements)}
        about = {"schema": SCHEMA_VERSION, "run": name, "data": measured.data.name, "data_is": list(measured.called)}
        return json.dumps({**about, **held, **found}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if faq:
        return _faq_markdown(measured)
    title = say("Claims held against {run} on {data}", run=name, data=measured.data.name)
    return _page(title, judgement_exhibits(judgements))


def _faq_markdown(measured: Measured) -> str:
    title = say("Four questions, answered from what was measured on {data}", data=measured.data.name)
    return _page(title, faq_exhibits(measured.findings, measured.data))


def _page(title: str, exhibits: Sequence[Exhibit]) -> str:
    return f"# {markdown_text(title)}\n\n{exhibits_text(exhibits)}\n"


def _write(target: Path, text: str) -> None:
    try:
        write_atomic(target, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise RunFolderError(f"cannot write {target}: {error.strerror or error}", hint="name another place") from None


def _code(judgements: Sequence[Judgement], gate: Gate | None) -> int:
    found = {judgement.verdict for judgement in judgements}
    if gate is not None and ClaimVerdict.CONTRADICTED in found:
        return EXIT_GATE_FAILED
    if gate is Gate.SUPPORTED and found - {ClaimVerdict.SUPPORTED, ClaimVerdict.NOT_CHECKABLE}:
        return EXIT_UNDECIDED
    return EXIT_OK
