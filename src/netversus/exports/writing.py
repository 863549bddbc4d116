"""Making an export and writing it down: each file whole or not at all, nothing of the user's overwritten unseen."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from netversus.analyse import analyse
from netversus.errors import MissingExtraError, OptionError, RunFolderError, nearest
from netversus.exports.format import Format, Source
from netversus.exports.found import get_format
from netversus.files import write_atomic
from netversus.plan import Plan
from netversus.records import ContenderCard
from netversus.report import build_view
from netversus.store import RunStore


def export(
    store: RunStore, name: str, out: Path, *, contenders: Sequence[str] = (), report: str = ""
) -> tuple[Path, ...]:
    """Write a run in a format, and return the files.

    Args:
        store: the run.
        name: of the format.
        out: a file where the format is one file, else a folder; it is made, and must be empty if it is there.
        contenders: names of those that are exported, where a format is made a contender at a time; all by default.
        report: where readers find the report: an address or a path.

    Raises:
        OptionError: no such format or contender, a name that does not fit, a folder that holds something.
        MissingExtraError: the format needs an optional package.
        RunFolderError: the run is damaged, or the place cannot be written.
    """
    form = get_format(name)
    if form.extra is not None and find_spec(form.extra[0]) is None:
        raise MissingExtraError(*form.extra, f"--as {form.name}")
    _check(form, out, contenders)
    plan = store.plan()
    chosen = _chosen(plan, contenders)
    view = build_view(store, analyse(store))
    made = list(form.files(Source(store, plan, view, chosen, report)))
    if not made:
        raise OptionError(f"there is nothing in {store.place} to export as {form.name}")
    if form.single:
        (_, content), *others = made
        assert not others
        return (_written(out, content),)
    return tuple(_written(out / part, content) for part, content in made)


def _check(form: Format, out: Path, contenders: Sequence[str]) -> None:
    if contenders and not form.by_contender:
        raise OptionError(f"--as {form.name} is of all contenders: --contender does not go with it")
    if form.single and (out.is_dir() or out.suffix.lower() != form.single):
        raise OptionError(f"--as {form.name} is one file: --out must end in {form.single}, got {str(out)!r}")
    if not form.single and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OptionError(
            f"--as {form.name} is a folder of files: {out} holds something already", hint="name a new folder"
        )


def _chosen(plan: Plan, names: Sequence[str]) -> tuple[ContenderCard, ...]:
    known = {card.name: card for card in plan.contenders}
    for name in names:
        if name not in known:
            hint = nearest(name, known) or f"this run has {', '.join(known)}"
            raise OptionError(f"there is no contender {name!r} in the run", hint=hint)
    return tuple(card for card in plan.contenders if not names or card.name in names)


def _written(path: Path, content: bytes) -> Path:
    try:
        write_atomic(path, content)
    except OSError as error:
        raise RunFolderError(f"cannot write {path}: {error.strerror or error}", hint="name another place") from None
    return path
