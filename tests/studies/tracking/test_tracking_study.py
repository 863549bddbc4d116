"""The tracking study from files of results, and from networks, in a run of its own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from netversus import compare
from netversus.evidence import StudyEvidence
from netversus.exhibits import Chart, Gallery, Table, Text
from netversus.lab.data import open_data
from netversus.lab.data.export import export
from netversus.lab.tracking.given import disturbed_boxes, with_true_names
from netversus.lab.tracking.judge import judge
from netversus.lab.tracking.results import as_text
from netversus.lab.tracking.tracks import truth_of
from netversus.records import DataCard, Done, Rates, Skipped, Verdict
from netversus.statistics.tracks import loaded, score
from netversus.store import RunStore
from netversus.studies.tracking import RANDOM, STUDY, TRACKED, TRACKS, WAYS, TrackingOptions, file_of
from netversus.studies.tracking.exhibit import exhibit
from netversus.study import Work

SPEC = "scenes?size=16&train=8&test=8&frame_size=64&frames=1&test_frames=1&sequences=1&test_sequences=7&length=4"


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> tuple[Path, Path]:
    """Two folders of results: one has its names right, the other gives every box a name of its own."""
    root = tmp_path_factory.mktemp("results")
    good, bad = root / "good", root / "bad"
    good.mkdir()
    bad.mkdir()
    for clip in open_data(SPEC).sequences["test"]:
        tracks = with_true_names(disturbed_boxes(truth_of(clip), 0))
        (good / f"{clip.name}.txt").write_text(as_text(tracks))
        text = as_text(tracks).splitlines()
        fields = [line.split(",") for line in text]
        named = [",".join([f[0], str(number), *f[2:]]) for number, f in enumerate(fields)]
        (bad / f"{clip.name}.txt").write_text("\n".join(named))
    return good, bad


@pytest.fixture(scope="module")
def run(results, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "run"
    good, bad = results
    return compare(f"results:{good}", f"results:{bad}", data=SPEC, studies=["tracking", "detection"], out=out)


def evidence(path: Path) -> StudyEvidence:
    store = RunStore.open(path)
    return StudyEvidence(store, store.plan(), "tracking")


def test_two_folders_of_results_are_compared_without_any_model(run, results):
    finding = next(f for f in run.findings if (f.study, f.metric) == ("tracking", "hota"))
    assert finding.verdict is Verdict.A_BETTER
    assert finding.n == 7
    counts = [
        judge(truth_of(clip), with_true_names(disturbed_boxes(truth_of(clip), 0)))
        for clip in open_data(SPEC).sequences["test"]
    ]
    assert finding.value_a == pytest.approx(float(score("hota", counts, np.ones(7))), abs=1e-6)
    deta = next(f for f in run.findings if (f.study, f.metric) == ("tracking", "deta"))
    assert deta.value_a == pytest.approx(deta.value_b)  # the same boxes, only their names differ


def test_detection_has_nothing_to_ask_of_results_of_tracks(run):
    store = RunStore.open(run.path)
    outcomes = {cell.study: store.outcome(cell) for cell in store.plan().cells}
    assert isinstance(outcomes["tracking"], Done)
    assert isinstance(outcomes["detection"], Skipped)


def test_the_report_shows_scores_sequences_and_films_side_by_side(run):
    shown = list(exhibit(evidence(run.path)))
    (table,) = [each for each in shown if isinstance(each, Table)]
    assert len(table.rows) == 2  # results have their own tracks and no other way
    (chart,) = [each for each in shown if isinstance(each, Chart)]
    assert all(len(series.x) == 7 for series in chart.series)
    (gallery,) = [each for each in shown if isinstance(each, Gallery)]
    assert len(gallery.columns) == 2
    assert len(gallery.pictures) == 6
    assert all(picture.content.startswith(b"GIF89a") for picture in gallery.pictures)
    assert "7 units" in next(each.text for each in shown if isinstance(each, Text))


def test_what_a_run_keeps_can_be_compared_again(run, results, tmp_path):
    """The zip in the run folder is a contender like any other."""
    good, _ = results
    stored = evidence(run.path).artifact(TRACKS, f"results:{good}")
    path = tmp_path / "again.zip"
    path.write_bytes(stored)
    assert len(zipfile.ZipFile(path).namelist()) == 7
    again = compare(f"results:{good}", f"results:{path}", data=SPEC, studies=["tracking"], out=tmp_path / "run")
    finding = next(f for f in again.findings if f.metric == "hota")
    assert finding.value_a == pytest.approx(finding.value_b, abs=1e-9)


def test_results_of_other_data_end_the_cell_in_one_line(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "MOT17-02.txt").write_text("1,1,1,1,5,5,1,-1,-1,-1\n")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "MOT17-02.txt").write_text("1,1,1,1,6,6,1,-1,-1,-1\n")
    out = tmp_path / "run"
    compare(f"results:{tmp_path / 'x'}", f"results:{tmp_path / 'y'}", data=SPEC, studies=["tracking"], out=out)
    store = RunStore.open(out)
    for cell in store.plan().cells:
        assert "is about other data: it has MOT17-02" in store.outcome(cell).error


def test_a_network_is_tracked_in_every_way_and_is_told_of_few_sequences(tmp_path):
    spec = SPEC.replace("test_sequences=7", "test_sequences=2")
    names = ("py:tiny_nets:narrow", "py:tiny_nets:wide")
    run = compare(*names, data=spec, studies=["tracking"], out=tmp_path / "run")
    found = evidence(run.path)
    ways = {way: loaded(found.artifact(file_of(way), names[0])) for way in WAYS}
    given = {len(counts) for counts in ways.values()}
    assert given == {2}
    same = [way for way in WAYS if not way.startswith("oracle") and way not in ("ceiling", "library")]
    assert len({sum(one.boxes for one in ways[way]) for way in same}) == 1  # the same boxes in all of them
    perfect = ways["oracle-motion"]
    assert all(one.boxes == one.objects == one.matched[-1] for one in perfect)
    finding = next(f for f in run.findings if f.metric == "hota")
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.effect is None
    texts = [each.text for each in exhibit(found) if isinstance(each, Text)]
    assert any("With 2 sequences no difference can be told from chance" in text for text in texts)
    assert {TRACKED, RANDOM} <= set(ways)


def test_sequences_in_files_without_labelled_images_can_be_tracked_on(tmp_path):
    export("scenes?size=64&train=1&test=2&frames=3", tmp_path / "data", layout="mot")
    names = ("py:tiny_nets:narrow", "py:tiny_nets:wide")
    run = compare(*names, data=f"mot:{tmp_path / 'data'}", studies=["tracking"], out=tmp_path / "run")
    store = RunStore.open(run.path)
    assert [store.outcome(cell).status for cell in store.plan().cells] == ["done", "done"]
    assert Path(run.report()).is_file()


def test_a_budget_shortens_sequences_before_it_drops_them():
    card = DataCard("d", "d", "x", (), {}, None, sequences={"test": 20})
    work = Work(card, {"a": Rates(0.1, 0.3, 10**6, True)})
    whole = STUDY.cost(TrackingOptions(), work).seconds
    half = STUDY.fit(TrackingOptions(), work, whole / 2).options
    assert half.sequences == 20
    assert half.pictures < 60
    least = STUDY.fit(TrackingOptions(), work, whole / 1000).options
    assert (least.sequences, least.pictures) == (2, 4)
