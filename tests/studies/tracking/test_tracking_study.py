"""The tracking study from files of results, and from networks, in a run of its own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lone_bench import Kept, Seen, lone_bench
from netversus import compare
from netversus.errors import CellError
from netversus.evidence import StudyEvidence
from netversus.exhibits import Chart, Gallery, Table, Text
from netversus.lab.data import open_data
from netversus.lab.data.export import export
from netversus.lab.detection import own
from netversus.lab.detection.recipe import LOSS, MADE, WEIGHTS
from netversus.lab.shortage import MEMORY_FILE
from netversus.lab.tracking import least
from netversus.lab.tracking.association import associate
from netversus.lab.tracking.given import Shown, disturbed_boxes, with_true_names
from netversus.lab.tracking.judge import judge
from netversus.lab.tracking.results import as_text, from_zip
from netversus.lab.tracking.tracks import truth_of
from netversus.records import (
    Artifact,
    DataCard,
    Done,
    Emission,
    Failed,
    Observations,
    Progress,
    Rates,
    Skipped,
    Verdict,
)
from netversus.statistics.tracks import loaded, score
from netversus.store import RunStore
from netversus.studies.tracking import (
    CHAIN,
    CHAIN_MOTION,
    DETECTIONS,
    FEWEST_LESSONS,
    GIVEN,
    LEAST,
    MOTION,
    OBJECTS,
    ORACLE_MOTION,
    RANDOM,
    STUDY,
    SWITCHES,
    TRACKED,
    TRACKS,
    WAYS,
    TrackingOptions,
    file_of,
)
from netversus.studies.tracking import measure as study
from netversus.studies.tracking.exhibit import exhibit
from netversus.study import Work

SPEC = "scenes?size=16&train=8&test=8&frame_size=64&frames=1&test_frames=1&sequences=1&test_sequences=7&length=4"
FEW = SPEC.replace("frames=1&", "frames=6&", 1).replace("test_sequences=7", "test_sequences=2")
NARROW, WIDE = "py:tiny_nets:narrow", "py:tiny_nets:wide"
LITTLE = {
    "samples": 12,
    "batch": 2,
    "channels": 8,
    "width": 16,
    "regions": 8,
    "proposals": 16,
}


@pytest.fixture(scope="module", autouse=True)
def lenient():
    """A box that touches an object is right: those of detectors that have seen next to nothing lie hardly on one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(least, "OVERLAP", 0.05)
        yield


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


def test_networks_are_tracked_in_every_way_and_told_of_few_sequences(tmp_path):
    run = compare(NARROW, WIDE, data=FEW, studies=["tracking"], options={"tracking": LITTLE}, out=tmp_path / "run")
    found = evidence(run.path)
    ways = {way: loaded(found.artifact(file_of(way), NARROW)) for way in WAYS}
    assert {len(counts) for counts in ways.values()} == {2}
    boxes = {way: sum(one.boxes for one in ways[way]) for way in WAYS}
    assert boxes[GIVEN] == boxes[MOTION] == boxes[RANDOM]
    assert boxes[TRACKED] == boxes[CHAIN_MOTION] > 0
    assert boxes[TRACKED] != boxes[GIVEN]
    assert all(one.boxes == one.objects == one.matched[-1] for one in ways[ORACLE_MOTION])
    finding = next(f for f in run.findings if f.metric == "hota")
    assert finding.value_a == pytest.approx(float(score("hota", ways[TRACKED], np.ones(2))), abs=1e-9)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.effect is None
    texts = [each.text for each in exhibit(found) if isinstance(each, Text)]
    assert any("With 2 sequences no difference can be told from chance" in text for text in texts)
    assert not any("No detector was trained" in text for text in texts)
    table, made, sure = (each for each in exhibit(found) if isinstance(each, Table))
    assert [row[1] for row in table.rows[:4]] == [
        "its detector's boxes, its features",
        "its detector's boxes, place alone",
        "its detector's boxes, the library's tracker",
        "given boxes, its features",
    ]
    assert made.title == "The detectors that were trained here"
    assert {row[0] for row in made.rows} == {NARROW, WIDE}
    assert sure.title == "How sure a detector is of a box that is tracked"
    for name, chosen, *_, where in sure.rows:
        assert chosen == json.loads(found.artifact(LEAST, name))["score"] > 0
        assert where == "1, not learnt from"


