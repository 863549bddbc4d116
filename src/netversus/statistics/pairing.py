"""Pair two series of observations on their unit ids, or refuse: nothing is dropped, nothing filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netversus.errors import PairingError, StatisticsError

_SHOWN = 3  # unit ids named in a message


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What one contender gave: `values[i]` (float64, shape (n,)) was seen on `units[i]`.

    `records[i]` is what an estimator takes of the unit where a number is not enough (`Question.records`).
    """

    units: Sequence[str]
    values: NDArray[np.float64]
    records: NDArray[np.object_] | None = None

    @property
    def given(self) -> NDArray[Any]:
        """What an estimator takes of each unit: its records where there are any, else its values; shape (n,)."""
        return self.values if self.records is None else self.records


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """A and B on the same units: `a[i]` and `b[i]` (float64, or records; shape (n,)) were seen on `units[i]`."""

    units: tuple[str, ...]
    a: NDArray[Any]
    b: NDArray[Any]

    def __len__(self) -> int:
        return len(self.units)

    @property
    def differences(self) -> NDArray[np.float64]:
        """B - A on each unit, shape (n,)."""
        return np.asarray(self.b - self.a)

    def by_unit(self) -> Paired:
        """The same pairs ordered by unit id, so that a seeded result does not depend on the order seen."""
        order = sorted(range(len(self)), key=self.units.__getitem__)
        return Paired(tuple(self.units[i] for i in order), self.a[order], self.b[order])


def pair(a: Sample, b: Sample) -> Paired:
    """A and B on their common units, in the order of A.

    Raises:
        PairingError: no units, a unit twice, a value that is not finite, or units that only one of them has.
    """
    values_a, values_b = _given(a, "A"), _given(b, "B")
    units = tuple(a.units)
    if units == tuple(b.units):
        return Paired(units, values_a, values_b)
    place = {unit: i for i, unit in enumerate(b.units)}
    only_a = [unit for unit in units if unit not in place]
    known = set(units)
    only_b = [unit for unit in b.units if unit not in known]
    if only_a or only_b:
        raise PairingError(
            f"A and B were not measured on the same units: {_named(only_a)} only in A, {_named(only_b)} only in B",
            hint="measure both contenders on the same units, or complete the one that was interrupted",
        )
    return Paired(units, values_a, values_b[[place[unit] for unit in units]])


def _given(sample: Sample, who: str) -> NDArray[Any]:
    """What is given of each unit, the numbers beside it checked."""
    values = _checked(sample, who)
    return values if sample.records is None else sample.records


def only(sample: Sample, units: Collection[str]) -> Sample:
    """The part of a sample that was seen on some units, in its own order."""
    keep = [i for i, unit in enumerate(sample.units) if unit in units]
    records = None if sample.records is None else sample.records[keep]
    return Sample(tuple(sample.units[i] for i in keep), sample.values[keep], records)


def vector(values: ArrayLike, what: str, *, least: int = 1) -> NDArray[np.float64]:
    """`values` as a finite float64 array of shape (n,) with n >= `least`.

    Raises:
        StatisticsError: another shape, too few values, or one that is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise StatisticsError(f"{what} must have one dimension, got shape {array.shape}")
    if len(array) < least:
        raise StatisticsError(f"{what} must have at least {least} values, got {len(array)}")
    if not np.isfinite(array).all():
        raise StatisticsError(f"{what} must be finite, {(~np.isfinite(array)).sum()} of {len(array)} are not")
    return array


def fraction(value: float, what: str) -> float:
    """`value` strictly between 0 and 1.

    Raises:
        StatisticsError: it is not.
    """
    if not 0 < value < 1:
        raise StatisticsError(f"{what} must lie strictly between 0 and 1, got {value}")
    return float(value)


def _checked(sample: Sample, who: str) -> NDArray[np.float64]:
    values = np.asarray(sample.values, dtype=np.float64)
    if values.ndim != 1 or len(values) != len(sample.units):
        raise PairingError(f"{who} must have one value a unit, got {len(sample.units)} units and shape {values.shape}")
    if len(values) == 0:
        raise PairingError(f"{who} has no units", hint="absence is not a zero: measure it first")
    if len(set(sample.units)) != len(values):
        raise PairingError(f"a unit may appear once, in {who} {_named(_repeated(sample.units))} appear more often")
    bad = [unit for unit, finite in zip(sample.units, np.isfinite(values), strict=True) if not finite]
    if bad:
        raise PairingError(f"every value must be a finite number, in {who} {_named(bad)} are not")
    return values


def _repeated(units: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for unit in units:
        if unit in seen:
            twice[unit] = None
        seen.add(unit)
    return list(twice)


def _named(units: Sequence[str]) -> str:
    """How many units, and the ids of a few."""
    if not units:
        return "0 units"
    shown = ", ".join(units[:_SHOWN]) + (", ..." if len(units) > _SHOWN else "")
    return f"{len(units)} unit{'s' if len(units) > 1 else ''} ({shown})"
