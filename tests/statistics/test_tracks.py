"""Scores of tracks as functions of weights on sequences."""

from __future__ import annotations

import numpy as np
import pytest

from netversus.errors import StatisticsError
from netversus.records import Direction, Question, Scale, Verdict
from netversus.statistics.comparison import compare
from netversus.statistics.estimators import estimator, with_records
from netversus.statistics.pairing import Sample
from netversus.statistics.tracks import SCORES, THRESHOLDS, Counts, dumped, loaded, score


def counts(seed: int, unit: str = "", quality: float = 0.8) -> Counts:
    rng = np.random.default_rng(seed)
    objects, boxes = (int(n) for n in rng.integers(100, 300, 2))
    matched = np.sort(rng.integers(0, int(quality * min(objects, boxes)), len(THRESHOLDS)))[::-1]
    return Counts(
        unit=unit or f"s{seed}",
        objects=objects,
        boxes=boxes,
        matched=tuple(matched.tolist()),
        linked=tuple((matched * rng.uniform(0.3, 0.9)).tolist()),
        clear_matched=int(matched[9]),
        switches=int(rng.integers(0, 20)),
        id_matched=int(0.7 * matched[9]),
    )


@pytest.mark.parametrize("name", SCORES)
def test_a_weight_of_two_is_the_sequence_twice_and_of_zero_is_its_absence(name):
    several = [counts(seed) for seed in range(4)]
    weights = np.array([[2.0, 0, 1, 1], [1, 1, 1, 1]])
    once = [several[0], several[0], several[2], several[3]]
    expected = [float(score(name, once, np.ones(4))), float(score(name, several, np.ones(4)))]
    assert score(name, several, weights).tolist() == pytest.approx(expected, abs=1e-12)


def test_hota_by_the_slow_obvious_way():
    several = [counts(seed) for seed in range(3)]
    total = 0.0
    for a in range(len(THRESHOLDS)):
        matched = sum(one.matched[a] for one in several)
        missed = sum(one.objects - one.matched[a] for one in several)
        invented = sum(one.boxes - one.matched[a] for one in several)
        linked = sum(one.linked[a] for one in several)
        total += np.sqrt(matched / (matched + missed + invented) * linked / max(matched, 1))
    assert score("hota", several, np.ones(3)) == pytest.approx(total / len(THRESHOLDS), abs=1e-12)


def test_mota_may_be_negative():
    bad = Counts("a", 10, 100, (0,) * 19, (0.0,) * 19, 2, 1, 0)
    assert score("mota", [bad], np.ones(1)) == pytest.approx((2 - 98 - 1) / 10)


def test_the_file_keeps_everything_and_a_damaged_one_is_refused():
    several = [counts(seed) for seed in range(3)]
    assert list(loaded(dumped(several))) == several
    for content in (b"", b"{}", b"[]", b'{"sequences": [{"unit": "a"}]}', b"\xff"):
        with pytest.raises(StatisticsError, match="cannot be read"):
            loaded(content)


def test_counts_of_another_length_and_an_unknown_score_are_refused():
    with pytest.raises(StatisticsError, match="expected 19 values of matched"):
        Counts("a", 1, 1, (1,), (1.0,) * 19, 1, 0, 1)
    with pytest.raises(StatisticsError, match="there is no score"):
        score("motp", [counts(0)], np.ones(1))


def test_where_there_is_no_object_there_is_no_score():
    empty = Counts("a", 0, 3, (0,) * 19, (0.0,) * 19, 0, 0, 0)
    sample = Sample(("a",), np.zeros(1))
    assert with_records("tracks_hota", sample, dumped([empty])) is None
    with pytest.raises(StatisticsError, match="not numbers"):
        estimator("tracks_hota")({"objects": np.ones(3)}, np.ones(3))


def test_sequences_are_the_units_of_the_verdict():
    """Two contenders on the same sequences, one clearly better: decided with ten sequences, not with three."""
    question = Question(
        metric="hota",
        asks="?",
        scale=Scale.AGGREGATE,
        direction=Direction.HIGHER,
        unit="%",
        paired_on="sequence",
        margin=0.01,
        estimator="tracks_hota",
        inputs=("objects",),
        records="tracked.json",
    )
    verdicts = {}
    for n in (3, 10):
        units = tuple(f"s{seed}" for seed in range(n))
        sample = Sample(units, np.ones(n))
        worse = dumped([counts(seed, quality=0.4) for seed in range(n)])
        better = dumped([counts(seed, quality=0.9) for seed in range(n)])
        a, b = (with_records("tracks_hota", sample, content) for content in (worse, better))
        verdicts[n] = compare(question, {"objects": a}, {"objects": b}, level=0.95, margin=0.01, seed=0).verdict
    assert verdicts == {3: Verdict.UNDECIDED, 10: Verdict.B_BETTER}
