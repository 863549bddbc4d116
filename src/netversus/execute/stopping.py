"""When a sequential study may stop: every pair of contenders is decided on the primary question, at the error rate
that the plan leaves it. Looks as often as the study asks; loads no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from netversus.messages import noted
from netversus.plan import Plan, reading_of
from netversus.records import Cell, Observations, Question, Role, Scale
from netversus.statistics.sequential import SequentialComparison
from netversus.store import RunStore


@dataclass
class _Duel:
    """Two contenders that are being read side by side. `read` counts the units that were compared."""

    a: str
    b: str
    sequential: SequentialComparison
    read: int = 0

    @property
    def decided(self) -> bool:
        return self.sequential.decided_at is not None


@dataclass
class Stopping:
    """Follows what a study observes. Without duels it never says that it is enough.

    `available` is the number of units there are to read; `look` how many are read between two looks.
    """

    metric: str = ""
    look: int = 1
    available: int = 0
    duels: tuple[_Duel, ...] = ()
    _values: dict[str, list[float]] = field(default_factory=dict)
    _units: dict[str, list[str]] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def observed(self, observations: Observations) -> None:
        """Take in what was seen, in the order in which it was read; what a resumed cell sees again counts once."""
        if observations.metric != self.metric or not self.duels:
            return
        who = observations.contender
        for unit, value in zip(observations.units, observations.values, strict=True):
            if (who, unit) not in self._seen:
                self._seen.add((who, unit))
                self._units.setdefault(who, []).append(unit)
                self._values.setdefault(who, []).append(value)

    def enough(self) -> bool:
        """Look: whether every pair is decided."""
        for duel in self.duels:
            self._look(duel)
        return self.certain

    @property
    def certain(self) -> bool:
        """Whether every pair was decided at a look that was taken."""
        return bool(self.duels) and all(duel.decided for duel in self.duels)

    def told_of(self, study: str) -> str:
        """After how many units the last pair was decided, as a listener tells it."""
        last = max(duel.sequential.decided_at or 0 for duel in self.duels)
        said = {"n": f"{last:,}", "total": f"{self.available:,}"}
        return noted("{study}: decided after {n} of {total} images", study=study, **said)

    def _look(self, duel: _Duel) -> None:
        """Compare what both have read since the last look, a look's length at a time."""
        a, b = self._values.get(duel.a, []), self._values.get(duel.b, [])
        both = min(len(a), len(b))
        if self._units.get(duel.a, [])[duel.read : both] != self._units.get(duel.b, [])[duel.read : both]:
            return  # not the same units: the analysis will refuse the pair
        # Whole looks only, as the analysis will take them: a batch may lack an image that could not be read.
        while duel.read + self.look <= both and not duel.decided:
            stop = duel.read + self.look
            duel.sequential.observe(np.subtract(b[duel.read : stop], a[duel.read : stop]))
            duel.read = stop


def stopping_for(plan: Plan, store: RunStore, cell: Cell) -> Stopping:
    """What decides whether a cell's study may stop, knowing all that is stored of the cells beside it."""
    reading, question = reading_of(plan, cell.study), _primary(plan, cell.study)
    if reading is None or question is None:
        return Stopping()
    stopping = Stopping(
        metric=question.metric,
        look=reading.look,
        available=reading.available,
        duels=tuple(
            _Duel(
                a.name,
                b.name,
                SequentialComparison(
                    margin=question.margin,
                    direction=question.direction,
                    level=plan.level(question),
                    prior=reading.prior,
                    population=reading.population,
                ),
            )
            for a, b in plan.pairs(cell.study)
        ),
    )
    for observations in _stored(plan, store, cell, question.metric):
        stopping.observed(observations)
    return stopping


def _primary(plan: Plan, study: str) -> Question | None:
    return next(
        (q for q in plan.questions[study] if q.role is Role.PRIMARY and q.scale is Scale.PROPORTION and q.judged), None
    )


def _stored(plan: Plan, store: RunStore, like: Cell, metric: str) -> Iterator[Observations]:
    """What the study's cells hold of a metric already, those of contenders that are done included."""
    for cell in plan.cells:
        if (cell.study, cell.seed, cell.options) == (like.study, like.seed, like.options):
            for (contender, name), sample in store.cell(cell).observations().items():
                if name == metric:
                    yield Observations(contender, metric, tuple(sample.units), tuple(sample.values.tolist()))
