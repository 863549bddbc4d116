"""The detection study from files of results, and from tiny networks at 64 px, in runs of its own."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lone_bench import Kept, lone_bench
from netversus import compare
from netversus.api import Run
from netversus.errors import DivergedError
from netversus.evidence import StudyEvidence
from netversus.exhibits import Chart, Gallery, Table, Text
from netversus.lab.data.export import export
from netversus.lab.detection import own
from netversus.lab.detection.recipe import LOSS, WEIGHTS
from netversus.records import Artifact, DataCard, Done, Emission, Observations, Progress, Rates, Skipped, Verdict
from netversus.store import RunStore
from netversus.studies.detection import ALBUM, DETECTIONS, MATCHES, STUDY, TRUTH, DetectionOptions
from netversus.studies.detection import measure as study
from netversus.studies.detection.exhibit import exhibit
from netversus.study import Work

METRICS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
NARROW, WIDE = "py:tiny_nets:narrow", "py:tiny_nets:wide"
SCENES = "scenes?size=16&train=8&test=8&frame_size=64&frames=4&test_frames=6&sequences=1&test_sequences=1&length=2"
LITTLE = {"samples": 12, "batch": 2, "channels": 8, "width": 16, "regions": 8, "proposals": 16, "timed": 2}
GONE, CROWDED = 0, 1  # the class without objects, and the one of which every other object is a crowd


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Pictures of 160 px: one class has no object, some objects are crowds."""
    root = tmp_path_factory.mktemp("coco") / "data"
    export("scenes?size=160&train=1&test=16&difficulty=0.6", root, layout="coco", seed=1)
    path = root / "annotations" / "instances_test.json"
    content = json.loads(path.read_text())
    gone, crowded = (content["categories"][place]["id"] for place in (GONE, CROWDED))
    content["annotations"] = [one for one in content["annotations"] if one["category_id"] != gone]
    for place, one in enumerate(content["annotations"]):
        one["iscrowd"] = int(one["category_id"] == crowded and place % 2)
    path.write_text(json.dumps(content))
    return root


def truth_file(folder: Path) -> Path:
    return folder / "annotations" / "instances_test.json"


@pytest.fixture(scope="module")
def results(folder, tmp_path_factory) -> tuple[Path, Path]:
    """What a good and a bad detector find: boxes that miss by more or less, other classes, many equal scores."""
    content = json.loads(truth_file(folder).read_text())
    categories = [one["id"] for one in content["categories"]]
    root = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    for name, skill in (("good", 0.95), ("bad", 0.6)):
        rows = []
        for one in content["annotations"]:
            w, h = one["bbox"][2:]
            box = np.array(one["bbox"]) + rng.normal(0, 0.3 * (1.05 - skill), 4) * [w, h, w, h]
            category = one["category_id"] if rng.random() < skill else int(rng.choice(categories))
            box[2:] = np.maximum(box[2:], 1)
            score = round(float(rng.beta(8 * skill, 3)), 1)
            rows.append({"image_id": one["image_id"], "category_id": category, "bbox": box.tolist(), "score": score})
        (root / f"{name}.json").write_text(json.dumps(rows))
    return root / "good.json", root / "bad.json"


