"""What lies on the stack of the simulated unpickler. Nothing here is an object of the file: each stands for one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netversus.lab.artifacts.claims import StorageClaim, TensorClaim
from netversus.lab.artifacts.findings import Verdict, printable
from netversus.messages import noted, template


@dataclass(eq=False, slots=True)
class GlobalRef:
    """A global that was named, and what is thought of it."""

    module: str
    name: str
    at: int
    verdict: Verdict

    @property
    def whole(self) -> str:
        """Module and name."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Pairs:
    """A dictionary, or one of its kin (`kind`): pairs in order, since its keys may be anything."""

    items: list[tuple[Any, Any]] = field(default_factory=list)
    kind: str = "dict"


@dataclass(eq=False, slots=True)
class Bag:
    """A set."""

    items: list[Any] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Instance:
    """What an allowed global made, where the scan needs no more than its name, arguments and state."""

    kind: str
    args: tuple[Any, ...] = ()
    state: Any = None


@dataclass(eq=False, slots=True)
class Unknown:
    """What a refused call would return."""

    origin: str = ""


_TUPLES = (
    "()",
    template("({first})"),
    template("({first}, {second})"),
    template("({first}, {second}, {third})"),
    template("({first}, {second}, {third}, …)"),
)
Tensor = TensorClaim
Storage = StorageClaim


def get(pairs: Any, key: str, otherwise: Any = None) -> Any:
    """The last value of a key in `Pairs`."""
    found = otherwise
    for name, value in pairs.items if isinstance(pairs, Pairs) else ():
        if isinstance(name, str) and name == key:
            found = value
    return found


def show(value: Any, most: int = 60) -> str:
    """A value in a few words, for a line of evidence."""
    match value:
        case str() | bytes():
            return repr(value[:most]) + ("…" if len(value) > most else "")
        case bool() | int() | float() | None:
            return repr(value) if not isinstance(value, int) or abs(value) < 10**30 else noted("a huge number")
        case GlobalRef():
            return printable(value.whole, most)
        case tuple():
            shown = {name: show(each, 20) for name, each in zip(("first", "second", "third"), value, strict=False)}
            return noted(_TUPLES[min(len(value), 4)], **shown)
        case Unknown():
            return (
                noted("what {origin} returns", origin=printable(value.origin, most))
                if value.origin
                else noted("an unknown value")
            )
        case _:
            known = {list: noted("a list"), Pairs: noted("a dictionary"), Bag: noted("a set")}
            return known.get(type(value), noted("an object"))
