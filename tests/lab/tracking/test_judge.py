"""Counts of tracks against TrackEval's, which reads the same files."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from lab.tracking.made import tracks, truth, world, write
from netversus.lab.data import open_data
from netversus.lab.tracking.judge import judge, overlaps
from netversus.lab.tracking.results import read_results
from netversus.lab.tracking.tracks import nothing, truth_of
from netversus.statistics.tracks import Counts, score

LENGTH, SIDE = 40, 400
LENGTHS = {"one": LENGTH, "two": 25, "three": 12}


def trackeval(root: Path, *, preprocess: bool) -> dict[str, dict[str, Any]]:
    """TrackEval's own reading, preprocessing and scores of root/gt and root/found, sequence by sequence and combined."""
    settings = {
        "GT_FOLDER": str(root / "gt"),
        "TRACKERS_FOLDER": str(root / "found"),
        "TRACKERS_TO_EVAL": ["it"],
        "SEQ_INFO": LENGTHS,
        "SKIP_SPLIT_FOL": True,
        "DO_PREPROC": preprocess,
        "PRINT_CONFIG": False,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data = MotChallenge2DBox(settings)
        found: dict[str, dict[str, Any]] = {}
        for metric in (HOTA(), CLEAR(), Identity()):
            each = {}
            for name in LENGTHS:
                raw = data.get_raw_seq_data("it", name)
                each[name] = metric.eval_sequence(data.get_preprocessed_seq_data(raw, "pedestrian"))
            for name, values in {**each, "all": metric.combine_sequences(each)}.items():
                found.setdefault(name, {}).update(values)
    return found


def expect_same(counts: list[Counts], peer: dict[str, dict[str, Any]]) -> None:
    for unit, several in [*((one.unit, [one]) for one in counts), ("all", counts)]:
        ones, theirs = np.ones(len(several)), peer[unit]
        assert score("hota", several, ones) == pytest.approx(theirs["HOTA"].mean(), abs=1e-12)
        assert score("deta", several, ones) == pytest.approx(theirs["DetA"].mean(), abs=1e-12)
        assert score("assa", several, ones) == pytest.approx(theirs["AssA"].mean(), abs=1e-12)
        assert score("idf1", several, ones) == pytest.approx(theirs["IDF1"], abs=1e-12)
        assert score("mota", several, ones) == pytest.approx(theirs["MOTA"], abs=1e-12)
        assert sum(one.switches for one in several) == theirs["IDSW"]
        assert sum(one.id_matched for one in several) == theirs["IDTP"]
        assert np.sum([one.matched for one in several], axis=0).tolist() == theirs["HOTA_TP"].tolist()


def test_scores_are_trackevals_on_the_same_files(tmp_path):
    counts = []
    for seed, (name, length) in enumerate(LENGTHS.items()):
        true, found = world(seed, length)
        write(tmp_path / "gt" / name / "gt" / "gt.txt", true, "1,1,1")
        write(tmp_path / "found" / "it" / "data" / f"{name}.txt", found)
        counts.append(judge(truth(true, length, name), tracks(found)))
    assert sum(one.switches for one in counts) > 10
    expect_same(counts, trackeval(tmp_path, preprocess=False))


def test_mot17s_distractors_and_marks_are_handled_as_trackeval_does_from_folder_to_score(tmp_path):
    """The whole way: `mot:` data without labels.txt and files of results, against TrackEval with its preprocessing."""
    rng = np.random.default_rng(5)
    for seed, (name, length) in enumerate(LENGTHS.items()):
        true, found = world(seed, length)
        folder = tmp_path / "gt" / name
        kinds = {track: int(rng.choice([1, 1, 1, 3, 7, 8])) for _, track, *_ in true}
        lines = [
            f"{f + 1},{i},{a + 1!r},{b + 1!r},{c - a!r},{d - b!r},{int(kinds[i] != 3 and rng.random() < 0.9)},{kinds[i]},1"
            for f, i, a, b, c, d in true
        ]
        (folder / "gt").mkdir(parents=True)
        (folder / "gt" / "gt.txt").write_text("\n".join(lines))
        (folder / "img1").mkdir()
        for number in range(length):
            Image.new("RGB", (16, 16)).save(folder / "img1" / f"{number + 1:06d}.jpg")
        info = f"name={name}\nimDir=img1\nframeRate=30\nseqLength={length}\nimWidth=16\nimHeight=16\nimExt=.jpg\n"
        (folder / "seqinfo.ini").write_text(f"[Sequence]\n{info}")
        write(tmp_path / "found" / "it" / "data" / f"{name}.txt", found)
    clips = open_data(f"mot:{tmp_path / 'gt'}").sequences["test"]
    results = read_results(tmp_path / "found" / "it", clips)
    counts = [judge(truth_of(clip), results[clip.name]) for clip in clips]
    peer = trackeval(tmp_path, preprocess=True)
    without = trackeval(tmp_path, preprocess=False)
    assert peer["all"]["HOTA"].mean() != pytest.approx(without["all"]["HOTA"].mean(), abs=1e-3)  # the rules matter here
    expect_same(counts, peer)


def test_a_sequence_without_tracks_or_without_objects_is_counted_and_not_dropped():
    true, found = world(0)
    missed = judge(truth(true, LENGTH), nothing())
    assert (missed.objects, missed.boxes, sum(missed.matched)) == (len(true), 0, 0)
    invented = judge(truth([], LENGTH), tracks(found))
    assert (invented.objects, invented.boxes, invented.id_matched) == (0, len(found), 0)


def test_perfect_tracks_score_one():
    true, _ = world(1)
    counts = judge(truth(true, LENGTH), tracks(true))
    for name in ("hota", "deta", "assa", "idf1", "mota"):
        assert score(name, [counts], np.ones(1)) == pytest.approx(1)
    assert counts.switches == 0


def test_the_overlap_of_boxes_without_area_is_zero_and_not_nan():
    flat, box = np.array([1.0, 1, 1, 5]), np.array([0.0, 0, 4, 4])
    assert overlaps(flat, box) == overlaps(flat, flat) == 0
    assert overlaps(box, box) == 1
    assert overlaps(box, box + np.array([2, 0, 2, 0])) == pytest.approx(1 / 3)