def peer(truth: Path, found: str | list[Mapping[str, Any]]) -> dict[str, float]:
    """pycocotools' figures of a file of results; -1 where there is no object."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO(str(truth))
        made = COCOeval(data, data.loadRes(found), "bbox")
        made.evaluate()
        made.accumulate()
        made.summarize()
    return dict(zip(METRICS, made.stats.tolist(), strict=False))


def levels(run: Run) -> dict[str, tuple[float | None, float | None]]:
    return {f.metric: (f.value_a, f.value_b) for f in run.findings if f.study == "detection"}


def evidence(run: Run) -> StudyEvidence:
    store = RunStore.open(run.path)
    return StudyEvidence(store, store.plan(), "detection")


@pytest.fixture(scope="module")
def compared(folder, results, tmp_path_factory) -> Run:
    good, bad = results
    return compare(
        f"results:{good}",
        f"results:{bad}",
        data=f"coco:{folder}",
        studies=["detection", "speed"],
        out=tmp_path_factory.mktemp("run") / "run",
    )


def test_two_files_of_results_are_compared_without_any_model(compared):
    finding = next(f for f in compared.findings if f.metric == "ap")
    assert finding.verdict is Verdict.A_BETTER
    assert finding.n == 16
    store = RunStore.open(compared.path)
    outcomes = {cell.study: store.outcome(cell) for cell in store.plan().cells}
    assert isinstance(outcomes["detection"], Done)
    assert isinstance(outcomes["speed"], Skipped)
    assert "there is no network to ask" in outcomes["speed"].reason


@pytest.mark.parametrize("metric", METRICS)
def test_average_precisions_in_the_findings_are_pycocotools(compared, folder, results, metric):
    expected = [peer(truth_file(folder), str(path))[metric] for path in results]
    if expected == [-1, -1]:  # no object of the size: no finding, and never a 0
        assert metric not in levels(compared)
    else:
        assert levels(compared)[metric] == pytest.approx(expected, abs=1e-8)
        assert 0.02 < min(expected) < max(expected) < 1


def test_what_is_stored_gives_the_same_figures_again_without_this_library(compared, results, tmp_path):
    found = evidence(compared)
    for path, level in zip(results, levels(compared)["ap"], strict=True):
        truth = tmp_path / f"{path.stem}.json"
        truth.write_bytes(found.artifact(TRUTH, f"results:{path}"))
        rows = json.loads(found.artifact(DETECTIONS, f"results:{path}"))
        assert peer(truth, rows)["ap"] == pytest.approx(level, abs=1e-8)


def test_a_class_without_objects_is_named_and_has_no_number(compared, folder):
    names = [one["name"] for one in json.loads(truth_file(folder).read_text())["categories"]]
    shown = list(exhibit(evidence(compared)))
    chart = next(each for each in shown if isinstance(each, Chart) and each.kind == "bar" and names[1] in str(each))
    assert all(names[GONE] not in series.x for series in chart.series)
    assert f"of which there is no average precision: {names[GONE]}" in chart.description
    assert all(len(series.y) == len(names) - 1 for series in chart.series)
    table = next(each for each in shown if isinstance(each, Table) and "in numbers" in each.title)
    assert names[GONE] not in [row[0] for row in table.rows]


def test_a_size_without_objects_has_no_number(compared, folder, results):
    (table,) = [
        each for each in exhibit(evidence(compared)) if isinstance(each, Table) and "small" in str(each.columns)
    ]
    for row, path in zip(table.rows, results, strict=True):
        theirs = peer(truth_file(folder), str(path))
        for shown, metric in zip(row[3:9], METRICS, strict=True):
            assert shown is None if theirs[metric] == -1 else shown == pytest.approx(100 * theirs[metric], abs=1e-6)
        assert row[9] is None  # nobody was timed


def test_the_same_pictures_of_all_contenders_are_shown_with_their_boxes(compared):
    (gallery,) = [each for each in exhibit(evidence(compared)) if isinstance(each, Gallery)]
    assert len(gallery.columns) == 2
    kinds = {mark.kind for picture in gallery.pictures for mark in picture.marks}
    assert kinds == {"right", "wrong", "missed"}


class Trained:
    """The study of one network in a folder, interrupted and gone on with."""

    def __init__(self, folder: Path, name: str = NARROW, **options: object) -> None:
        self.kept: Kept = {}
        settings = DetectionOptions(**(LITTLE | options))
        self.bench = lone_bench(settings, folder, contenders=(name,), data=SCENES, kept=self.kept)
        self.losses: dict[str, float] = {}
        self.artifacts: dict[str, bytes] = {}

    def run(self, until: int | None = None) -> None:
        """The whole study, or until so many steps of training are taken."""
        emissions = study.measure(self.bench)
        for emission in emissions:
            self._seen(emission)
            if isinstance(emission, Progress) and "steps of the detector" in emission.what and emission.done == until:
                emissions.close()
                return

    def _seen(self, emission: Emission) -> None:
        if isinstance(emission, Observations) and emission.metric == LOSS:
            self.losses |= dict(zip(emission.units, emission.values, strict=True))
        elif isinstance(emission, Artifact):
            self.artifacts[emission.name] = emission.content


def test_a_training_that_was_interrupted_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(own, "SAID_EVERY", 1)
    whole, broken = Trained(tmp_path / "whole"), Trained(tmp_path / "broken")
    whole.run()
    torch.manual_seed(99)
    broken.run(until=3)
    assert (NARROW, WEIGHTS) not in broken.kept
    torch.manual_seed(5)  # a new process would begin with other random numbers
    broken.run()
    assert broken.losses == whole.losses
    assert len(whole.losses) == 6
    assert broken.kept[broken.bench.contenders[0].name, WEIGHTS] == whole.kept[whole.bench.contenders[0].name, WEIGHTS]
    assert all(broken.artifacts[name] == whole.artifacts[name] for name in (DETECTIONS, MATCHES, TRUTH, ALBUM))


def test_another_seed_makes_another_detector(tmp_path):
    one = Trained(tmp_path / "one")
    one.run()
    bench = lone_bench(DetectionOptions(**LITTLE), tmp_path / "two", contenders=(NARROW,), data=SCENES, kept={}, seed=1)
    other = [each.content for each in study.measure(bench) if isinstance(each, Artifact) and each.name == DETECTIONS]
    assert other != [one.artifacts[DETECTIONS]]


def test_a_loss_that_is_no_number_is_told_with_its_step(tmp_path):
    with pytest.raises(DivergedError, match=r"loss became (nan|inf) at step \d+ of 6") as caught:
        Trained(tmp_path, learning_rate=1e30, clip=0.0, warmup=0.0).run()
    assert "\n" not in str(caught.value)


def test_networks_are_trained_asked_and_judged_as_pycocotools_would(tmp_path):
    run = compare(
        NARROW, WIDE, data=SCENES, studies=["detection"], options={"detection": LITTLE | {"samples": 80}}, out=tmp_path
    )
    found = evidence(run)
    assert [card.name for card in found.contenders] == [NARROW, WIDE]
    for place, name in enumerate((NARROW, WIDE)):
        truth = tmp_path / f"truth-{place}.json"
        truth.write_bytes(found.artifact(TRUTH, name))
        rows = json.loads(found.artifact(DETECTIONS, name))
        assert rows
        theirs = peer(truth, rows)
        for metric in METRICS:
            if theirs[metric] == -1:
                assert metric not in levels(run)
            else:
                assert levels(run)[metric][place] == pytest.approx(theirs[metric], abs=1e-8)
        assert found.artifact(WEIGHTS, name)
        assert len(found.series(name, "detector_time").values) == 2
    assert "ap_large" not in levels(run)  # a picture of 64 px holds no such object
    shown = list(exhibit(found))
    assert "The detectors that were trained here" in [each.title for each in shown if isinstance(each, Table)]
    told = isinstance(shown[0], Text) and "No contender finds much" in shown[0].text
    assert told == (max(levels(run)["ap"]) < 0.01)
    assert Path(run.report()).is_file()


@pytest.mark.parametrize("kept", [1.0, 0.0])
def test_detectors_that_find_next_to_nothing_are_told_of(folder, results, tmp_path, kept):
    for path in results:
        rows = json.loads(path.read_text())
        few = [
            row | {"score": row["score"] if kept else 0.0, "bbox": row["bbox"] if kept else [0, 0, 1, 1]}
            for row in rows
        ]
        (tmp_path / path.name).write_text(json.dumps(few))
    names = [f"results:{tmp_path / path.name}" for path in results]
    run = compare(*names, data=f"coco:{folder}", studies=["detection"], out=tmp_path / "run")
    told = [
        each for each in exhibit(evidence(run)) if isinstance(each, Text) and "No contender finds much" in each.text
    ]
    assert len(told) == (0 if kept else 1)


def test_a_network_and_a_file_of_results_can_be_compared(tmp_path):
    first = compare(NARROW, WIDE, data=SCENES, studies=["detection"], options={"detection": LITTLE}, out=tmp_path / "a")
    path = tmp_path / "again.json"
    path.write_bytes(evidence(first).artifact(DETECTIONS, NARROW))
    run = compare(
        NARROW,
        f"results:{path}",
        data=SCENES,
        studies=["detection"],
        options={"detection": LITTLE},
        out=tmp_path / "b",
    )
    same = levels(run)["ap"]
    assert same[0] == pytest.approx(same[1], abs=1e-12)
    matches = [evidence(run).artifact(MATCHES, name) for name in (NARROW, f"results:{path}")]
    assert matches[0] == matches[1]


def test_a_budget_trains_less_before_it_asks_less():
    card = DataCard("d", "d", "x", (), {}, None, frames={"train": 50, "test": 300})
    work = Work(card, {"a": Rates(0.1, 0.3, 10**6, True)})
    whole = STUDY.cost(DetectionOptions(), work).seconds
    half = STUDY.fit(DetectionOptions(), work, whole / 2).options
    assert half.samples < DetectionOptions().samples
    assert half.pictures is None
    least = STUDY.fit(DetectionOptions(), work, whole / 1e6).options
    assert (least.samples, least.pictures) == (8, 4)