def test_without_a_detector_the_given_boxes_are_judged_and_it_is_said(tmp_path):
    options = {"tracking": {"detector": "none"}}
    run = compare(NARROW, WIDE, data=FEW, studies=["tracking"], options=options, out=tmp_path / "run")
    found = evidence(run.path)
    assert all(found.artifact(file_of(way), NARROW) is None for way in (*CHAIN[1:], GIVEN))
    shown = list(exhibit(found))
    texts = [each.text for each in shown if isinstance(each, Text)]
    assert "No detector was trained: the tracks begin with the given boxes, and compare the features alone." in texts
    (table,) = (each for each in shown if isinstance(each, Table))
    assert table.rows[0][1] == "given boxes, its features"


def cells_of(run) -> dict[str, object]:
    store = RunStore.open(run.path)
    return {cell.contenders[0]: store.outcome(cell) for cell in store.plan().cells if cell.study == "tracking"}


def test_two_that_find_no_box_are_not_equivalent_but_tracked_nothing(tmp_path):
    options = {"tracking": LITTLE | {"least_score": 0.99}}
    run = compare(NARROW, WIDE, data=FEW, studies=["tracking"], options=options, out=tmp_path / "run")
    assert [finding for finding in run.findings if finding.study == "tracking"] == []
    for name, outcome in cells_of(run).items():
        assert isinstance(outcome, Failed)
        said = f"{name}: its detector finds no box of a score of 0.99 and more on 2 test sequences, so that nothing is"
        assert said in outcome.error
        assert "--tracking.samples" in outcome.error
    assert evidence(run.path).artifact(LEAST, NARROW) is None  # it was given
    assert Path(run.report()).is_file()


def test_one_that_finds_no_box_takes_nothing_from_the_other(tmp_path, monkeypatch):
    find = study.detected_boxes

    def narrow_finds_none(*args, name: str, **options):
        nothing = Shown(np.zeros((0, 4)), np.zeros(0), np.zeros(0, dtype=np.int64))
        found = find(*args, name=name, **options)
        return tuple(nothing for _ in found) if name == NARROW else found

    monkeypatch.setattr(study, "detected_boxes", narrow_finds_none)
    run = compare(NARROW, WIDE, data=FEW, studies=["tracking"], options={"tracking": LITTLE}, out=tmp_path / "run")
    outcomes = cells_of(run)
    assert isinstance(outcomes[WIDE], Done)
    assert isinstance(outcomes[NARROW], Failed)
    assert (
        "none of the boxes that its detector finds on train pictures (1 tried) lies on an object"
        in outcomes[NARROW].error
    )
    assert run.findings == ()
    assert len(loaded(evidence(run.path).artifact(file_of(TRACKED), WIDE))) == 2


def test_results_without_a_box_tracked_nothing(results, tmp_path):
    (tmp_path / "empty").mkdir()
    for clip in open_data(SPEC).sequences["test"]:
        (tmp_path / "empty" / f"{clip.name}.txt").write_text("")
    names = (f"results:{results[0]}", f"results:{tmp_path / 'empty'}")
    run = compare(*names, data=SPEC, studies=["tracking"], out=tmp_path / "run")
    good, empty = (cells_of(run)[name] for name in names)
    assert isinstance(good, Done)
    assert "has no box in any of 7 test sequences" in empty.error


