"""`netversus recommend`: limits and priorities in, a contender out, from a stored run. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from netversus.cli.terminal import console, run_command, table
from netversus.decide.choice import Field
from netversus.decide.priorities import (
    Priorities,
    default_weights,
    parse_limits,
    parse_weights,
    refuse_unweighable,
)
from netversus.decide.recommend import Recommendation, field_of, recommend
from netversus.errors import OptionError
from netversus.messages import catalogue, in_a_row, say, speaking, template
from netversus.report.priorities import answer, flip_text, row
from netversus.store import RunStore

COLUMNS = (
    template("contender"),
    template("keeps the limits"),
    template("steps behind"),
    template("best, probably"),
    template("on the Pareto front"),
)
EXPLAINED = template(
    "A step of quality is the question's practical margin, a step of cost is a halving (a doubling of throughput); a "
    "weight says how much a step is worth. A lead is certain at {level} % confidence; the uncertainties of several "
    "questions are added, as if all of them went together; probabilities rest on the intervals' normal approximation."
)


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_recommend, "recommend", arguments)


def _recommend(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run folder, or its address in an object store.")],
    at_least: Annotated[
        list[str] | None, typer.Option(help="A limit that must be reached, as accuracy.top1=75%; may be repeated.")
    ] = None,
    at_most: Annotated[
        list[str] | None, typer.Option(help="A limit not to be passed, as speed.latency_p95=20ms; may be repeated.")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(help="What a step on a question is worth, as speed.latency=0.5. Default: the primary question."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    lang: Annotated[str, typer.Option(help="Language of sentences: en, or zh for Chinese.")] = "en",
) -> int:
    """Say which contender fits, how surely, and what would change that: exit 0 certain, 4 undecided, 3 none
    fits, 5 one was not measured."""
    catalogue(lang)  # one that does not exist is refused, also where only JSON is printed
    store = RunStore.open(run)
    plan = store.plan()
    limits = parse_limits(plan, at_least or (), at_most or ())
    asked = parse_weights(plan, weight or ())
    field = field_of(store, plan)
    refuse_unweighable(field.axes, asked)
    priorities = Priorities(asked or default_weights(field.axes), limits)
    if not any(priorities.weights.values()):
        raise OptionError("nothing has a weight", hint="give one, such as --weight accuracy.top1=1")
    found = recommend(field, priorities)
    if as_json:
        print(json.dumps(_document(priorities, found), indent=1, allow_nan=False, ensure_ascii=False))
    else:
        with speaking(lang):
            _print(field, priorities, found)
    return found.exit_code


def _document(priorities: Priorities, found: Recommendation) -> dict[str, Any]:
    return {
        "schema": 1,
        "weights": dict(priorities.weights),
        "limits": [asdict(limit) for limit in priorities.limits],
        "choice": found.choice,
        "certain": found.certain,
        "exit_code": found.exit_code,
        "contenders": [asdict(option) for option in found.options],
        "flips": [asdict(flip) for flip in found.flips],
    }


def _print(field: Field, priorities: Priorities, found: Recommendation) -> None:
    screen = console()
    weights = in_a_row(f"{name} {weight:g}" for name, weight in priorities.weights.items() if weight)
    rows = [row(option) for option in found.options]
    screen.print(table(say("Weights: {weights}", weights=weights), tuple(map(say, COLUMNS)), rows))
    screen.print(answer(priorities, found), markup=False, style="bold")
    for flip in found.flips:
        screen.print(f"  {flip_text(field, flip)}", markup=False)
    screen.print(say(EXPLAINED, level=f"{100 * field.level:.4g}"), markup=False, style="dim")
