"""One study's stored evidence, as its `exhibit` function and the analysis see it. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from netversus.plan import Plan, reading_of
from netversus.records import Cell, ContenderCard, DataCard, Question
from netversus.statistics.estimators import with_records
from netversus.statistics.levels import Early, OwnLevel, own_level
from netversus.statistics.pairing import Sample
from netversus.store import CellStore, RunStore
from netversus.studies import is_trained


@dataclass(frozen=True)
class StudyEvidence:
    """What is stored for the cells of one study in the plan in force, finished or not."""

    store: RunStore
    plan: Plan
    study: str

    @cached_property
    def cells(self) -> tuple[tuple[Cell, CellStore], ...]:
        """The study's cells with their folders, in the order of the plan."""
        return tuple((cell, self.store.cell(cell)) for cell in self.plan.cells if cell.study == self.study)

    @property
    def contenders(self) -> Sequence[ContenderCard]:
        """The contenders that have evidence, in the order of the request."""
        seen = {contender for _, contender, _ in self._samples}
        return [card for card in self.plan.contenders if card.name in seen]

    @property
    def data(self) -> DataCard:
        """What the data are."""
        return self.plan.data

    @property
    def seeds(self) -> Sequence[int]:
        """The seeds that were measured."""
        return sorted({seed for seed, _, _ in self._samples})

    @property
    def stops_early(self) -> bool:
        """Whether the units are read until a verdict is certain."""
        return reading_of(self.plan, self.study) is not None

    @cached_property
    def _samples(self) -> Mapping[tuple[int, str, str], Sample]:
        """(seed, contender, metric) -> observations."""
        return {
            (cell.seed, contender, metric): sample
            for cell, stored in self.cells
            for (contender, metric), sample in stored.observations().items()
        }

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        """Observations in stored order; the first seed when none is named; None where there are none."""
        seeds = self.seeds if seed is None else (seed,)
        found = (self._samples.get((s, contender, metric)) for s in seeds)
        return next((sample for sample in found if sample is not None), None)

    def inputs(self, contender: str, question: Question, seed: int) -> Mapping[str, Sample]:
        """What a question takes of one contender and seed, by metric; empty where a part of it is missing.

        Raises:
            PairingError: a unit has no record where the question wants one.
        """
        metrics = question.inputs or (question.metric,)
        found = {m: s for m in metrics if (s := self.series(contender, m, seed)) is not None and len(s.values)}
        if len(found) < len(metrics):
            return {}
        return self._recorded(found, contender, question, seed) if question.records else found

    def _recorded(
        self, found: Mapping[str, Sample], contender: str, question: Question, seed: int
    ) -> Mapping[str, Sample]:
        """The same with the records of the units; empty where there are none."""
        content = self.artifact(question.records, contender, seed)
        if content is None:
            return {}
        made = {metric: with_records(question.estimator, sample, content) for metric, sample in found.items()}
        return {metric: sample for metric, sample in made.items() if sample is not None}

    def own_level(self, contender: str, question: Question, level: float) -> OwnLevel | None:
        """A contender's own level on a question, at a confidence level: over the training seeds, where they make
        checkpoints of it, else of the one checkpoint that it is. None where it was not measured.

        Raises:
            PairingError: what a function of the whole set takes was not measured on the same units.
        """
        found = {seed: parts for seed in self.seeds if (parts := self.inputs(contender, question, seed))}
        if not found:
            return None
        card = next(card for card in self.plan.contenders if card.name == contender)
        first = min(found)
        reading = reading_of(self.plan, self.study) if question.paired_on == "image" else None
        return own_level(
            question,
            found if is_trained(self.study, card) else {first: found[first]},
            level=level,
            seed=self.plan.request.seed,
            early=Early(reading.prior, reading.population) if reading else None,
        )

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        """An artifact's bytes, or None."""
        for cell, stored in self.cells:
            if seed in (None, cell.seed) and (not contender or contender in cell.contenders):
                content = stored.artifact(name, contender)
                if content is not None:
                    return content
        return None