class Tracked:
    """The study of one network in a folder, interrupted and gone on with."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.kept: Kept = {}
        self.numbers: dict[tuple[str, str], float] = {}
        self.bench = lone(folder, self.kept, **options)
        self.bench.stored = lambda _, metric: {unit for (one, unit) in self.numbers if one == metric}

    def run(self, what: str = "", until: int = -1) -> None:
        """The whole study, or until so much of something is done."""
        emissions = study.measure(self.bench)
        for emission in emissions:
            self._seen(emission)
            if isinstance(emission, Progress) and what and what in emission.what and emission.done == until:
                emissions.close()
                return

    def _seen(self, emission: Emission) -> None:
        if isinstance(emission, Observations):
            pairs = zip(emission.units, emission.values, strict=True)
            self.numbers |= {(emission.metric, unit): value for unit, value in pairs}
        elif isinstance(emission, Artifact):
            self.kept[emission.contender, emission.name] = emission.content


def lone(folder: Path, kept: Kept, seed: int = 0, **options: object):
    settings = TrackingOptions(**(LITTLE | options))
    bench = lone_bench(settings, folder, contenders=[NARROW], data=FEW, kept=kept, seed=seed)
    bench.keep = lambda artifact: kept.update({(artifact.contender, artifact.name): artifact.content})
    return bench


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "SAID_EVERY", 1)
        tracked = Tracked(tmp_path_factory.mktemp("whole"))
        tracked.run()
    return tracked


def test_a_chain_that_was_interrupted_ends_as_one_that_was_not(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(own, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(own, "SAID_EVERY", 1)
    broken = Tracked(tmp_path)
    for what, until in (("steps of the detector", 3), ("steps of the detector", 5), ("sequences tracked", 1)):
        torch.manual_seed(until)  # a new process would begin with other random numbers
        broken.run(what, until)
    assert len([unit for metric, unit in broken.numbers if metric == OBJECTS]) == 1
    broken.run()
    assert broken.numbers == whole.numbers
    assert len([unit for metric, unit in whole.numbers if metric == LOSS]) == LITTLE["samples"] // LITTLE["batch"]
    assert {metric for metric, _ in whole.numbers} == {LOSS, OBJECTS, SWITCHES}
    assert broken.kept == whole.kept
    assert (NARROW, LEAST) in whole.kept


def test_boxes_are_tracked_from_the_least_score_that_is_kept(whole):
    told = json.loads(whole.kept[NARROW, LEAST])
    assert told["apart"]
    assert told["pictures"] == 1
    assert 0 < told["f1"] <= 1
    lines = [line for text in from_zip(whole.kept[NARROW, DETECTIONS]).values() for line in text.splitlines()]
    assert min(float(line.split(",")[6]) for line in lines) >= told["score"]


def test_a_least_score_that_was_chosen_before_is_taken(whole, tmp_path, monkeypatch):
    """It is not chosen anew: on another machine the detector may round otherwise."""
    monkeypatch.setattr(study, "best_score", None)
    again = Tracked(tmp_path)
    again.kept |= {(NARROW, name): whole.kept[NARROW, name] for name in (WEIGHTS, LEAST)}
    again.run()
    assert again.kept[NARROW, DETECTIONS] == whole.kept[NARROW, DETECTIONS]


def test_what_the_detector_found_is_kept_and_gives_the_same_tracks_again(whole):
    """The boxes by place alone follow from the file, without a network."""
    texts = from_zip(whole.kept[NARROW, DETECTIONS])
    counts = loaded(whole.kept[NARROW, file_of(CHAIN_MOTION)])
    for clip, one in zip(whole.bench.data.sequences["test"], counts, strict=True):
        rows = np.array([line.split(",")[:7] for line in texts[clip.name].splitlines()], dtype=np.float64).reshape(
            -1, 7
        )
        assert set(rows[:, 1]) <= {-1.0}
        corners = np.concatenate([rows[:, 2:4] - 1, rows[:, 2:4] - 1 + rows[:, 4:6]], axis=1)
        shown = []
        for frame in range(len(clip)):
            here = rows[:, 0] == frame + 1
            shown.append(Shown(corners[here], rows[here, 6], np.full(here.sum(), -1)))
        again = judge(truth_of(clip), associate(shown))
        assert (again.objects, again.boxes, again.matched) == (one.objects, one.boxes, one.matched)


def test_another_seed_trains_another_detector(whole, tmp_path):
    other = Tracked(tmp_path)
    other.bench = lone(tmp_path, other.kept, seed=1)
    other.run()
    assert other.kept[NARROW, WEIGHTS] != whole.kept[NARROW, WEIGHTS]


def test_a_network_that_cannot_be_a_backbone_fails_in_one_line_that_names_the_way_without(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise CellError("flat cannot be a detector's backbone: its stages leave no maps of the image")

    monkeypatch.setattr(own, "build", refuse)
    run = compare(NARROW, WIDE, data=FEW, studies=["tracking"], options={"tracking": LITTLE}, out=tmp_path / "run")
    store = RunStore.open(run.path)
    for outcome in (store.outcome(cell) for cell in store.plan().cells if cell.study == "tracking"):
        assert isinstance(outcome, Failed)
        assert "cannot be a detector's backbone" in outcome.error
        assert "--tracking.detector none" in outcome.error
        assert "\n" not in outcome.error


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Sequences in files, train and test, without labelled images or pictures with boxes."""
    folder = tmp_path_factory.mktemp("mot") / "data"
    export("scenes?size=64&train=1&test=2&frames=3", folder, layout="mot")
    return folder


