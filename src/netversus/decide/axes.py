"""Findings on one scale, so that they can be weighed: how many steps better one contender is than another.

A step is what a weight of 1 buys:

    quality (proportions, means, functions of the whole set)    one practical margin:  sign (v_j - v_i) / margin
    cost (ratios, and facts above zero)                         one halving:           sign log2(v_j / v_i)

where sign is +1 if higher is better and -1 if lower is. The margin was named before the data were seen, as the smallest
difference that matters; a halving is the same whatever the unit. So with equal weights one point of accuracy is worth
half the latency. That is a convention, and the weights are there to say otherwise.

Everything comes from findings: estimates and intervals of pairs, at the levels that hold together over the whole run. A
standard deviation is the interval's width over twice its normal quantile (the interval's normal approximation); where
the interval leaves out "no difference" and the test that goes with it does not, it is the one under which the estimate
has the test's p, so that nothing is surer here than the run's own verdicts are. Where all pairs were compared, each
contender's place is the least-squares fit to their differences; where only a baseline was compared with each other one,
a pair's difference is that of the two with the baseline, and their variances are added, which is too much where they
are positively correlated, as those of one baseline are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log2

import numpy as np

from netversus.decide.levels import Level
from netversus.records import Direction, Finding, Question, Role, Scale
from netversus.statistics.distributions import norm
from netversus.statistics.permutation import smallest_p

HALVING, MARGIN = "halving", "margin"


@dataclass(frozen=True, slots=True)
class Gain:
    """How many steps better `there` is than `here`: an estimate, its simultaneous interval, its standard deviation."""

    mean: float
    low: float
    high: float
    spread: float

    def mirrored(self) -> Gain:
        """The same seen from the other side."""
        return Gain(-self.mean, -self.high, -self.low, self.spread)


@dataclass(frozen=True, slots=True)
class Axis:
    """One question as a priority.

    `step` is "halving", "margin", or empty where it cannot be weighed: a question that is described and not judged, or
    that names no margin. `places` are the measured contenders in steps, the first of them at 0; `gains` maps
    (here, there) to how much better there is. `slack` is a margin in steps: less is too little to matter. `levels` are
    the contenders' own levels, for limits.
    """

    study: str
    question: Question
    step: str
    places: Mapping[str, float]
    gains: Mapping[tuple[str, str], Gain]
    levels: Mapping[str, Level]

    @property
    def name(self) -> str:
        """The question as users write it: "study.metric"."""
        return f"{self.study}.{self.question.metric}"

    @property
    def slack(self) -> float:
        """A margin, in steps."""
        if self.step == MARGIN:
            return 1.0
        return log2(1 + self.question.margin) if self.question.scale is Scale.RATIO else 0.0


def make_axes(
    questions: Mapping[str, Sequence[Question]],
    findings: Iterable[Finding],
    levels: Iterable[Level],
    contenders: Sequence[str],
) -> tuple[Axis, ...]:
    """An axis a question of the run, in its order; `levels` may lack any of them."""
    own: dict[tuple[str, str], dict[str, Level]] = {}
    for level in levels:
        own.setdefault((level.study, level.metric), {})[level.contender] = level
    found: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        if not finding.slice:
            found.setdefault((finding.study, finding.metric), []).append(finding)
    return tuple(
        _axis(study, q, found.get((study, q.metric), []), own.get((study, q.metric), {}), contenders)
        for study, asked in questions.items()
        for q in asked
    )


def _axis(
    study: str, question: Question, findings: Sequence[Finding], levels: Mapping[str, Level], contenders: Sequence[str]
) -> Axis:
    step = _step(question, findings)
    pairs: dict[tuple[str, str], Gain] = {}
    for finding in findings if step else ():
        gain = _gain(question, finding, step)
        if gain is not None:
            pairs[finding.a, finding.b] = gain
            pairs[finding.b, finding.a] = gain.mirrored()
    places = _places(pairs, contenders)
    return Axis(study, question, step, places, _all_gains(pairs, places), levels)


def _step(question: Question, findings: Sequence[Finding]) -> str:
    if question.direction is Direction.NEITHER or question.role is Role.DESCRIPTIVE:
        return ""
    counted = question.scale is Scale.FACT and all(min(f.value_a or 0, f.value_b or 0) > 0 for f in findings)
    if question.scale is Scale.RATIO or counted:
        return HALVING
    return MARGIN if question.margin > 0 else ""


def _gain(question: Question, finding: Finding, step: str) -> Gain | None:
    """B's gain over A; None where the finding states no interval."""
    sign = 1.0 if question.direction is Direction.HIGHER else -1.0
    if question.scale is Scale.FACT:
        if finding.value_a is None or finding.value_b is None:
            return None
        a, b = finding.value_a, finding.value_b
        mean = sign * (log2(b / a) if step == HALVING else (b - a) / question.margin)
        return Gain(mean, mean, mean, 0.0)
    if finding.effect is None:
        return None
    effect = finding.effect
    ends = [_steps(end, step, question.margin) for end in (effect.low, effect.estimate, effect.high)]
    if not all(map(isfinite, ends)):
        return None
    low, mean, high = sorted(sign * end for end in ends)
    spread = (high - low) / (2 * float(norm.isf((1 - effect.level) / 2)))
    return _as_tested(Gain(mean, low, high, spread), finding, effect.level)


