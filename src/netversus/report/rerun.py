"""The exact command that measures again: what was asked, with the options that the plan settled on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netversus.plan import Plan, settled_options
from netversus.records import Role
from netversus.request import Request
from netversus.studies import find_studies

_SAID = {"contenders", "data", "studies", "seed", "budget", "options", "margins"}  # in their own way, or not at all
_OF_THE_VERDICT = {"primary", "stop_when_decided", "stop_about", "stop_prior"}


def rerun_command(plan: Plan, study: str = "") -> str:
    """The command for the whole plan, or for one study and those whose weights it needs.

    A budget is not repeated: what it cut is said as options, so that the same is measured on a machine of any speed.
    """
    request = plan.request
    studies = _with_providers(plan, study) if study else request.studies
    words = ["netversus", "compare", *request.contenders, "--data", request.data, "--seed", str(request.seed)]
    words += [word for name in studies for word in ("--study", name)]
    words += list(_settings(plan, studies if study else tuple(plan.questions)))
    options = settled_options(plan)
    for name in options if not study else [s for s in plan.questions if s in studies]:
        words += list(_options(name, options.get(name, {})))
    return " ".join(shlex.quote(word) for word in words)


def _with_providers(plan: Plan, study: str) -> tuple[str, ...]:
    """The study and, before it, those that train the weights that its cells need."""
    cells = {cell.key: cell for cell in plan.cells}
    needed = {cells[key].study for cell in plan.cells if cell.study == study for key in cell.after if key in cells}
    return tuple(name for name in plan.questions if name == study or name in needed)


def _settings(plan: Plan, studies: Sequence[str]) -> Iterator[str]:
    """The settings that are not the default ones, as far as they concern the studies named."""
    decides = any(q.role is Role.PRIMARY for name in studies for q in plan.questions[name])
    said = _SAID if decides else _SAID | _OF_THE_VERDICT
    for name, field in Request.model_fields.items():
        value = getattr(plan.request, name)
        if name not in said and value != field.default:
            flag = f"--{name.replace('_', '-')}"
            yield from (flag,) if value is True else (flag, str(value))
    for question, margin in plan.request.margins.items():
        if question.partition(".")[0] in studies:
            yield from ("--margin", f"{question}={margin}")


def _options(study: str, options: Mapping[str, Any]) -> Iterator[str]:
    """A study's options that differ from its defaults; all of them where the study is no longer installed."""
    found = find_studies().get(study)
    fields = found.options.model_fields if found else {}
    for name, value in options.items():
        known = name in fields and value == _plain(fields[name].default)
        if not known and value is not None:
            yield from (f"--{study}.{name.replace('_', '-')}", _text(value))


def _text(value: Any) -> str:
    """An option's value as a flag takes it: lists as 1,2,4."""
    if isinstance(value, list):
        return ",".join(_text(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def _plain(value: Any) -> Any:
    """A default as it is stored: JSON has lists only."""
    return list(value) if isinstance(value, tuple | set | frozenset) else value
