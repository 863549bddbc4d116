"""Where a contender's time goes: the seconds of each of its top-level parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from netversus.lab.timing.stopwatch import Stopwatch


@dataclass
class _Spent:
    """Nanoseconds of one part; `begun` while it runs."""

    nanoseconds: int = 0
    begun: int = 0


def stage_seconds(model: nn.Module, inputs: Tensor, watch: Stopwatch, rest: str = "rest") -> dict[str, float]:
    """One forward pass: seconds of each top-level part that ran, in the order in which they first ran, and as `rest`
    what the network does between them: additions, reshapes, Python.

    The device is waited for between the parts, so on an accelerator their sum is more than an undivided pass takes.
    Empty for a contender whose parts cannot be seen: a graph of another runtime, a compiled network.
    """
    spent: dict[str, _Spent] = {}
    with _watched(_trunk(model), spent, watch):
        total = watch.seconds(lambda: model(inputs))
    if not spent:
        return {}
    seconds = {name: part.nanoseconds / 1e9 for name, part in spent.items()}
    return {**seconds, rest: max(0.0, total - sum(seconds.values()))}


def _trunk(model: nn.Module) -> nn.Module:
    """The network inside wrappers that hold nothing but it."""
    while not _compiled(model) and len(inner := list(model.children())) == 1 and list(inner[0].children()):
        model = inner[0]
    return model


def _compiled(model: nn.Module) -> bool:
    """Whether it is torch.compile's: hooks inside it would have it compiled anew."""
    return hasattr(model, "_orig_mod")


@contextmanager
def _watched(trunk: nn.Module, spent: dict[str, _Spent], watch: Stopwatch) -> Iterator[None]:
    """Hooks before and after each part."""
    parts = () if _compiled(trunk) else trunk.named_children()
    with ExitStack() as stack:
        for name, part in parts:
            before, after = _hooks(name, spent, watch)
            stack.callback(part.register_forward_pre_hook(before).remove)
            stack.callback(part.register_forward_hook(after).remove)
        yield


def _hooks(name: str, spent: dict[str, _Spent], watch: Stopwatch) -> tuple[Callable[..., None], Callable[..., None]]:
    def before(*_: object) -> None:
        spent.setdefault(name, _Spent()).begun = watch.mark()

    def after(*_: object) -> None:
        spent[name].nanoseconds += watch.mark() - spent[name].begun

    return before, after