def _as_tested(gain: Gain, finding: Finding, level: float) -> Gain | None:
    """A gain no surer than the test that goes with its interval, which with few units rejects less often, or cannot at
    all: `statistics.comparison` decides nothing then. None where the test finds nothing at all."""
    if finding.p_raw is None or gain.low <= 0 <= gain.high:
        return gain
    p = max(finding.p_raw, smallest_p(finding.n))
    if p <= 1 - level:
        return gain
    if p >= 1:
        return None
    spread = max(gain.spread, abs(gain.mean) / float(norm.isf(p / 2)))
    return Gain(gain.mean, min(gain.low, 0.0), max(gain.high, 0.0), spread)


def _steps(end: float, step: str, margin: float) -> float:
    if step == MARGIN:
        return end / margin
    return log2(end) if end > 0 else -inf


def _places(pairs: Mapping[tuple[str, str], Gain], contenders: Sequence[str]) -> dict[str, float]:
    """The least-squares places of those that were compared, the first of them at 0."""
    names = [name for name in contenders if any(name in pair for pair in pairs)]
    names = _connected(names, pairs)
    if not names:
        return {}
    at = {name: i for i, name in enumerate(names)}
    rows = [(at[here], at[there], gain.mean) for (here, there), gain in pairs.items() if here in at and there in at]
    matrix = np.zeros((len(rows), len(names)))
    for row, (here, there, _) in enumerate(rows):
        matrix[row, there], matrix[row, here] = 1.0, -1.0
    solved = np.linalg.lstsq(matrix, np.array([mean for *_, mean in rows]), rcond=None)[0]
    return {name: float(solved[i] - solved[0]) for name, i in at.items()}


def _connected(names: Sequence[str], pairs: Mapping[tuple[str, str], Gain]) -> list[str]:
    """Those that comparisons lead to from the first one, so that all places are on one scale."""
    reached = set(names[:1])
    while True:
        more = {there for here, there in pairs if here in reached} - reached
        if not more:
            return [name for name in names if name in reached]
        reached |= more


def _all_gains(pairs: Mapping[tuple[str, str], Gain], places: Mapping[str, float]) -> dict[tuple[str, str], Gain]:
    """Every pair's gain: as it was found; of a pair that was not compared, over others that were."""
    return {
        (here, there): pairs.get((here, there)) or _through(pairs, places, here, there)
        for here in places
        for there in places
        if here != there
    }


def _through(pairs: Mapping[tuple[str, str], Gain], places: Mapping[str, float], here: str, there: str) -> Gain:
    """The gain over the fewest comparisons that lead from one to the other."""
    ways = {here: Gain(0.0, 0.0, 0.0, 0.0)}
    while there not in ways:
        ways |= {
            name: _sum(way, pairs[at, name])
            for at, way in ways.items()
            for name in places
            if name not in ways and (at, name) in pairs
        }
    return ways[there]


def _sum(one: Gain, two: Gain) -> Gain:
    """One gain after another: both intervals hold together, so that their sum covers the sum."""
    spread = float(np.hypot(one.spread, two.spread))
    return Gain(one.mean + two.mean, one.low + two.low, one.high + two.high, spread)
