"""The exact command that measures again: what was asked, with the options that the plan settled on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netversus.plan import Plan, settled_options
from netversus.request import Request
from netversus.studies import find_studies


def rerun_command(plan: Plan, study: str = "") -> str:
    """The command for the whole plan, or for one study and those whose weights it needs.

    A budget is not repeated: what it cut is said as options, so that the same is measured on a machine of any speed.
    """
    request = plan.request
    studies = _with_providers(plan, study) if study else request.studies
    words = ["netversus", "compare", *request.contenders, "--data", request.data, "--seed", str(request.seed)]
    words += [word for name in studies for word in ("--study", name)]
    words += list(_settings(request, studies if study else plan.questions))
    options = settled_options(plan)
    for name in options if not study else [s for s in plan.questions if s in studies]:
        words += list(_options(name, options.get(name, {})))
    return " ".join(shlex.quote(word) for word in words)


def _with_providers(plan: Plan, study: str) -> tuple[str, ...]:
    """The study and, before it, those that train the weights that its cells need."""
    cells = {cell.key: cell for cell in plan.cells}
    needed = {cells[key].study for cell in plan.cells if cell.study == study for key in cell.after if key in cells}
    return tuple(name for name in plan.questions if name == study or name in needed)


def _settings(request: Request, studies: Iterable[str]) -> Iterator[str]:
    """The settings that are not the default ones; margins of the studies named only."""
    defaults = Request()
    for name in ("repeats", "level", "device"):
        if getattr(request, name) != getattr(defaults, name):
            yield from (f"--{name}", str(getattr(request, name)))
    kept = set(studies)
    for question, margin in request.margins.items():
        if question.partition(".")[0] in kept:
            yield from ("--margin", f"{question}={margin:g}")
    if request.strict:
        yield "--strict"


def _options(study: str, options: Mapping[str, Any]) -> Iterator[str]:
    """A study's options that differ from its defaults; all of them where the study is no longer installed."""
    found = find_studies().get(study)
    fields = found.options.model_fields if found else {}
    for name, value in options.items():
        known = name in fields and value == _plain(fields[name].default)
        if not known and value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            yield from (f"--{study}.{name.replace('_', '-')}", text)


def _plain(value: Any) -> Any:
    """A default as it is stored: JSON has lists only."""
    return list(value) if isinstance(value, tuple | set | frozenset) else value
