"""What a run is doing now, told from its folder alone: another process writes it. Nothing here writes.

A part of the observations is read once; of a cell that is done nothing is asked again. Each look costs a listing and
two small reads for every cell that has not ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np

from netversus.browse.interim import Interim, Values, interim
from netversus.execute.passes import Pass, passes
from netversus.messages import clauses, in_a_row, say, template, told
from netversus.plan import Plan
from netversus.quantities import duration
from netversus.records import Cell, Done, Failed, Outcome, Question, Role, Skipped
from netversus.statistics.pairing import Sample
from netversus.store import RunStore


class State(StrEnum):
    """Where a cell stands."""

    DONE = "done"
    RUNNING = "running"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAITING = "waiting"
    STOPPED = "stopped"  # begun, and nobody is at work on it


class Phase(StrEnum):
    """Where a run stands."""

    PLANNING = "planning"
    RUNNING = "running"
    JUDGING = "judging"  # every cell has ended, the process has not
    ENDED = "ended"
    STOPPED = "stopped"  # nobody is at work, and not every cell has ended


_COUNTED = {
    State.RUNNING: template("{n} running"),
    State.FAILED: template("{n} failed"),
    State.SKIPPED: template("{n} skipped"),
    State.WAITING: template("{n} waiting"),
    State.STOPPED: template("{n} stopped"),
}


@dataclass(frozen=True, slots=True)
class CellNow:
    """A cell, where it stands, and the observations that are stored of it (rows: a unit that two processes saw counts
    twice until the cell is done)."""

    cell: Cell
    state: State
    observations: int
    outcome: Outcome | None = None

    @property
    def words(self) -> str:
        """What there is to say of how it ended."""
        if isinstance(self.outcome, Failed):
            return self.outcome.error
        if isinstance(self.outcome, Skipped):
            return told(self.outcome.reason)
        return duration(self.outcome.seconds) if isinstance(self.outcome, Done) else ""


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """An estimate: the plan's, times what the finished cells took of theirs. `factor` is None where none finished."""

    seconds: float
    factor: float | None

    @property
    def words(self) -> str:
        """The same in words."""
        if self.seconds < 1:
            return say("longer than estimated: it may end at any moment")
        how = (
            say("by the plan")
            if self.factor is None
            else say("what is done took {factor} times its estimate", factor=f"{self.factor:.2g}")
        )
        return say("about {time} left ({how})", time=duration(self.seconds), how=how)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment. `busy` is None where it cannot be told whether a process is at work."""

    plan: Plan | None
    phase: Phase
    busy: bool | None
    cells: tuple[CellNow, ...] = ()
    left: TimeLeft | None = None
    interim: tuple[Interim, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in (Phase.ENDED, Phase.STOPPED)

    @property
    def complete(self) -> bool:
        """Whether all that could be measured was."""
        return self.phase is Phase.ENDED and not self.count(State.FAILED)

    @property
    def observations(self) -> int:
        """What is stored by now, of all cells."""
        return sum(each.observations for each in self.cells)

    def count(self, state: State) -> int:
        """How many cells stand there."""
        return sum(each.state is state for each in self.cells)

    @property
    def words(self) -> str:
        """One line: cells, observations, time left."""
        if self.plan is None:
            planning = self.phase is Phase.PLANNING
            return say("planning: no cell is known yet") if planning else say("it was never planned")
        done, all_ = f"{self.count(State.DONE):,}", f"{len(self.cells):,}"
        others = [say(words, n=f"{n:,}") for state, words in _COUNTED.items() if (n := self.count(state))]
        cells = in_a_row([say("{done} of {all} cells done", done=done, all=all_), *others])
        left = [self.left.words] if self.left else []
        return clauses([cells, say("{n} observations", n=f"{self.observations:,}"), *left])


@dataclass
class _Stored:
    """What was read of a cell."""

    parts: set[str] = field(default_factory=set)
    rows: int = 0
    values: dict[tuple[str, str], Values] = field(default_factory=dict)
    outcome: Outcome | None = None

    @property
    def closed(self) -> bool:
        """Whether it can change no more: what failed or was skipped may be tried again."""
        return isinstance(self.outcome, Done)


class LiveRun:
    """A run that is looked at again and again."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._stored: dict[str, _Stored] = {}
        self._plan: tuple[str, Plan] | None = None
        self._begun: dict[str, datetime] = {}

    def look(self, now: datetime | None = None) -> Snapshot:
        """Read what is new.

        Raises:
            RunFolderError: a file of the run is damaged.
        """
        busy = self.store.files.busy()
        plan = self._plan_in_force()
        if plan is None:
            return Snapshot(None, Phase.STOPPED if busy is False else Phase.PLANNING, busy)
        followed = {(study, m) for study, asked in plan.questions.items() for q in asked for m in _followed(q)}
        cells = tuple(self._cell(cell, busy, followed) for cell in plan.cells)
        phase = _phase(cells, busy)
        if phase is not Phase.RUNNING:
            return Snapshot(plan, phase, busy, cells)
        left = self._left(plan, cells, now or datetime.now(UTC))
        open_ = {each.cell.study for each in cells if each.outcome is None}
        found = tuple(each for each in self._interim(plan) if each.study in open_)
        return Snapshot(plan, phase, busy, cells, left, found)

    def _plan_in_force(self) -> Plan | None:
        names = self.store.files.names("plans")
        if not names:
            return None
        if self._plan is None or self._plan[0] != names[-1]:
            self._plan = (names[-1], self.store.plan())
        return self._plan[1]

    def _cell(self, cell: Cell, busy: bool | None, followed: set[tuple[str, str]]) -> CellNow:
        stored = self._stored.setdefault(cell.key, _Stored())
        folder = self.store.cell(cell)
        if not stored.closed:
            stored.outcome = folder.outcome()  # before the parts: what is done has flushed all of them
            for part, samples in folder.new_parts(stored.parts):
                stored.parts.add(part)
                for (contender, metric), sample in samples.items():
                    stored.rows += len(sample.units)
                    if (cell.study, metric) in followed:
                        stored.values.setdefault((contender, metric), Values()).add(sample)
        begun = bool(stored.parts) or (stored.outcome is None and folder.files.exists("cell.json"))
        rows = stored.outcome.observations if isinstance(stored.outcome, Done) else stored.rows
        return CellNow(cell, _state(stored.outcome, begun, busy), rows, stored.outcome)

    def _left(self, plan: Plan, cells: Sequence[CellNow], now: datetime) -> TimeLeft:
        """The passes that have not ended, less what the running ones have had."""
        by_key = {each.cell.key: each for each in cells}
        groups = passes([cell for cell in plan.cells if not cell.blocked], lambda _: False)
        done = [(p.seconds, took) for p in groups if (took := _took(p, by_key)) is not None and p.seconds > 0]
        planned = sum(seconds for seconds, _ in done)
        factor = sum(took for _, took in done) / planned if planned else None
        left, running = 0.0, 0
        for each in groups:
            states = {by_key[cell.key].state for cell in each.cells}
            if states & {State.RUNNING, State.WAITING}:
                had = self._had(each, now, sum(took for _, took in done)) if State.RUNNING in states else 0.0
                running += State.RUNNING in states
                left += max(0.0, each.seconds * (factor or 1.0) - had)
        return TimeLeft(left / max(1, running), factor)

    def _had(self, work: Pass, now: datetime, spent: float) -> float:
        """Seconds that a running pass has had: since it was first seen, or since the process began if that can be
        reckoned back (one session, whose other passes took `spent` seconds)."""
        key = work.cells[0].key
        if key not in self._begun:
            sessions = self.store.sessions()
            began = _moment(sessions[0].started) if len(sessions) == 1 else None
            back = max(0.0, (now - began).total_seconds() - spent) if began else 0.0
            self._begun[key] = datetime.fromtimestamp(now.timestamp() - back, UTC)
        return (now - self._begun[key]).total_seconds()

    def _interim(self, plan: Plan) -> tuple[Interim, ...]:
        """The primary questions, as far as they have been read."""
        values: dict[tuple[str, int, str, str], Sample] = {}
        for cell in plan.cells:
            for (contender, metric), seen in self._stored[cell.key].values.items():
                values[cell.study, cell.seed, contender, metric] = seen.sample()
        return tuple(interim(plan, values))


def _followed(question: Question) -> tuple[str, ...]:
    """The metrics whose values are kept: those of primary questions. Of the others only a count is."""
    return (question.inputs or (question.metric,)) if question.role is Role.PRIMARY else ()


def _state(outcome: Outcome | None, begun: bool, busy: bool | None) -> State:
    if outcome is not None:
        return State(outcome.status)
    if not begun:
        return State.WAITING
    return State.STOPPED if busy is False else State.RUNNING


def _phase(cells: Iterable[CellNow], busy: bool | None) -> Phase:
    if all(each.outcome is not None for each in cells):
        return Phase.JUDGING if busy else Phase.ENDED
    return Phase.STOPPED if busy is False else Phase.RUNNING


def _took(work: Pass, by_key: Mapping[str, CellNow]) -> float | None:
    """Seconds that a pass took; each of its cells says those of the whole. None where not all of it is done."""
    outcomes = [by_key[cell.key].outcome for cell in work.cells]
    took = [outcome.seconds for outcome in outcomes if isinstance(outcome, Done)]
    return float(np.max(took)) if len(took) == len(outcomes) else None


def _moment(stamp: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
