"""How a comparison is watched: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from netversus.execute.passes import Pass, first_names
from netversus.messages import say, told
from netversus.plan import Plan
from netversus.quantities import duration
from netversus.records import Done, Failed, Outcome
from netversus.records import Progress as Step

LINE_EVERY_SECONDS = 15.0
_WORD = 8  # columns of the word at a line's beginning


def listener_for(console: Console) -> PlainListener | RichListener:
    """The listener that suits where the output goes."""
    return RichListener(console) if console.is_terminal else PlainListener(console)


def outcome_line(work: Pass, outcome: Outcome, seconds: float) -> str:
    """How one cell ended, in a line, in the language in force."""
    names = next((first_names(cell.contenders) for cell in work.cells if cell.key == outcome.cell), "")
    if isinstance(outcome, Done):
        word, n = say("done"), f"{outcome.observations:,}"
        what = say("{n} observations, {time}", n=n, time=duration(seconds))
    elif isinstance(outcome, Failed):
        word, what = say("FAILED"), outcome.error
    else:
        word, what = say("skipped"), told(outcome.reason)
    return begun(word, say("{study} of {names}: {what}", study=work.study, names=names, what=what))


def begun(word: str, line: str) -> str:
    """A line that begins with a word of its own column; an ideograph takes two places of a terminal."""
    return f"{set_cell_size(word, max(_WORD, cell_len(word)))} {line}"


class PlainListener:
    """A line now and then, with the share done and the time left."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.place: str | None = None
        self._begin = self._last = time.monotonic()

    def opened(self, place: str) -> None:
        """Remember where the run lies, to say so when it is interrupted."""
        self.place = place
        self.console.print(f"run folder: {place}", markup=False)

    def planned(self, plan: Plan) -> None:
        """Say how long it will take."""
        self.console.print(f"planned: {len(plan.cells)} cells, about {duration(plan.cost.seconds)}", markup=False)
        for cut in plan.cuts:
            self.console.print(f"cut to fit the budget: {cut}", markup=False)

    def started(self, work: Pass, number: int, of: int) -> None:
        """A pass begins."""
        self._begin = self._last = time.monotonic()
        about = f", about {duration(work.seconds)}" if work.seconds else ""
        self.console.print(f"[{number}/{of}] {work.label}{about}", markup=False)

    def progressed(self, work: Pass, progress: Step) -> None:  # noqa: ARG002
        """A line if the last one is a while ago."""
        now = time.monotonic()
        if now - self._last < LINE_EVERY_SECONDS or not progress.done:
            return
        self._last = now
        left = (now - self._begin) * (progress.total - progress.done) / progress.done
        share = 100 * progress.done / progress.total
        what = f" {progress.what}" if progress.what else ""
        self.console.print(
            f"         {progress.done:,.0f} of {progress.total:,.0f}{what} ({share:.0f} %), {duration(left)} left",
            markup=False,
        )

    def ended(self, work: Pass, outcome: Outcome, seconds: float) -> None:
        """How a cell ended."""
        self.console.print(outcome_line(work, outcome, seconds), markup=False)

    def noted(self, line: str) -> None:
        """A line for the reader."""
        self.console.print(line, markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


class RichListener(PlainListener):
    """The same lines above one live bar."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def started(self, work: Pass, number: int, of: int) -> None:
        """A pass begins: a fresh bar."""
        super().started(work, number, of)
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(work.study, total=None)

    def progressed(self, work: Pass, progress: Step) -> None:
        """The bar moves."""
        if self._task is not None:
            description = f"{work.study} · {progress.what}" if progress.what else work.study
            self._progress.update(self._task, completed=progress.done, total=progress.total, description=description)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
