"""A network that learned its images by heart is caught; one that learned nothing is at chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.stats import beta
from sklearn.metrics import roc_auc_score

from lone_bench import Seen, lone_bench
from netversus.exhibits import Table, Text
from netversus.lab.shortage import MEMORY_FILE
from netversus.studies.privacy import PrivacyOptions
from netversus.studies.privacy import measure as module
from netversus.studies.privacy.exhibit import exhibit
from netversus.studies.privacy.measure import measure
from netversus.studies.privacy.rates import named_at

WIDE = "py:tiny_nets:wide@scratch"
PLAIN = {"augment": "none", "label_smoothing": 0.0, "weight_decay": 0.0, "shadows": 4}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bench_of(folder, kept, **options):
    chosen = PrivacyOptions.model_validate(PLAIN | options)
    return lone_bench(chosen, folder, contenders=[WIDE], data="digits?size=16&test=400", kept=kept)


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory):
    """Learned 40 images by heart."""
    bench = bench_of(tmp_path_factory.mktemp("overfitted"), {}, images=80, samples=6400, learning_rate=1e-2)
    return bench, Seen(bench, measure(bench))


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """Took one step that moved nothing."""
    bench = bench_of(tmp_path_factory.mktemp("untrained"), {}, images=600, samples=32, learning_rate=1e-9)
    return bench, Seen(bench, measure(bench))


def area(seen: Seen, score: str) -> float:
    return float(roc_auc_score(seen.series(WIDE, "outlier").values, seen.series(WIDE, score).values))


def test_an_overfitted_network_is_caught(overfitted):
    _, seen = overfitted
    right, member = seen.series(WIDE, "right").values, seen.series(WIDE, "outlier").values
    assert right[member == 1].mean() > right[member == 0].mean() + 0.1
    assert area(seen, "membership_loss") > 0.7
    assert area(seen, "membership_lira") > 0.7
    assert seen.series(WIDE, "member_told").values.mean() > 0.6


def test_an_untrained_network_is_at_chance(untrained):
    _, seen = untrained
    for score in ("membership_lira", "membership_loss"):
        assert abs(area(seen, score) - 0.5) < 3 * np.sqrt((600 + 1) / (12 * 300 * 300))  # Mann-Whitney's deviation
    assert abs(seen.series(WIDE, "member_told").values.mean() - 0.5) < 3 * np.sqrt(0.25 / 600)


def test_half_of_the_images_are_members(overfitted):
    bench, seen = overfitted
    member = seen.series(WIDE, "outlier")
    assert member.values.sum() == 40
    assert set(member.units) <= set(bench.data.split("train").ids)
    assert len(seen.series(WIDE, "right_on_test").units) == 400


def test_what_is_kept_is_not_trained_again(tmp_path, monkeypatch):
    kept: dict[tuple[str, str], bytes] = {}
    bench = bench_of(tmp_path, kept, images=40, samples=32, shadows=2)
    first = Seen(bench, measure(bench))
    assert {name for _, name in kept} == {"target.npz", "shadow-1.npz", "shadow-2.npz"}
    monkeypatch.setattr(module, "taught", None)
    again = Seen(bench, measure(bench))
    one, two = (each.series(WIDE, "membership_lira") for each in (first, again))
    assert one.values.tolist() == two.values.tolist()


def test_the_report_sets_the_attack_beside_the_gap_and_says_what_so_few_images_cannot_tell(overfitted):
    _, seen = overfitted
    shown = list(exhibit(seen))
    row = next(each for each in shown if isinstance(each, Table)).rows[0]
    right, member = seen.series(WIDE, "right").values, seen.series(WIDE, "outlier").values
    gap = right[member == 1].mean() - right[member == 0].mean()
    assert row[4] == pytest.approx(100 * gap)
    assert row[5] == pytest.approx(50 + 50 * gap)
    assert row[7] == pytest.approx(100 * area(seen, "membership_lira"))
    words = next(each for each in shown if isinstance(each, Text)).text
    assert "cannot be checked" in words


def test_members_named_at_a_bound_are_those_above_the_last_allowed_other():
    scores = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], dtype=float)
    member = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0], dtype=float)
    none = named_at(scores, member, 0.001)
    assert none is not None
    assert (none.members, none.wrong, none.others) == (0.5, 0, 6)
    assert none.highest == pytest.approx(1 - 0.05 ** (1 / 6))  # no error in six: the exact bound
    one = named_at(scores, member, 0.2)
    assert one is not None
    assert (one.members, one.wrong) == (0.75, 1)
    assert one.highest == pytest.approx(float(beta.ppf(0.95, 2, 5)))
    assert named_at(scores, np.ones(10), 0.1) is None


def test_equal_scores_name_nobody():
    found = named_at(np.zeros(10), np.arange(10) % 2.0, 0.5)
    assert found is not None
    assert (found.members, found.wrong) == (0.0, 0)


def test_an_odd_number_of_shadows_is_refused():
    with pytest.raises(ValidationError, match="pairs"):
        PrivacyOptions(shadows=3)


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept_and_told(tmp_path):
    kept: dict[tuple[str, str], bytes] = {}
    bench = bench_of(tmp_path, kept, images=40, samples=32, shadows=2)
    seen = Seen(bench, measure(bench), kept)
    assert kept[WIDE, MEMORY_FILE] == b"[64, 32]"
    told = [each.text for each in exhibit(seen) if isinstance(each, Text)]
    assert any(each.startswith(f"64 images at once did not fit in memory: {WIDE} was shown 16") for each in told)
