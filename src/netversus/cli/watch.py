"""`netversus watch`: follow a run that another process writes, from its folder alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from netversus.api import Run
from netversus.browse.interim import mark
from netversus.browse.live import CellNow, LiveRun, Phase, Snapshot, State
from netversus.cli.progress import LINE_EVERY_SECONDS, begun, outcome_line
from netversus.cli.terminal import console, run_command, table
from netversus.errors import EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK
from netversus.execute.passes import Pass
from netversus.files import LocalFiles
from netversus.messages import in_a_row, say, speaking
from netversus.quantities import duration
from netversus.records import Done
from netversus.report import build_view
from netversus.store import RunStore

EVERY_SECONDS, EVERY_SECONDS_REMOTE = 1.0, 5.0
_STYLES = {State.FAILED: "bold red", State.RUNNING: "bold", State.DONE: "green", State.STOPPED: "yellow"}

Show = Callable[[Snapshot], None]


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_watch, "watch", arguments)


def _watch(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run folder, or its address in an object store.")],
    every: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds between two looks; 1, or 5 where the run is in a store.")
    ] = None,
    lang: Annotated[str, typer.Option(help="Language: en, or zh for Chinese.")] = "en",
) -> int:
    """Follow a run until it ends. Reads the run folder only: the run neither knows nor minds."""
    store = RunStore.open(run)
    pause = every or (EVERY_SECONDS if isinstance(store.files, LocalFiles) else EVERY_SECONDS_REMOTE)
    with speaking(lang):
        return _watched(console(), store, pause)


def _watched(screen: Console, store: RunStore, pause: float) -> int:
    """Follow it, and say what came of it."""
    try:
        with _display(screen, store.place) as show:
            last = _follow(LiveRun(store), show, pause)
    except KeyboardInterrupt:
        screen.print(say("no longer watching; the run goes on"), markup=False)
        return EXIT_INTERRUPTED
    return _end(screen, store, last)


def _follow(live: LiveRun, show: Show, pause: float) -> Snapshot:
    """Look until the run is over. Two looks must say so: between two processes of one run nobody holds it."""
    over = False
    while True:
        snapshot = live.look()
        show(snapshot)
        if snapshot.over and (over or snapshot.phase is Phase.ENDED):
            return snapshot
        over = snapshot.over
        time.sleep(pause)


def _end(screen: Console, store: RunStore, last: Snapshot) -> int:
    """What came of it. Returns the exit code."""
    if last.phase is Phase.STOPPED:
        screen.print(_stopped(store.place, planned=last.plan is not None), markup=False, soft_wrap=True)
        return EXIT_INCOMPLETE
    screen.print(build_view(store, Run(store).findings).headline, markup=False, soft_wrap=True, style="bold")
    told = say("the run has ended; its report: netversus report {place}", place=store.place)
    screen.print(told, markup=False, soft_wrap=True)
    if not last.complete:
        told = say("incomplete: retry what failed with: netversus compare --resume {place}", place=store.place)
        screen.print(told, markup=False, soft_wrap=True)
    return EXIT_OK if last.complete else EXIT_INCOMPLETE


def _stopped(place: str, *, planned: bool) -> str:
    """What is said of a run that nobody works on."""
    if planned:
        return say(
            "nobody is at work on {place}: it was stopped (go on with: netversus compare --resume {place})", place=place
        )
    return say(
        "nobody is at work on {place}: it was stopped before it was planned (start the comparison again)", place=place
    )


def _display(screen: Console, place: str) -> AbstractContextManager[Show]:
    """What suits where the output goes: one picture that is drawn anew, or lines."""
    if screen.is_terminal:
        return _Picture(screen, place)
    return nullcontext(_Lines(screen, place))


class _Picture(AbstractContextManager[Show]):
    """The cells as a table, and what is known of them below."""

    def __init__(self, screen: Console, place: str) -> None:
        self.place = place
        self._live = Live(console=screen, auto_refresh=False)

    def __enter__(self) -> Show:
        self._live.start()
        return lambda snapshot: self._live.update(self._drawn(snapshot), refresh=True)

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _drawn(self, snapshot: Snapshot) -> RenderableType:
        rows = [_row(each) for each in snapshot.cells]
        title = say("{place}: {phase}", place=self.place, phase=say(snapshot.phase.value))
        columns = (say("study"), say("contenders"), say("seed"), say("state"), say("observations"), "")
        grid = table(title, columns, rows)
        for row, each in zip(grid.rows, snapshot.cells, strict=True):
            row.style = _STYLES.get(each.state)
        lines = (Text(line) for line in (snapshot.words, *_running(snapshot), *_unknown(snapshot)))
        return Group(grid, *lines) if rows else Group(*lines)


def _row(each: CellNow) -> tuple[str, ...]:
    seen = f"{each.observations:,}" if each.observations else ""
    words = each.words or (say("about {time}", time=duration(each.cell.seconds)) if each.cell.seconds else "")
    names, state = in_a_row(each.cell.contenders), say(each.state.value)
    return each.cell.study, names, str(each.cell.seed), state, seen, words


class _Lines:
    """A line for every cell that began or ended, and now and then one for the whole."""

    def __init__(self, screen: Console, place: str) -> None:
        self.screen = screen
        self._states: dict[str, State] = {}
        self._told = -LINE_EVERY_SECONDS
        self._say(say("run folder: {place}", place=place))

    def __call__(self, snapshot: Snapshot) -> None:
        changed = [each for each in snapshot.cells if self._states.get(each.cell.key, State.WAITING) is not each.state]
        for each in changed:
            self._states[each.cell.key] = each.state
            self._say(_line(each))
        now = time.monotonic()
        if changed or now - self._told >= LINE_EVERY_SECONDS:
            first = self._told < 0
            self._told = now
            for line in (snapshot.words, *_running(snapshot), *(_unknown(snapshot) if first else ())):
                self._say(line)

    def _say(self, line: str) -> None:
        self.screen.print(line, markup=False, soft_wrap=True)


def _line(each: CellNow) -> str:
    if each.outcome is not None:
        seconds = each.outcome.seconds if isinstance(each.outcome, Done) else 0.0
        return outcome_line(Pass((each.cell,)), each.outcome, seconds)
    return begun(say(each.state.value), Pass((each.cell,)).label)


def _running(snapshot: Snapshot) -> Iterator[str]:
    """The primary questions, marked as what they are."""
    for each in snapshot.interim:
        yield say("{mark}: {question}: {words}", mark=mark(), question=each.name, words=each.words)


def _unknown(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.busy is None and not snapshot.over:
        yield say(
            "whether a process is at work on the run cannot be told on this system: it is watched until all has ended"
        )
