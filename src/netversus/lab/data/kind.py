"""The contract of a kind of data: what it is called, what can be set, how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netversus.lab.data.dataset import Dataset
from netversus.study import Options


@dataclass(frozen=True, slots=True)
class Opening:
    """What a kind's `open` is given: a spec that has been understood.

    `spec` is canonical and opens the same data again; `target` is what stood after the colon; `options` is an
    instance of the kind's own options; `seed` is the seed of splits and generators; with `strict` a bad file
    stops the opening.
    """

    spec: str
    target: str
    options: Any
    seed: int
    strict: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of a kind, for people: its name, its default as it would be written, one line."""

    name: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of data. `target` names what stands after the colon ("PATH"); empty where nothing does."""

    name: str
    summary: str
    options: type[Options]
    open: Callable[[Opening], Dataset]
    target: str = ""

    def settings(self) -> tuple[Setting, ...]:
        """The options in the order of their declaration."""
        return tuple(
            Setting(name, _written(field.default), field.description or "")
            for name, field in self.options.model_fields.items()
        )

    @property
    def usage(self) -> str:
        """The spec with every option at its default; `...` where the default is to see for itself."""
        query = "&".join(f"{setting.name}={setting.default or '...'}" for setting in self.settings())
        return self.name + (f":{self.target}" if self.target else "") + (f"?{query}" if query else "")


def _written(default: object) -> str:
    return "" if default is None else str(default)
