"""Which factor of an experiment explains how much of the variation: analysis of variance with its shares.

The sums of squares are of type II (each term beside all those that do not contain it), so that a trial that is missing
does no harm; in a balanced design types I, II and III agree, and the shares of terms and residual add up to one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import f as fisher
from scipy.stats import ncf

from netversus.errors import StatisticsError
from netversus.statistics.pairing import fraction, vector

Array = NDArray[np.float64]
BETWEEN = " × "
_ROUNDING = 1e-12  # squares about the mean this small, relative to those about zero, are none
_NOTHING = 1e-7  # a residual this small, relative to the whole, is nothing to judge by
_LEAST_FREEDOM = 3  # of the residual: below it the mean of F does not exist


@dataclass(frozen=True, slots=True)
class Term:
    """One line of the table: a factor, or the interplay of two ("a × b"), or several pooled.

    `eta` is the share of all squares (eta squared), which chance makes too large; `omega` is corrected for that (omega
    squared, Hays 1963), 0 where chance alone would have given as much. `low` and `high` are the ends of an interval
    around the true share. All but `freedom`, `squares` and `eta` are None where the residual is too small to judge by.
    """

    name: str
    freedom: int
    squares: float
    eta: float
    f: float | None = None
    p_value: float | None = None
    omega: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Anova:
    """The table: its terms, and what no term explains."""

    terms: tuple[Term, ...]
    freedom: int
    squares: float
    total: float
    n: int
    level: float

    def term(self, name: str) -> Term:
        """A term by its name.

        Raises:
            StatisticsError: there is none of that name.
        """
        found = next((term for term in self.terms if term.name == name), None)
        if found is None:
            raise StatisticsError(f"there is no term {name!r}, only {', '.join(t.name for t in self.terms)}")
        return found

    def pooled(self, name: str, members: Sequence[str]) -> Term:
        """Several terms as one: their squares and degrees of freedom added up, which a balanced design allows."""
        terms = [self.term(member) for member in members]
        freedom, squares = sum(t.freedom for t in terms), sum(t.squares for t in terms)
        others = [t for t in self.terms if t.name not in members]
        return _judged(Term(name, freedom, squares, squares / self.total), others, self)


def anova(
    values: ArrayLike, factors: Mapping[str, Sequence[Hashable]], *, pairs: bool = False, level: float = 0.95
) -> Anova:
    """The analysis of variance of a factorial experiment.

    Args:
        values: what came out of each trial, shape (n,).
        factors: each factor's level in each trial, n of them; a factor has two levels or more.
        pairs: also the interplay of every two factors.
        level: of the intervals.

    The interval of a share inverts the noncentral F distribution for the term's noncentrality (Steiger, Psychological
    Methods 9, 2004), with the other terms' noncentralities at their unbiased estimates; it is exact where there is no
    other term.

    Raises:
        StatisticsError: shapes that do not fit, values that are all the same, a factor of one level, or terms that the
        trials cannot tell apart.
    """
    y = vector(values, "the values", least=2)
    fraction(level, "the level")
    blocks = {name: _contrasts(name, levels, len(y)) for name, levels in factors.items()}
    members = {name: frozenset({name}) for name in blocks}
    for a, b in combinations(factors, 2) if pairs else ():
        blocks[a + BETWEEN + b] = _products(blocks[a], blocks[b])
        members[a + BETWEEN + b] = frozenset({a, b})
    total = float(np.square(y - y.mean()).sum())
    if total <= _ROUNDING * float(np.square(y).sum()):
        raise StatisticsError("every value is the same: there is no variation to explain")
    squares, rank = _residual(y, list(blocks.values()))
    squares = 0.0 if squares <= _NOTHING * total else squares
    table = Anova((), len(y) - rank, squares, total, len(y), level)
    raw = [_raw(name, y, blocks, members, total) for name in blocks]
    terms = tuple(_judged(term, [other for other in raw if other is not term], table) for term in raw)
    return Anova(terms, table.freedom, squares, total, len(y), level)


def _contrasts(name: str, levels: Sequence[Hashable], n: int) -> Array:
    """A factor's columns, shape (n, levels - 1), each level against the last (sum to zero)."""
    if len(levels) != n:
        raise StatisticsError(f"{n} values but {len(levels)} levels of {name}")
    kinds = list(dict.fromkeys(levels))
    if len(kinds) < 2:
        raise StatisticsError(
            f"{name} has one level only ({kinds[0] if kinds else 'none'}): it cannot explain anything"
        )
    code = np.vstack([np.eye(len(kinds) - 1), -np.ones(len(kinds) - 1)])
    return np.asarray(code[[kinds.index(level) for level in levels]])


def _products(a: Array, b: Array) -> Array:
    return np.asarray((a[:, :, None] * b[:, None, :]).reshape(len(a), -1))


def _residual(y: Array, blocks: Sequence[Array]) -> tuple[float, int]:
    """The squares that an intercept and some blocks of columns leave, and how many parameters they are."""
    columns = np.hstack([np.ones((len(y), 1)), *blocks])
    solution, _, rank, _ = np.linalg.lstsq(columns, y, rcond=None)
    return float(np.square(y - columns @ solution).sum()), int(rank)


def _raw(name: str, y: Array, blocks: Mapping[str, Array], members: Mapping[str, frozenset[str]], total: float) -> Term:
    """A term's squares beside all the terms that do not contain it (type II)."""
    beside = [block for other, block in blocks.items() if not members[name] <= members[other]]
    before, rank = _residual(y, beside)
    after, larger = _residual(y, [*beside, blocks[name]])
    if larger - rank < blocks[name].shape[1]:
        raise StatisticsError(f"the trials cannot tell {name} from other terms", hint="more trials, or fewer terms")
    squares = max(0.0, before - after)
    return Term(name, larger - rank, squares, squares / total)


def _judged(term: Term, others: Sequence[Term], table: Anova) -> Term:
    """A term's F test, its corrected share, and the interval of that."""
    if table.freedom < _LEAST_FREEDOM or table.squares == 0:
        return term
    noise = table.squares / table.freedom
    f = term.squares / term.freedom / noise
    omega = max(0.0, (term.squares - term.freedom * noise) / (table.total + noise))
    rest = sum(_noncentrality(other, table) for other in others) + table.n
    low, high = (share / (share + rest) for share in noncentralities(f, term.freedom, table.freedom, table.level))
    return Term(
        name=term.name,
        freedom=term.freedom,
        squares=term.squares,
        eta=term.eta,
        f=f,
        p_value=float(fisher.sf(f, term.freedom, table.freedom)),
        omega=omega,
        low=low,
        high=high,
    )


def _noncentrality(term: Term, table: Anova) -> float:
    """Its unbiased estimate, from the mean of the noncentral F; no less than 0."""
    return max(0.0, term.squares * (table.freedom - 2) / table.squares - term.freedom)


def noncentralities(f: float, freedom: int, residual: int, level: float) -> tuple[float, float]:
    """The noncentralities under which an F as seen is neither too large nor too small: ends of an interval."""
    tail = (1 - fraction(level, "the level")) / 2
    return _inverted(f, freedom, residual, 1 - tail), _inverted(f, freedom, residual, tail)


def _inverted(f: float, freedom: int, residual: int, probability: float) -> float:
    """The noncentrality at which P(F <= f) is `probability`, or 0 where it is below that without any."""
    if fisher.cdf(f, freedom, residual) <= probability:
        return 0.0

    def excess(noncentrality: float) -> float:
        return float(ncf.cdf(f, freedom, residual, noncentrality)) - probability

    high = max(1.0, 2 * freedom * f)
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-9 * high))
