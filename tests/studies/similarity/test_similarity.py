"""A whole comparison of two small residual networks: what is observed fits together, and the report shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lone_bench import Kept, Seen, lone_bench
from netversus import api
from netversus.evidence import StudyEvidence
from netversus.exhibits import Chart, Gallery, Heatmap, Table, Text
from netversus.lab.shortage import MEMORY_FILE
from netversus.studies.similarity import SimilarityOptions, alignment
from netversus.studies.similarity.exhibit import exhibit
from netversus.studies.similarity.measure import measure
from netversus.studies.similarity.onlooker import Onlooker
from netversus.studies.similarity.worth import Lesions

SHALLOW, DEEP, PLAIN = (
    "py:tiny_residual_nets:shallow@scratch",
    "py:tiny_residual_nets:deep@scratch",
    "py:tiny_nets:wide@scratch",
)
IMAGES = 90
OPTIONS = {
    "training": {"samples": 900, "rounds": 1, "curve_images": 20},
    "similarity": {"images": IMAGES, "batch": 16, "pictures": 3, "block_images": 40},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> api.Run:
    done = api.compare(
        *(SHALLOW, DEEP, PLAIN),
        studies=["training", "similarity"],
        options=OPTIONS,
        out=tmp_path_factory.mktemp("similarity") / "run",
    )
    assert done.complete
    return done


@pytest.fixture(scope="module")
def evidence(run: api.Run) -> StudyEvidence:
    return StudyEvidence(run.store, run.plan, "similarity")


@pytest.fixture(scope="module")
def shown(evidence: StudyEvidence) -> list:
    return list(exhibit(evidence))


def values(evidence: StudyEvidence, contender: str, metric: str) -> dict[str, float]:
    series = evidence.series(contender, metric)
    assert series is not None
    return dict(zip(series.units, series.values.tolist(), strict=True))


def test_alone_right_are_those_that_nobody_else_gets_right(evidence: StudyEvidence):
    right = {name: values(evidence, name, "top1") for name in (SHALLOW, DEEP, PLAIN)}
    alone = values(evidence, DEEP, "alone_right")
    assert len(alone) == IMAGES
    assert all(alone[u] == (right[DEEP][u] == 1 and right[SHALLOW][u] == right[PLAIN][u] == 0) for u in alone)


def test_the_gain_of_joining_is_the_same_ensembles_for_all(evidence: StudyEvidence):
    joined = [
        {u: gain + values(evidence, name, "top1")[u] for u, gain in values(evidence, name, "joined_gain").items()}
        for name in (SHALLOW, DEEP, PLAIN)
    ]
    assert joined[0] == joined[1] == joined[2]
    assert set(joined[0].values()) <= {0.0, 1.0}


def test_the_loss_of_a_block_is_what_its_skipping_costs(evidence: StudyEvidence):
    whole, loss = values(evidence, DEEP, "whole_top1"), values(evidence, DEEP, "block_loss")
    cut = values(evidence, DEEP, "skipped_top1")
    blocks = ["layer.0", "layer.1", "layer.2"]
    assert len(loss) == 40
    assert set(cut) == {f"{block}: {unit}" for block in blocks for unit in loss}
    for unit, value in loss.items():
        assert value == pytest.approx(whole[unit] - np.mean([cut[f"{block}: {unit}"] for block in blocks]))
        assert whole[unit] == values(evidence, DEEP, "top1")[unit]


def test_a_contender_without_residual_blocks_is_told_of_and_has_no_loss(evidence: StudyEvidence, shown: list):
    assert evidence.series(PLAIN, "block_loss") is None
    assert any(isinstance(e, Text) and PLAIN in e.text and "no residual block" in e.text for e in shown)


def test_every_image_counts_in_the_alignment_and_a_network_is_like_itself(evidence: StudyEvidence):
    state = alignment.loaded(evidence.artifact(alignment.FILE, SHALLOW))
    assert state is not None
    assert (state.read, state.sizes.sum()) == (IMAGES, IMAGES)
    assert [(n.name, n.untrained) for n in state.networks] == [
        (name, copy) for copy in (False, True) for name in (SHALLOW, DEEP, PLAIN)
    ]
    found = state.cka()
    np.testing.assert_allclose(np.diagonal(found), 1)
    assert np.isfinite(found).all()


def test_the_report_shows_a_heat_map_a_pair_and_three_looks(shown: list):
    assert sum(isinstance(e, Heatmap) for e in shown) == 3
    (gallery,) = [e for e in shown if isinstance(e, Gallery)]
    assert len(gallery.columns) == 4
    assert len(gallery.pictures) == 3 * 4
    (chart,) = [e for e in shown if isinstance(e, Chart) and "skipped" in e.title]
    assert [(s.name, s.x) for s in chart.series] == [
        (SHALLOW, ("layer.0",)),
        (DEEP, ("layer.0", "layer.1", "layer.2")),
    ]
    (table,) = [e for e in shown if isinstance(e, Table) and e.title == "Which blocks matter"]
    assert [(row[0], row[2]) for row in table.rows] == [(SHALLOW, 1), (DEEP, 3), (DEEP, 1), (DEEP, 2)]


def test_joining_is_measured_against_the_better_one(evidence: StudyEvidence, shown: list):
    (table,) = [e for e in shown if isinstance(e, Table) and "together would gain" in e.title]
    for row in table.rows:
        a, b, together, gain, ceiling = row[3], row[4], row[5], row[7], row[10]
        assert gain == pytest.approx(together - max(a, b))
        assert max(a, b, together) <= ceiling
    pair = values(evidence, SHALLOW, "pair_top1")
    assert table.rows[0][5] == pytest.approx(100 * np.mean([v for u, v in pair.items() if u.startswith(DEEP)]))


def test_the_whole_report_holds_the_heat_maps_numbers(run: api.Run, tmp_path: Path):
    html = run.report(tmp_path / "report.html").read_text()  # type: ignore[union-attr]
    assert html.count('class="chart heatmap"') == 2 * 3
    markdown = run.report(tmp_path / "report.md").read_text()  # type: ignore[union-attr]
    assert "(down)" in markdown
    exhibits = [
        e
        for section in json.loads(run.report(tmp_path / "report.json").read_text())["sections"]  # type: ignore[union-attr]
        for e in section["exhibits"]
    ]
    assert sum(e["type"] == "heatmap" for e in exhibits) == 3


def test_the_mean_loss_of_blocks_has_an_interval_and_of_no_block_there_is_none():
    lesions = Lesions("a", np.ones(50), {"x": np.r_[np.zeros(10), np.ones(40)], "y": np.ones(50)})
    assert lesions.loss("x").estimate == pytest.approx(0.2)
    loss = lesions.mean_loss(["x", "y"])
    assert loss is not None
    assert loss.low < 0.1 < loss.high
    assert lesions.mean_loss([]) is None


@pytest.fixture
def shortage(tmp_path: Path) -> Callable[[], tuple[Kept, list[str]]]:
    """Compares one network's few images, and gives what was kept at once and the sentences of the report."""

    def compared() -> tuple[Kept, list[str]]:
        kept: Kept = {}
        options = SimilarityOptions(images=8, batch=4, pictures=0, block_images=4)
        bench = lone_bench(options, tmp_path, contenders=[SHALLOW], data="digits", kept=kept)
        seen = Seen(bench, measure(bench), kept)
        assert seen.series(SHALLOW, "block_loss") is not None
        return kept, [each.text for each in exhibit(seen) if isinstance(each, Text)]

    return compared


WORDS = f"64 images at once did not fit in memory: {SHALLOW} was shown 16 at once."


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_without_a_block_fewer_are_shown_at_once_and_it_is_kept_and_told(shortage):
    kept, told = shortage()
    assert kept[SHALLOW, MEMORY_FILE] == b"[64, 32]"
    assert any(each.startswith(WORDS) for each in told)


def test_where_memory_runs_out_for_the_features_fewer_are_shown_at_once_and_it_is_kept_and_told(
    shortage, monkeypatch: pytest.MonkeyPatch
):
    whole = Onlooker._read

    def crowded(self: Onlooker, images: Tensor, chunk: int) -> tuple[list[Tensor], Tensor]:
        if chunk > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return whole(self, images, chunk)

    monkeypatch.setattr(Onlooker, "_read", crowded)
    kept, told = shortage()
    assert kept[SHALLOW, MEMORY_FILE] == b"[64, 32]"
    assert any(each.startswith(WORDS) for each in told)
