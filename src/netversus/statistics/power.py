"""How many units are needed: before a run, from a gap worth seeing; after one, from what is undecided."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log, sqrt

from netversus.errors import StatisticsError
from netversus.statistics.distributions import norm, student
from netversus.statistics.pairing import fraction
from netversus.statistics.permutation import units_needed

POWER = 0.8
DISAGREEMENTS = (0.08, 0.12, 0.16)  # shares of images on which two backbones typically disagree
_MOST = 10**12  # beyond this an answer is "never"


def images_for_proportions(gap: float, disagreement: float, *, level: float = 0.95, power: float = POWER) -> int:
    """Images needed to see a gap between two paired proportions (Connor, Biometrics 43, 1987).

    Args:
        gap: difference of the proportions, as a fraction (0.01 is one point).
        disagreement: share of images that exactly one contender gets right, at least |gap|.
        level: confidence level, two-sided.
        power: probability of seeing the gap.

    Raises:
        StatisticsError: the gap is 0 or exceeds the disagreement.
    """
    if not 0 < abs(gap) <= disagreement <= 1:
        raise StatisticsError(f"expected 0 < |gap| <= disagreement <= 1, got {gap} and {disagreement}")
    z_alpha, z_beta = _normal(level, power)
    root = z_alpha * sqrt(disagreement) + z_beta * sqrt(disagreement - gap * gap)
    return ceil((root / gap) ** 2)


def units_for_means(gap: float, deviation: float, *, level: float = 0.95, power: float = POWER) -> int:
    """Units needed to see a mean difference, `deviation` being the standard deviation of the differences.

    Exact for normal differences: the smallest n whose paired t test has the power (noncentral t).

    Raises:
        StatisticsError: the gap is 0 or the deviation not positive.
    """
    effect = _effect(gap, deviation)
    return _smallest(lambda n: _t_power(effect * sqrt(n), n - 1, level) >= fraction(power, "the power"), 2)


def sequences_for_means(gap: float, deviation: float, *, level: float = 0.95, power: float = POWER) -> int:
    """Sequences (or other units of which there are few) needed to see a mean difference, as for `units_for_means`.

    Never fewer than a sign-flip test needs to reject at all, for few units are put to one.

    Raises:
        StatisticsError: the gap is 0 or the deviation not positive.
    """
    return max(units_needed(1 - level), units_for_means(gap, deviation, level=level, power=power))


def seeds_for_recipes(gap: float, deviation: float, *, level: float = 0.95, power: float = POWER) -> int:
    """Training seeds needed of each contender, `deviation` being the standard deviation over seeds of one.

    Two independent samples of equal size and a two-sided t test; never fewer than 3.

    Raises:
        StatisticsError: the gap is 0 or the deviation not positive.
    """
    effect = _effect(gap, deviation)
    return _smallest(lambda n: _t_power(effect * sqrt(n / 2), 2 * n - 2, level) >= fraction(power, "the power"), 3)


def blocks_for_signed_rank(probability: float, *, level: float = 0.95, power: float = POWER) -> int:
    """Timing blocks for Wilcoxon's signed-rank test: (z_a + z_b)^2 / (3 (p - 1/2)^2) (Noether, JASA 82, 1987).

    `probability` is that the sum of two blocks' log-ratios is positive. Never fewer than the test needs at
    all.

    Raises:
        StatisticsError: the probability is 1/2, or not within [0, 1].
    """
    if not 0 <= probability <= 1 or probability == 0.5:
        raise StatisticsError(f"expected a probability in [0, 1] other than 1/2, got {probability}")
    least = units_needed(1 - fraction(level, "the level"))
    return max(least, ceil(sum(_normal(level, power)) ** 2 / (3 * (probability - 0.5) ** 2)))


def blocks_for_ratio(ratio: float, deviation: float, *, level: float = 0.95, power: float = POWER) -> int:
    """Timing blocks needed to see a ratio B / A, `deviation` being that of the blocks' log-ratios (normal).

    Raises:
        StatisticsError: the ratio is 1 or not positive, or the deviation not positive.
    """
    if not ratio > 0:
        raise StatisticsError(f"a ratio must be positive, got {ratio}")
    effect = _effect(log(ratio), deviation)
    return blocks_for_signed_rank(float(norm.cdf(sqrt(2) * effect)), level=level, power=power)


def further_units(
    n: int, estimate: float, half_width: float, margin: float, *, level: float, power: float = POWER
) -> int | None:
    """About how many more units decide, if the truth is as estimated; None where no number would.

    An interval of half the width h decides once h is below |estimate| (then it leaves out zero) or below
    margin - |estimate| (then it lies within the margin), and h shrinks with sqrt(n).
    """
    reach = max(abs(estimate), margin - abs(estimate))
    if reach <= 0:
        return None
    z_alpha, z_beta = _normal(level, power)
    total = n * (half_width / reach * (z_alpha + z_beta) / z_alpha) ** 2
    return max(1, ceil(total - n)) if total < _MOST else None


def further_seeds(
    seeds: int,
    estimate: float,
    error: float,
    over_seeds: float,
    margin: float,
    *,
    level: float,
    power: float = POWER,
) -> int | None:
    """About how many more seeds of each contender decide on the same units; None where no number would.

    `error` is the standard error of the estimate, `over_seeds` the part of its square that shrinks with
    seeds; where seeds do not scatter, more of them narrow nothing.
    """
    reach = max(abs(estimate), margin - abs(estimate))
    wanted = (reach / sum(_normal(level, power))) ** 2
    fixed = max(0.0, error**2 - over_seeds)
    if wanted <= fixed or over_seeds <= 0:
        return None
    total = seeds * over_seeds / (wanted - fixed)
    return max(1, ceil(total - seeds)) if total < _MOST else None


def _normal(level: float, power: float) -> tuple[float, float]:
    tail = (1 - fraction(level, "the level")) / 2
    return float(norm.isf(tail)), float(norm.ppf(fraction(power, "the power")))


def _effect(gap: float, deviation: float) -> float:
    if gap == 0 or not deviation > 0:
        raise StatisticsError(f"expected a gap other than 0 and a positive deviation, got {gap} and {deviation}")
    return abs(gap) / deviation


def _t_power(shift: float, freedom: int, level: float) -> float:
    """Power of a two-sided t test whose statistic is noncentral with this shift; normal for large samples."""
    tail = (1 - fraction(level, "the level")) / 2
    if freedom > 5000:
        return float(norm.sf(norm.isf(tail) - shift))
    from scipy.stats import nct  # slow to load, and only small samples need it

    critical = student.isf(tail, freedom)
    return float(nct.sf(critical, freedom, shift) + nct.cdf(-critical, freedom, shift))


def _smallest(enough: Callable[[int], bool], least: int) -> int:
    """The smallest n >= `least` that is enough, by doubling and bisection."""
    if enough(least):
        return least
    low, high = least, 2 * least
    while not enough(high):
        low, high = high, 2 * high
        if high > _MOST:
            raise StatisticsError("no feasible number of units shows so small a gap")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
