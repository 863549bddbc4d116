"""How a comparison is watched: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from netversus.execute.passes import Pass, first_names
from netversus.messages import say, speaking, told
from netversus.plan import Plan
from netversus.quantities import duration
from netversus.records import Done, Failed, Outcome
from netversus.records import Progress as Step

LINE_EVERY_SECONDS = 15.0
_WORD = 8  # columns of the word at a line's beginning


def listener_for(console: Console, lang: str = "en") -> PlainListener | RichListener:
    """The listener that suits where the output goes, speaking `lang`."""
    return RichListener(console, lang) if console.is_terminal else PlainListener(console, lang)


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


def begun(word: str, line: str, width: int = _WORD) -> str:
    """A line that begins with a word of its own column; an ideograph takes two places of a terminal."""
    return f"{set_cell_size(word, max(width, cell_len(word)))} {line}"


def _so_far(progress: Step, left: float) -> str:
    """How far a pass is, and how many seconds are left."""
    so_far = {
        "done": f"{progress.done:,.0f}",
        "total": f"{progress.total:,.0f}",
        "share": f"{100 * progress.done / progress.total:.0f}",
        "left": duration(left),
    }
    if not progress.what:
        return say("{done} of {total} ({share} %), {left} left", **so_far)
    return say("{done} of {total} {what} ({share} %), {left} left", what=told(progress.what), **so_far)


class Pace:
    """How long a count of steps has taken. A pass may count several times, one thing after the other or in turns: each
    count began when the first word of it came, or rather with the word before."""

    def __init__(self, now: float) -> None:
        self._heard = now
        self._began: dict[tuple[str, float], float] = {}

    def left(self, progress: Step, now: float) -> float:
        """The seconds that this count still takes, at its pace so far."""
        began = self._began.setdefault((progress.what, progress.total), self._heard)
        self._heard = now
        return (now - began) * (progress.total - progress.done) / progress.done if progress.done else 0.0


class PlainListener:
    """A line now and then, with the share done and the time left. It speaks its language line by line: what the run
    stores meanwhile is English."""

    def __init__(self, console: Console, lang: str = "en") -> None:
        self.console = console
        self.lang = lang
        self.place: str | None = None
        self._last = time.monotonic()
        self._pace = Pace(self._last)

    def opened(self, place: str) -> None:
        """Remember where the run lies, to say so when it is interrupted."""
        self.place = place
        with speaking(self.lang):
            self._print(say("run folder: {place}", place=place))

    def planned(self, plan: Plan) -> None:
        """Say how long it will take."""
        with speaking(self.lang):
            about = duration(plan.cost.seconds)
            self._print(say("planned: {n} cells, about {time}", n=len(plan.cells), time=about))
            for cut in plan.cuts:
                self._print(say("cut to fit the budget: {cut}", cut=told(cut)))

    def started(self, work: Pass, number: int, of: int) -> None:
        """A pass begins."""
        self._last = time.monotonic()
        self._pace = Pace(self._last)
        with speaking(self.lang):
            what = work.label
            if work.seconds:
                what = say("{what}, about {time}", what=what, time=duration(work.seconds))
            self._print(f"[{number}/{of}] {what}")

    def progressed(self, work: Pass, progress: Step) -> None:  # noqa: ARG002
        """A line if the last one is a while ago."""
        now = time.monotonic()
        left = self._pace.left(progress, now)
        if now - self._last < LINE_EVERY_SECONDS or not progress.done:
            return
        self._last = now
        with speaking(self.lang):
            self._print(f"         {_so_far(progress, left)}")

    def ended(self, work: Pass, outcome: Outcome, seconds: float) -> None:
        """How a cell ended."""
        with speaking(self.lang):
            self._print(outcome_line(work, outcome, seconds))

    def noted(self, line: str) -> None:
        """A line for the reader."""
        with speaking(self.lang):
            self._print(told(line))

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


class RichListener(PlainListener):
    """The same lines above one live bar."""

    def __init__(self, console: Console, lang: str = "en") -> None:
        super().__init__(console, lang)
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
        self._counted = ""

    def started(self, work: Pass, number: int, of: int) -> None:
        """A pass begins: a fresh bar."""
        super().started(work, number, of)
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(work.study, total=None)

    def progressed(self, work: Pass, progress: Step) -> None:
        """The bar moves."""
        if self._task is not None:
            with speaking(self.lang):
                description = f"{work.study} · {told(progress.what)}" if progress.what else work.study
            if progress.what != self._counted:  # another count has a pace of its own
                self._counted = progress.what
                self._progress.reset(self._task)
            self._progress.update(self._task, completed=progress.done, total=progress.total, description=description)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
