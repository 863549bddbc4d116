"""How a comparison is watched: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from netversus.execute.passes import Pass, first_names
from netversus.plan import Plan
from netversus.quantities import duration
from netversus.records import Done, Failed, Outcome
from netversus.records import Progress as Step

LINE_EVERY_SECONDS = 15.0


def listener_for(console: Console) -> PlainListener | RichListener:
    """The listener that suits where the output goes."""
    return RichListener(console) if console.is_terminal else PlainListener(console)


def outcome_line(work: Pass, outcome: Outcome, seconds: float) -> str:
    """How one cell ended, in a line."""
    names = next((first_names(cell.contenders) for cell in work.cells if cell.key == outcome.cell), "")
    if isinstance(outcome, Done):
        return f"done     {work.study} of {names}: {outcome.observations:,} observations, {duration(seconds)}"
    if isinstance(outcome, Failed):
        return f"FAILED   {work.study} of {names}: {outcome.error}"
    return f"skipped  {work.study} of {names}: {outcome.reason}"


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
