"""`netversus compare`: the whole comparison."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from netversus.api import Run, prepare, resume, start
from netversus.cli.planned import print_plan
from netversus.cli.progress import listener_for
from netversus.cli.study_options import help_lines, split_study_options
from netversus.cli.terminal import console, run_command, table
from netversus.decide.amounts import Ask, parse_amount
from netversus.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK, OptionError, UsageError, nearest
from netversus.execute.executor import Placement, placement
from netversus.messages import catalogue, say, speaking
from netversus.report import build_view
from netversus.request import Request, make_request, read_toml
from netversus.studies import find_studies


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    rest, options = split_study_options(arguments)
    if "--help" in rest:
        run_command(_command({}), "compare", rest)
        print(help_lines())
        return EXIT_OK
    return run_command(_command(options), "compare", rest)


def parse_margins(pairs: Sequence[str]) -> dict[str, float]:
    """The margins of "study.metric=amount" pairs, a bare number being in the unit in which the metric is stored.

    Raises:
        OptionError: a pair is of another form, names no question, or an amount that its question cannot have.
    """
    known = {f"{study.name}.{each.metric}": each for study in find_studies().values() for each in study.questions}
    margins = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise OptionError(f"--margin must be study.metric=amount, such as accuracy.top1=1%, got {pair!r}")
        if name not in known:
            raise OptionError(f"--margin {pair}: there is no question {name!r}", hint=nearest(name, known))
        try:
            margins[name] = parse_amount(text, Ask(known[name], "margin"))
        except ValueError as error:
            raise OptionError(f"--margin {pair}: {error}") from None
    return margins


def merged(below: Any, above: dict[str, dict[str, Any]]) -> Any:
    """The study options of a file with those of flags laid over them."""
    if not isinstance(below, dict):
        return below  # of a wrong type: the request says so
    return {**below, **{study: {**below.get(study, {}), **values} for study, values in above.items()}}


def _command(options: dict[str, dict[str, Any]]) -> Any:
    def compare(
        contenders: Annotated[
            list[str] | None, typer.Argument(help="Contender specs; resnet50 and resnet101 by default.")
        ] = None,
        data: Annotated[str | None, typer.Option(help="Data: a name, a folder, hf:NAME. Default: digits.")] = None,
        study: Annotated[list[str] | None, typer.Option(help="A study to run; may be repeated.")] = None,
        budget: Annotated[str | None, typer.Option(help="Time that all of it may take: 90s, 5m, 1h30m.")] = None,
        seed: Annotated[int | None, typer.Option(help="Seed from which all others derive.")] = None,
        repeats: Annotated[int | None, typer.Option(help="Training seeds.")] = None,
        level: Annotated[float | None, typer.Option(help="Confidence level, 0.95 by default.")] = None,
        margin: Annotated[
            list[str] | None,
            typer.Option(
                help="The least difference that matters: accuracy.top1=1%, speed.latency=5%; may be repeated."
            ),
        ] = None,
        device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
        engine: Annotated[
            str | None, typer.Option(help="How networks are run: auto, or a name from: netversus list engines.")
        ] = None,
        baseline: Annotated[
            str | None, typer.Option(help="Compare the others with this contender only, not every pair.")
        ] = None,
        primary: Annotated[
            str | None, typer.Option(help="study.metric on which the verdict rests; accuracy.top1 by default.")
        ] = None,
        stop_when_decided: Annotated[
            bool, typer.Option("--stop-when-decided", help="Stop reading images once the primary verdict is certain.")
        ] = False,
        stop_about: Annotated[
            str | None, typer.Option(help="An early verdict is about the population (default) or this benchmark.")
        ] = None,
        stop_prior: Annotated[
            float | None, typer.Option(help="Of the sequential test: 50 for gaps of a point, 10 for over three.")
        ] = None,
        strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad file.")] = False,
        config: Annotated[Path | None, typer.Option(help="TOML file with the same settings.")] = None,
        out: Annotated[
            str | None, typer.Option(help="Run folder, or an address such as s3://bucket/run; one is added to.")
        ] = None,
        resume: Annotated[str | None, typer.Option(help="Run folder or address to go on with.")] = None,
        workers: Annotated[int, typer.Option(help="Worker processes, one accelerator each; 0: this process.")] = 0,
        on: Annotated[
            str, typer.Option(help="local-cluster, tcp://scheduler:8786, a scheduler file .json, slurm or pbs.")
        ] = "",
        lang: Annotated[
            str, typer.Option(help="Language of what is said and of the report: en, or zh for Chinese.")
        ] = "en",
        open_report: Annotated[bool, typer.Option("--open", help="Open the report in the browser at the end.")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    ) -> int:
        """Compare two or more contenders on the same images, and say which is better and how sure we are."""
        screen = console()
        catalogue(lang)  # one that does not exist is refused before anything slow happens
        given = {
            "contenders": tuple(contenders) if contenders else None,
            "data": data,
            "studies": tuple(study) if study else None,
            "budget": budget,
            "seed": seed,
            "repeats": repeats,
            "level": level,
            "margins": parse_margins(margin) if margin else None,
            "device": device,
            "engine": engine,
            "baseline": baseline,
            "primary": primary,
            "stop_when_decided": stop_when_decided or None,
            "stop_about": stop_about,
            "stop_prior": stop_prior,
            "strict": strict or None,
        }
        flags = {key: value for key, value in given.items() if value is not None}
        if resume is not None:
            files = [name for name, value in (("config", config), ("out", out)) if value is not None]
            _refuse_another_plan([*flags, *files], options)
            return _watched(screen, None, resume, placement(on, workers), lang, open_report)
        values = (read_toml(config) if config else {}) | flags
        request = make_request(values | {"options": merged(values.get("options", {}), options)})
        if dry_run:
            plan = prepare(request).nominal_plan()
            with speaking(lang):
                print_plan(screen, plan)
            return EXIT_OK
        return _watched(screen, request, out, placement(on, workers), lang, open_report)

    return compare


def _refuse_another_plan(flags: Sequence[str], options: Mapping[str, Mapping[str, Any]]) -> None:
    """What a run measures was planned before its data were seen; a resume does not change it unsaid."""
    words = {"studies": "study", "margins": "margin"}
    given = [f"--{words.get(name, name).replace('_', '-')}" for name in flags if name != "contenders"]
    given += [f"--{study}.{name}" for study, values in options.items() for name in values]
    given += ["contenders"] if "contenders" in flags else []
    if given:
        raise UsageError(
            f"--resume goes on with the plan that the run has, and takes no {', '.join(given)}",
            hint="leave that out; to measure more into the same run, compare anew with --out naming its folder",
        )


def _watched(
    screen: Console, request: Request | None, path: str | None, place: Placement, lang: str, open_report: bool
) -> int:
    """Run or resume under a listener; end with the verdicts and where the report lies."""
    with listener_for(screen, lang) as listener:
        try:
            if request is None:
                assert path is not None
                run = resume(path, place=place, listener=listener)
            else:
                run = start(request, out=path, place=place, listener=listener)
        except KeyboardInterrupt:
            with speaking(lang):
                screen.print(_interrupted(listener.place), markup=False)
            return EXIT_INTERRUPTED
    with speaking(lang):
        _print_verdicts(screen, run)
        report = run.report(lang=lang)
        screen.print(say("report: {place}", place=report), markup=False)
        if open_report:
            _open(screen, report)
        if not run.complete:
            told = say("incomplete: retry what failed with: netversus compare --resume {place}", place=run.place)
            screen.print(told, markup=False)
    return EXIT_OK if run.complete else EXIT_INCOMPLETE


def _interrupted(place: str | None) -> str:
    """What is said of a run that was stopped, if it came to be one."""
    if place is None:
        return say("interrupted; nothing was run")
    return say("interrupted; go on with: netversus compare --resume {place}", place=place)


def _open(screen: Console, report: Path | str) -> None:
    """A report in an object store has no address that a browser knows."""
    if not isinstance(report, Path) or not webbrowser.open(report.absolute().as_uri()):
        screen.print(say("no browser could be opened on it here"), markup=False)


def _print_verdicts(screen: Console, run: Run) -> None:
    view = build_view(run.store, run.findings)
    rows = [
        (f.study, f.metric, f"{f.a} / {f.b}", say(f.verdict.value), f.sentence)
        for f in view.findings
        if not f.slice and f.role != "descriptive"
    ]
    screen.print()
    columns = (say("study"), say("metric"), "A / B", say("verdict"), say("in words"))
    screen.print(table(say("Verdicts"), columns, rows))
    screen.print(view.headline, markup=False, style="bold")