def test_sequences_in_files_train_the_detectors_on_the_pictures_of_the_train_sequences(files, tmp_path):
    names = (NARROW, WIDE)
    run = compare(*names, data=f"mot:{files}", studies=["tracking"], options={"tracking": LITTLE}, out=tmp_path / "run")
    store = RunStore.open(run.path)
    assert [store.outcome(cell).status for cell in store.plan().cells] == ["done", "done"]
    assert evidence(run.path).artifact(MADE, NARROW)
    assert Path(run.report()).is_file()


def test_data_without_train_pictures_track_the_given_boxes_and_say_so(files, tmp_path):
    run = compare(NARROW, WIDE, data=f"mot:{files / 'test'}", studies=["tracking"], out=tmp_path / "run")
    found = evidence(run.path)
    assert found.artifact(MADE, NARROW) is None
    assert found.artifact(file_of(GIVEN), NARROW) is None
    assert found.artifact(file_of(TRACKED), NARROW)
    texts = [each.text for each in exhibit(found) if isinstance(each, Text)]
    assert any("has no train pictures with boxes, so that no detector could be trained" in text for text in texts)


def test_a_budget_trains_less_then_goes_without_detectors_then_shortens_sequences_before_it_drops_them():
    card = DataCard("d", "d", "x", (), {}, None, frames={"train": 50}, sequences={"test": 20})
    work = Work(card, {"a": Rates(0.1, 0.3, 10**6, True)})
    whole = STUDY.cost(TrackingOptions(), work).seconds
    given = STUDY.cost(TrackingOptions(detector="none"), work).seconds
    half = STUDY.fit(TrackingOptions(), work, given + (whole - given) / 2)
    assert FEWEST_LESSONS < half.options.samples < TrackingOptions().samples
    assert half.options.detector == "trained"
    assert half.options.pictures is None
    assert "pictures shown in training the detectors" in half.cuts[0]
    without = STUDY.fit(TrackingOptions(), work, 1.01 * given)
    assert (without.options.detector, without.options.pictures) == ("none", None)
    assert "no detector can be trained within the budget" in without.cuts[0]
    short = STUDY.fit(TrackingOptions(), work, given / 2).options
    assert short.sequences == 20
    assert short.pictures < 60
    least = STUDY.fit(TrackingOptions(), work, given / 1000)
    assert (least.options.sequences, least.options.pictures) == (2, 4)
    assert len(least.cuts) == 2


def test_where_no_detector_can_be_trained_none_is_paid_for():
    tests = DataCard("d", "d", "x", (), {}, None, sequences={"test": 20})
    work = Work(tests, {"a": Rates(0.1, 0.3, 10**6, True)})
    assert STUDY.cost(TrackingOptions(), work) == STUDY.cost(TrackingOptions(detector="none"), work)


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept_and_told(tmp_path):
    kept: Kept = {}
    bench = lone(tmp_path, kept, detector="none")
    seen = Seen(bench, study.measure(bench), kept)
    assert kept[NARROW, MEMORY_FILE] == b"[64, 32]"
    told = [each.text for each in exhibit(seen) if isinstance(each, Text)]
    assert any(each.startswith(f"64 images at once did not fit in memory: {NARROW} was shown 16") for each in told)
