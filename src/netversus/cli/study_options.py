"""Flags of the form `--study.option VALUE`, made from what the studies declare: no list of them is kept anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netversus.errors import OptionError, nearest
from netversus.studies import find_studies, get_study
from netversus.study import Options


def split_study_options(words: Sequence[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """The words without the study flags, and the flags' values by study and option, still as text.

    Raises:
        OptionError: a flag names a study or an option that does not exist, or lacks its value.
    """
    rest: list[str] = []
    values: dict[str, dict[str, Any]] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        flag, equals, value = word.partition("=")
        if not flag.startswith("--") or "." not in flag:
            rest.append(word)
            continue
        study, _, option = flag[2:].partition(".")
        option = _known(study, option.replace("-", "_"))
        if not equals and not waiting:
            raise OptionError(f"{flag} needs a value")
        values.setdefault(study, {})[option] = value if equals else waiting.pop(0)
    return rest, values


def _known(study: str, option: str) -> str:
    fields = get_study(study).options.model_fields
    if option not in fields:
        hint = nearest(option, fields) or f"its options are {', '.join(fields) or 'none'}"
        raise OptionError(f"study {study} has no option {option!r}", hint=hint)
    return option


def described(options: type[Options]) -> Iterable[tuple[str, str, str]]:
    """Each option's name, default and description."""
    for name, field in options.model_fields.items():
        default = "none" if field.default is None else str(field.default)
        yield name.replace("_", "-"), default, field.description or ""


def help_lines() -> str:
    """The study flags, for the end of a help text."""
    lines = ["", "Study options:"]
    for study in find_studies().values():
        for name, default, text in described(study.options):
            lines.append(f"  --{study.name}.{name:<{max(1, 30 - len(study.name))}} {text} [default: {default}]")
    return "\n".join(lines)
