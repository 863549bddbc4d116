"""One contender's own level with its interval, beside slow computations of the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from netversus.analyse import analyse
from netversus.claims import ClaimVerdict, audit, measured_by, read_claims
from netversus.claims.levels import _level, _median
from netversus.records import Direction, Question, Scale
from netversus.statistics.pairing import Sample
from netversus.store import RunStore

GOLDEN = Path(__file__).parents[1] / "golden" / "run"
WIDE = "py:tiny_nets:wide@scratch"


def sample(values: np.ndarray) -> Sample:
    return Sample([f"u{i}" for i in range(len(values))], values)


def question(scale: Scale) -> Question:
    return Question("m", "?", scale, Direction.HIGHER, "", "image")


def test_the_median_s_interval_covers_as_often_as_it_says():
    """Over many samples of 24 blocks, whose true median is 0."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(2000):
        level = _median(rng.standard_normal(24), 0.95)
        assert level.interval is not None
        hits += level.interval.low <= 0 <= level.interval.high
    assert 0.95 <= hits / 2000 <= 0.99  # exact coverage with 24 values is 97.7 %


def test_five_blocks_have_no_interval_of_a_median():
    assert _median(np.arange(1.0, 6.0), 0.95).interval is None
    assert _median(np.arange(1.0, 7.0), 0.95).interval is not None


def test_a_mean_s_interval_is_near_scipy_s_bootstrap():
    values = np.random.default_rng(2).exponential(size=400)
    level = _level(question(Scale.MEAN), [{"m": sample(values)}], 0.95)
    peer = scipy_bootstrap((values,), np.mean, method="percentile", random_state=3).confidence_interval
    assert level.interval is not None
    assert level.value == pytest.approx(values.mean())
    assert (level.interval.low, level.interval.high) == (
        pytest.approx(peer.low, abs=0.02),
        pytest.approx(peer.high, abs=0.02),
    )


def test_several_seeds_widen_the_interval_by_their_own_scatter():
    rng = np.random.default_rng(4)
    one = (rng.random(500) < 0.8).astype(float)
    alike = [{"m": sample(one)} for _ in range(5)]
    apart = [{"m": sample(np.clip(one + shift, -1, 2))} for shift in (-0.1, -0.05, 0.0, 0.05, 0.1)]
    narrow, wide = (_level(question(Scale.PROPORTION), by_seed, 0.95).interval for by_seed in (alike, apart))
    assert narrow is not None
    assert wide is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_seeds_read_in_another_order_give_the_same_level():
    rng = np.random.default_rng(5)
    first = sample(rng.random(50))
    order = rng.permutation(50)
    again = Sample([first.units[i] for i in order], first.values[order])
    plain = _level(question(Scale.MEAN), [{"m": first}, {"m": first}], 0.95)
    assert _level(question(Scale.MEAN), [{"m": first}, {"m": again}], 0.95) == plain


@pytest.mark.parametrize("metric", ["top1", "nll", "ece"])
def test_levels_of_a_stored_run_lie_around_what_the_findings_say(tmp_path: Path, metric: str):
    store = RunStore.open(GOLDEN)
    findings = analyse(store)
    found = next(f for f in findings if f.metric == metric and not f.slice)
    assert found.value_b is not None
    for factor, verdict in (
        (0.5, ClaimVerdict.SUPPORTED),
        (1.0, ClaimVerdict.UNDECIDED),
        (2.0, ClaimVerdict.CONTRADICTED),
    ):
        path = tmp_path / "claims.toml"
        path.write_text(
            f'[source]\ntitle = "t"\n[[claim]]\nid = "c"\ntext = "T."\n[[claim.measured]]\nquestion = "accuracy.{metric}"\n'
            f'value_of = "{WIDE}"\nat_least = {factor * found.value_b}\n'
        )
        claims = read_claims(path)
        (judgement,) = audit(claims, measured_by(store, findings, claims), ())
        assert judgement.verdict is verdict
        (evidence,) = judgement.measured.evidence
        assert evidence.estimate == pytest.approx(found.value_b)
        assert evidence.low is not None
        assert evidence.high is not None
        assert evidence.low < found.value_b < evidence.high
        assert evidence.level == 0.95


def test_an_estimator_that_does_not_exist_here_gives_a_level_without_an_interval():
    """A study of somebody else's, which is not installed any more."""
    asked = replace(question(Scale.AGGREGATE), estimator="gone", inputs=("m",))
    level = _level(asked, [{"m": sample(np.arange(20.0))}], 0.95)
    assert level.interval is None
    assert "gone" in level.reason
